"""Quantized networks compute what bytes stand for, the same in every engine and for every machine."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from netwright.build import build
from netwright.compiler.codegen.targets.target import host_target
from netwright.compiler.driver import lower
from netwright.compiler.loop.interpreter.run import run_entry
from netwright.compiler.machine import Machine
from netwright.compiler.quantization.network import QuantizedNetwork
from netwright.runtime.sessions.session import Session

from ..machines import AVX2, AVX512, NEON
from .helpers import drawn, predicted, prepared, quantized, spec

CONV = {"type": "conv2d", "filters": 6, "kernel_size": 3}
NETWORKS: dict[str, dict[str, Any]] = {
    "dense": spec(
        ["N", 10], {"type": "dense", "units": 7, "activation": "relu"}, {"type": "dense", "units": 3}
    ),
    "steps": spec(["N", "T", 5], {"type": "dense", "units": 18}),
    "image": spec(
        ["N", 8, 8, 1],
        {**CONV, "kernel_size": 5, "padding": "same", "activation": "relu"},
        {"type": "max_pool2d", "pool_size": 2},
        {**CONV, "filters": 17, "stride": 2, "kernel_size": 2},
        {"type": "flatten"},
        {"type": "dense", "units": 4},
    ),
    "normalized": spec(
        ["N", 11, 11, 3],
        {**CONV, "use_bias": False, "padding": "same"},
        {"type": "batch_norm"},
        {"type": "relu"},
        {"type": "max_pool2d", "pool_size": 3, "stride": 2, "rounding": "floor"},
        {**CONV, "dilation": 2, "filters": 8},
    ),
    "open": spec(["N", "H", "H", 3], {**CONV, "padding": "same"}, {**CONV, "kernel_size": 1}),
    "signal": spec(["N", 20, 2], {"type": "conv1d", "filters": 9, "kernel_size": 4, "stride": 3}),
    "depthwise": spec(
        ["N", 9, 7, 18],
        {"type": "depthwise_conv2d", "kernel_size": 3, "padding": "same"},
        {"type": "batch_norm"},
        {"type": "relu"},
        {"type": "conv2d", "filters": 5, "kernel_size": 1},
        {"type": "depthwise_conv2d", "kernel_size": [2, 3], "stride": 2, "depth_multiplier": 3},
    ),
    "groups": spec(
        ["N", 9, 12],
        {"type": "conv1d", "filters": 36, "kernel_size": 3, "groups": 2, "dilation": 2},
        {"type": "max_pool1d", "pool_size": 2, "rounding": "floor"},
        {"type": "dense", "units": 3},
    ),
    "negative": spec(  # factors of 0 and below: the maximum is not that of the sums, and a bias is no steps
        ["N", 6, 6, 3],
        {**CONV, "use_bias": False},
        {"type": "batch_norm"},
        {"type": "max_pool2d", "pool_size": 2},
        {"type": "flatten"},
        {"type": "dense", "units": 2},
    ),
    "residual": spec(
        ["N", 6, 6, 4],
        {**CONV, "filters": 4, "padding": "same"},
        {"type": "add", "inputs": ["x", "l1"]},
        {"type": "relu"},
        {**CONV, "filters": 4},
    ),
}


def native(made: QuantizedNetwork, x: np.ndarray, threads: int) -> np.ndarray:
    engine = build(made.network, {"predict": made.network.graphs["predict"]}, host_target()).engine(threads)
    return Session(engine, dict(made.weights)).predict(x=x)["y"]


def in_loops(made: QuantizedNetwork, x: np.ndarray, y: np.ndarray, machine: Machine) -> np.ndarray:
    graphs = {"predict": made.network.graphs["predict"]}
    dims = list(made.network.dims.values())
    lowered = lower("m", graphs, dims, version="0", target="t", machine=machine)
    table = {**lowered.constants, **made.weights, "x": x, "y": np.zeros(y.shape, y.dtype)}
    for buffer in lowered.manifest.buffers:
        if buffer.role == "packed":
            table[buffer.name] = np.zeros([int(size) for size in buffer.shape], buffer.dtype)
    table = {buffer.name: np.array(table[buffer.name]) for buffer in lowered.manifest.buffers}
    sizes = {str(name): size for name, size in zip(made.network.inputs["x"].shape, x.shape, strict=True)}
    bound = {dim.name: sizes[dim.name] for dim in dims}
    if any(entry.name == "prepare" for entry in lowered.manifest.entries):
        run_entry(lowered.program, "prepare", table, bound)
    run_entry(lowered.program, "predict", table, bound)
    return table["y"]


@pytest.mark.alike(2)
@pytest.mark.parametrize("name", NETWORKS)
def test_all_engines_agree_to_the_bit(name: str) -> None:
    network, weights = prepared(NETWORKS[name])
    if name == "negative":
        weights["l2.gamma"] *= np.resize(np.array([1, -1, 0], np.float32), 6)
    x = drawn(network)
    made = quantized(network, weights, x)
    assert all(product.bytes is not None for product in made.products)
    want = predicted(made.network, made.weights, x)
    np.testing.assert_array_equal(native(made, x, 2), want)
    machine = NEON if name in ("dense", "image") else AVX512
    np.testing.assert_array_equal(in_loops(made, x, want, machine), want)
    exact = predicted(network, weights, x)
    np.testing.assert_allclose(want, exact, atol=0.04 * np.abs(exact).max())


def test_signed_and_unsigned_data_give_the_same_results() -> None:
    network, weights = prepared(NETWORKS["image"])
    x = drawn(network)
    signed = quantized(network, weights, x, Machine(vector_bytes=16, vector_registers=32))
    unsigned = quantized(
        network, weights, x, Machine(vector_bytes=16, vector_registers=32, quantized_data="uint8")
    )
    assert {"quantize", "quantized_conv"} <= {node.op for node in signed.network.graphs["predict"]}
    want = predicted(signed.network, signed.weights, x)
    np.testing.assert_array_equal(predicted(unsigned.network, unsigned.weights, x), want)
    np.testing.assert_array_equal(native(signed, x, 1), want)
    np.testing.assert_array_equal(in_loops(unsigned, x, want, AVX2), want)


def test_numbers_by_hand() -> None:
    """One unit, two inputs from −1 to 1.55: a step is 0.01, and 100 stands for 0."""
    network, weights = prepared(spec(["N", 2], {"type": "dense", "units": 1}))
    weights["l1.kernel"] = np.array([[1.27], [-0.5]], np.float32)
    weights["l1.bias"] = np.array([2.0], np.float32)
    x = np.array([[-1.0, 1.55], [0.123, 0.5], [0.0, 0.0]], np.float32)
    machine = Machine(vector_bytes=16, vector_registers=16, quantized_data="uint8")
    made = quantized(network, weights, x, machine)
    (product,) = made.products
    assert product.data is not None
    assert product.bytes is not None
    assert product.data.zero == 100
    assert product.data.scale == pytest.approx(0.01, rel=1e-6)
    assert product.bytes.array.tolist() == [[127, -50, 0, 0]]
    # 0.123 is 12 steps of 0.01, weights are steps of 0.01
    want = [[-1.27 - 0.5 * 1.55 + 2], [0.12 * 1.27 - 0.5 * 0.5 + 2], [2.0]]
    np.testing.assert_allclose(predicted(made.network, made.weights, x), want, rtol=1e-5)


def test_what_stays_in_floats_says_why() -> None:
    """Also in a loop, where a matrix that is a state is no weight."""
    written = spec(
        ["N", "T", 8],
        {"type": "recurrent", "cell": "matrix", "with": {"H": 4}},
        {"type": "conv1d", "filters": 4, "kernel_size": 2, "groups": 2, "padding": "same"},
        {"type": "dense", "units": 2},
    )
    written["cells"] = {
        "matrix": {
            "args": {"H": "int"},
            "input": {"x": ["F"]},
            "states": {"M": {"shape": ["H", "H"]}, "h": {"shape": ["H"], "init": "ones"}},
            "params": {"B": {"shape": ["F", "H"]}, "A": {"shape": ["H", "H"]}},
            "update": [{"M": "tanh(prev(M) @ A)"}, {"h": "tanh(x @ B + prev(h) @ M)"}],
            "output": "h",
        }
    }
    network, weights = prepared(written)
    made = quantized(network, weights, drawn(network))
    reasons = {str(product.key): product.reason for product in made.products if product.bytes is None}
    assert list(reasons.values()) == ["it multiplies two results, none of which are weights"]
    assert all(name.startswith("l1") for name in reasons)
    assert [product.key.layer for product in made.products if product.bytes is not None] == [
        "l1",
        "l1",
        "l2",
        "l3",
    ]


def test_sums_that_could_leave_32_bits_stay_in_floats() -> None:
    network, weights = prepared(spec(["N", 70_000], {"type": "dense", "units": 1}))
    weights["l1.kernel"] = np.ones((70_000, 1), np.float32)
    made = quantized(network, weights, drawn(network, 1))
    assert [product.reason for product in made.products] == ["its sums could leave 32 bits"]


def test_weights_that_are_not_finite_stay_in_floats() -> None:
    network, weights = prepared(spec(["N", 3], {"type": "dense", "units": 2}, {"type": "dense", "units": 2}))
    weights["l2.kernel"][1, 0] = np.nan
    made = quantized(network, weights, drawn(network))
    reasons = {product.key.layer: product.reason for product in made.products}
    assert reasons == {"l1": "", "l2": "its weights are not all finite"}
