"""Recurrences in bytes: the products of their inputs and of their states, the same numbers in every engine.

Activations without exp are the same to the bit in NumPy and in kernels, so that these networks are, too. Where the last
bit of a tanh differs, a state may be rounded to the next byte.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from netwright.build import build
from netwright.compiler.codegen.targets.target import host_target
from netwright.compiler.driver import lower
from netwright.compiler.frontend.network import Network
from netwright.compiler.graph.graph import Graph
from netwright.compiler.graph.text import print_graph
from netwright.compiler.graph.types import TensorType
from netwright.compiler.interpreter import evaluate
from netwright.compiler.loop.text.printing import program_text
from netwright.compiler.machine import Machine
from netwright.compiler.ops.products.dot import DotAttributes
from netwright.compiler.ops.scans.scan_attributes import ScanAttributes
from netwright.compiler.ops.views.layout import TransposeAttributes
from netwright.compiler.quantization.bodies import observed
from netwright.compiler.quantization.rewrite import quantize
from netwright.compiler.quantization.scales import Quantized
from netwright.compiler.quantization.sites import find_sites, weights_of
from netwright.compiler.vectors import Lowerings, reference_vectors

from ..conftest import Golden
from ..machines import AVX2, AVX512, MACHINES, NEON
from .helpers import drawn, predicted, prepared, quantized, spec
from .test_networks import in_loops, native

LSTM = {
    "type": "lstm",
    "units": 6,
    "activation": "hard_swish",
    "recurrent_activation": "hard_sigmoid",
    "output_activation": "softsign",
}
GRU = {"type": "gru", "units": 7, "activation": "softsign", "recurrent_activation": "hard_sigmoid"}
RNN = {"type": "rnn", "units": 5, "activation": "softsign"}
SEQUENCE = ["N", "T", 5]
#: Networks that are drawn, beside those above: 10 in ci.
EXAMPLES = settings.default.max_examples // 2 if settings.default else 10
LENGTHS = {"lengths": "counted"}

MEMORY = {
    "args": {"H": "int"},
    "input": {"x": ["F"]},
    "states": {"h": {"shape": ["H"], "learn_init": True}, "m": {"shape": ["H", 2]}},
    "params": {"A": {"shape": ["H", "H"]}, "B": {"shape": ["F", "H"]}, "V": {"shape": [2, 2]}},
    "update": [
        {"m": "clip(prev(m) @ V, -1, 1)"},
        {"h": "clip(x @ B + prev(h) @ transpose(A) + sum(m, axis=-1), -1, 1)"},
    ],
    "output": "h",
}
#: By name: a network, and how many of its products are of bytes.
NETWORKS: dict[str, tuple[dict[str, Any], int]] = {
    "lstm": (spec(SEQUENCE, LSTM), 2),
    "gru": (spec(SEQUENCE, GRU), 2),
    "rnn": (spec(SEQUENCE, RNN), 2),
    "one sample": (spec([1, "T", 5], LSTM), 2),
    "rows in the loop": (spec([8, 6, 5], LSTM), 2),
    "copies of the step": (spec([2, 4, 5], {**RNN, "unroll": "full"}), 2),
    "peepholes": (spec(SEQUENCE, {**LSTM, "peepholes": True, "input_forget": True, "clip": 1.0}), 2),
    "reset before": (spec(SEQUENCE, {**GRU, "reset_after": False}), 4),
    "both ways": (spec(SEQUENCE, {**LSTM, "bidirectional": True, "layers": 2}), 8),
    "backwards": (spec(SEQUENCE, {**GRU, "reverse": True, "initial_state": "learned"}), 2),
    "stacked": (spec(SEQUENCE, {**RNN, "layers": 3}, {**GRU, "return_sequences": False}), 8),
    "among others": (
        spec(
            SEQUENCE,
            {"type": "conv1d", "filters": 6, "kernel_size": 3, "padding": "causal", "activation": "relu"},
            {**GRU, "zoneout": 0.1},
            {"type": "dense", "units": 3},
        ),
        4,
    ),
    "cell": (
        {
            **spec(SEQUENCE, {"type": "recurrent", "cell": "memory", "with": {"H": 6}}),
            "cells": {"memory": MEMORY},
        },
        3,
    ),
}


@pytest.mark.alike(2)
@pytest.mark.parametrize("name", NETWORKS)
def test_all_engines_agree_to_the_bit(name: str) -> None:
    written, count = NETWORKS[name]
    network, weights = prepared(written)
    x = drawn(network)
    made = quantized(network, weights, x)
    assert [product.reason for product in made.products] == [""] * count
    want = predicted(made.network, made.weights, x)
    np.testing.assert_array_equal(native(made, x, 2), want)
    np.testing.assert_array_equal(in_loops(made, x, want, NEON if name == "lstm" else AVX2), want)
    exact = predicted(network, weights, x)
    np.testing.assert_allclose(want, exact, atol=0.04 * np.abs(exact).max())


@pytest.mark.parametrize("machine", ["avx2", "neon"])
def test_a_step_as_text(machine: str, golden: Golden) -> None:
    """The graph of an LSTM, and the kernels of its steps."""
    network, weights = prepared(spec(["N", "T", 8], {"type": "lstm", "units": 16}))
    made = quantized(network, weights, drawn(network), MACHINES[machine])
    predict, dims = made.network.graphs["predict"], list(made.network.dims.values())
    lowered = lower("m", {"predict": predict}, dims, version="0", target="t", machine=MACHINES[machine])
    golden.check(f"lstm.{machine}.txt", f"{print_graph(predict)}\n\n{program_text(lowered.program)}")


@pytest.mark.parametrize("kind", ["lstm", "dense"])
def test_a_self_test_expects_bytes_of_recurrences_to_move(kind: str) -> None:
    """A last bit may round a state to the next byte. Networks without loops have the reference's bytes."""
    layer = {"type": "lstm", "units": 32} if kind == "lstm" else {"type": "dense", "units": 32}
    network, weights = prepared(spec([4, 20, 8], layer, {"type": "dense", "units": 3}))
    made = quantized(network, weights, drawn(network))
    lowerings, graphs = Lowerings(), dict(made.network.graphs)
    manifest = build(made.network, graphs, host_target(), lowerings).lowered.manifest
    vectors = reference_vectors(lowerings, graphs["predict"], manifest, made.weights, str)
    most = max(probe.allowed for probe in vectors.probes if probe.dtype == "float32")
    assert most > 1000 if kind == "lstm" else most < 1000


def test_weights_of_states_are_bytes_in_the_loop() -> None:
    network, weights = prepared(spec(SEQUENCE, LSTM))
    made = quantized(network, weights, drawn(network))
    (loop,) = (node for node in made.network.graphs["predict"] if isinstance(node.attrs, ScanAttributes))
    assert isinstance(loop.attrs, ScanAttributes)
    operations = [node.op for node in loop.attrs.body]
    assert operations.count("quantized_conv") == 1
    assert "dot" not in operations
    array = made.weights["l1.dot1.int8"]
    assert (array.dtype, array.shape) == (np.int8, (2, 4 * 24))  # six states in two groups of four
    assert "l1.recurrent_kernel" not in made.weights
    assert [product.in_loop for product in made.products] == [False, True]


def of_two(kernel: float, recurrent: float) -> tuple[Network, dict[str, NDArray]]:
    """h = relu(kernel · x + recurrent · h), twice side by side."""
    layer = {"type": "rnn", "units": 2, "activation": "relu", "use_bias": False}
    network, weights = prepared(spec(["N", "T", 2], layer))
    weights["l1.kernel"] = np.diag([kernel, kernel]).astype(np.float32)
    weights["l1.recurrent_kernel"] = np.diag([recurrent, recurrent]).astype(np.float32)
    return network, weights


def test_numbers_by_hand() -> None:
    """h = relu(x + 0.5·h): states before the steps are 0, 1, 2.5 and 2, so a step of the scale is 2.5 / 255."""
    network, weights = of_two(1.0, 0.5)
    x = np.repeat(np.array([1, 2, 0.75, 1], np.float32), 2).reshape(1, 4, 2)
    made = quantized(network, weights, x, Machine(vector_bytes=16, vector_registers=16))
    inputs, states = (product.data for product in made.products)
    assert inputs is not None
    assert states is not None
    assert (inputs.zero, states.zero) == (-128, -128)
    assert inputs.scale == pytest.approx(2 / 255)
    assert states.scale == pytest.approx(2.5 / 255)
    want, h = [], 0.0
    for value in x[0, :, 0]:
        fed = 2 / 255 * np.rint(value / (2 / 255))
        h = fed + 0.5 * 2.5 / 255 * np.rint(min(h, 2.5) / (2.5 / 255))
        want.append(h)
    got = predicted(made.network, made.weights, x)
    np.testing.assert_allclose(got[0], np.stack([want, want], 1), rtol=1e-5)


def test_states_past_the_measured_range_are_clipped() -> None:
    network, weights = of_two(1.0, 1.0)
    made = quantized(network, weights, np.ones((1, 5, 2), np.float32))
    short, longer = (
        predicted(made.network, made.weights, np.ones((1, steps, 2), np.float32)) for steps in (5, 8)
    )
    np.testing.assert_allclose(short[0, :, 0], [1, 2, 3, 4, 5], atol=0.05)
    np.testing.assert_allclose(longer[0, 4:, 0], 5, atol=0.05)


def test_sums_of_one_term_stay_in_floats() -> None:
    network, weights = prepared(spec(["N", "T", 1], {"type": "gru", "units": 4}))
    made = quantized(network, weights, drawn(network))
    assert {product.in_loop: product.reason for product in made.products} == {
        True: "",
        False: "its sums have a single term",
    }


@pytest.mark.parametrize("kind", ["lstm", "gru", "rnn"])
def test_usual_activations(kind: str) -> None:
    """A difference in a last bit may move a byte: by one step of the state's scale, not more."""
    network, weights = prepared(spec(SEQUENCE, {"type": kind, "units": 9}))
    x = drawn(network, 4, 12)
    made = quantized(network, weights, x)
    want, exact = predicted(made.network, made.weights, x), predicted(network, weights, x)
    step = max(product.data.scale for product in made.products if product.data is not None)
    np.testing.assert_allclose(native(made, x, 2), want, atol=step)
    np.testing.assert_allclose(want, exact, atol=0.05)
    assert np.sqrt(np.mean((want - exact) ** 2)) < 0.01


@settings(max_examples=EXAMPLES)
@given(
    kind=st.sampled_from([LSTM, GRU, RNN]),
    units=st.integers(2, 19),
    features=st.integers(2, 9),
    batch=st.sampled_from(["N", 1, 2, 8]),
    steps=st.sampled_from(["T", 1, 3]),
    options=st.fixed_dictionaries(
        {},
        optional={
            "bidirectional": st.just(True),
            "layers": st.just(2),
            "use_bias": st.just(False),
            "initial_state": st.just("learned"),
            "return_sequences": st.just(False),
        },
    ),
    seed=st.integers(0, 99),
)
def test_drawn_recurrences(
    kind: dict[str, Any],
    units: int,
    features: int,
    batch: int | str,
    steps: int | str,
    options: dict[str, Any],
    seed: int,
) -> None:
    network, weights = prepared(spec([batch, steps, features], {**kind, **options, "units": units}), seed)
    x = drawn(network, 2, 5)
    made = quantized(network, weights, x, AVX512)
    assert all(product.bytes is not None for product in made.products)
    want = predicted(made.network, made.weights, x)
    np.testing.assert_array_equal(native(made, x, 2), want)
    exact = predicted(network, weights, x)
    np.testing.assert_allclose(want, exact, atol=0.1 * max(np.abs(exact).max(), 1))


def test_loops_in_loops() -> None:
    """A product two loops down, whose weights are turned inside of them."""
    inner, outer, graph = Graph("inner"), Graph("outer"), Graph("predict")
    state = TensorType("float32", (3, 4))
    w = inner.input("w", TensorType("float32", (4, 4)), "body")
    h = inner.input("h", state, "body")
    turned = inner.apply("transpose", w, attrs=TransposeAttributes((1, 0)))
    inner.set_output("h", inner.apply("dot", h, turned, attrs=DotAttributes((1,), (0,), 0)))
    w = outer.input("w", TensorType("float32", (4, 4)), "body")
    h = outer.input("h", state, "body")
    (h,) = outer.add("scan", [w, h], ScanAttributes(inner, 2, 1, 1)).values
    outer.set_output("h", h)
    w = graph.input("w", TensorType("float32", (4, 4)), "parameter")
    x = graph.input("x", state, "input")
    (h,) = graph.add("scan", [w, x], ScanAttributes(outer, 3, 1, 1)).values
    graph.set_output("y", h)
    rng = np.random.default_rng(0)
    weights = {"w": 0.5 * rng.normal(size=(4, 4)).astype(np.float32)}
    x = rng.normal(size=(3, 4)).astype(np.float32)
    (site,), kept = find_sites(graph)
    assert (len(site.loops), kept) == (2, [])
    arrays = weights_of(graph, [site], weights)
    np.testing.assert_array_equal(arrays[site.key], weights["w"].T)
    states = evaluate(observed(graph, {"seen": (site.loops, site.data)}), {"x": x, **weights})["seen"]
    assert states.shape == (3, 2, 3, 4)
    np.testing.assert_array_equal(states[0, 0], x)
    how = Quantized.of_range(float(states.min()), float(states.max()), "uint8")
    made, numbers = quantize(graph, [site], arrays, {site.key: how}, {})
    got = evaluate(made, {"x": x, **numbers[site.key].inputs})["y"]
    exact = evaluate(graph, {"x": x, **weights})["y"]
    np.testing.assert_allclose(got, exact, atol=0.03 * np.abs(states).max())
    assert (got != exact).any()
