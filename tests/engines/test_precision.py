"""Training with `precision: mixed_bfloat16`: what is kept for the gradient has 16 bits, in every engine."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

import netwright
from netwright.analysis.resources import Resources
from netwright.compiler.ops.values.widen import halves, widened
from netwright.program import Program
from netwright.specs.dims import evaluate

LAYERS: dict[str, list[dict[str, Any]]] = {
    "image": [
        {"type": "conv2d", "filters": 8, "kernel_size": 3, "padding": "same"},
        {"type": "batch_norm"},
        {"type": "relu"},
        {"type": "max_pool2d", "pool_size": 2},
        {"type": "flatten"},
        {"type": "dense", "units": 3},
    ],
    "sequence": [
        {"type": "lstm", "units": 16, "return_sequences": True},
        {"type": "gru", "units": 16, "return_sequences": True},
        {"type": "dense", "units": 3},
    ],
}
SHAPES = {"image": [8, 8, 2], "sequence": [40, 5]}


def spec(name: str, precision: str, dtype: str = "float32") -> dict[str, Any]:
    layers = [{"name": f"l{number}", **layer} for number, layer in enumerate(LAYERS[name])]
    return {
        "netwright": 1,
        "model": "m",
        "dims": {"N": "batch"},
        "inputs": {"x": {"shape": ["N", *SHAPES[name]], "dtype": dtype}},
        "layers": layers,
        "outputs": {"y": layers[-1]["name"]},
        "train": {
            "loss": {"type": "mse", "output": "y", "target": "t"},
            "optimizer": {"type": "sgd", "learning_rate": 0.1},
            "precision": precision,
        },
    }


def data(name: str) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(6, *SHAPES[name])).astype(np.float32)
    shape = (6, 40, 3) if name == "sequence" else (6, 3)
    return {"x": x, "t": rng.normal(size=shape).astype(np.float32)}


@cache
def trained(name: str, precision: str, engine: Any = "native", threads: int = 1) -> tuple[Program, float]:
    """A program after a few steps, and the loss of the last."""
    model = netwright.load(spec(name, precision))
    program = model.compile(engine=engine, threads=threads, entries=["train_step"], seed=0)
    loss = [program.train_step(**data(name))["loss"] for _ in range(3)][-1]
    return program, loss


@pytest.mark.parametrize("name", LAYERS)
def test_engines_round_alike(name: str) -> None:
    native, loss = trained(name, "mixed_bfloat16")
    reference, expected = trained(name, "mixed_bfloat16", "reference")
    assert loss == pytest.approx(expected, rel=1e-3)
    for key, array in reference.weights.items():
        np.testing.assert_allclose(native.weights[key], array, atol=2e-3 * max(1, np.abs(array).max()))


@pytest.mark.parametrize("name", LAYERS)
def test_losses_are_near_those_of_float32(name: str) -> None:
    program, loss = trained(name, "mixed_bfloat16")
    plain, expected = trained(name, "float32", "reference")
    assert any((program.weights[key] != array).any() for key, array in plain.weights.items())
    assert loss == pytest.approx(expected, rel=1e-2)
    assert {array.dtype for array in program.weights.values()} == {
        array.dtype for array in plain.weights.values()
    }


def tape(name: str, precision: str, *more: dict[str, Any]) -> int:
    """The bytes of what is kept for a batch of 64, with ``more`` layers in front."""
    made = spec(name, precision)
    made["layers"] = [{**layer, "name": f"m{number}"} for number, layer in enumerate(more)] + made["layers"]
    model = netwright.load(made)
    buffers = Resources(model.load, model.network, ["train_step"]).tape_buffers("train_step")
    return sum(evaluate(buffer.nbytes, {"N": 64}) for buffer in buffers)


def test_sequences_take_less_memory() -> None:
    assert tape("sequence", "mixed_bfloat16") < 0.65 * tape("sequence", "float32")


def test_what_readers_widen_is_not_stored_again() -> None:
    """Kernels compute x − mean of the 16 bits of x each time, as they do of 32."""
    more = LAYERS["image"][:3]
    assert tape("image", "mixed_bfloat16", *more) < 0.6 * tape("image", "float32", *more)


@pytest.mark.parametrize("name", LAYERS)
def test_threads_do_not_change_bits(name: str) -> None:
    single, several = trained(name, "mixed_bfloat16")[0], trained(name, "mixed_bfloat16", "native", 2)[0]
    for key, array in single.weights.items():
        np.testing.assert_array_equal(several.weights[key], array)


def narrowed(model: netwright.Model) -> list[tuple[str, int]]:
    """The layer and the number of axes of each value that is rounded, outside of loops."""
    graph = model.network.graphs["train_step"]
    nodes = [graph.producer(graph.operands(node)[0]) for node in graph if node.op == "narrow"]
    return [(node.op, node.types[0].rank) for node in nodes]


@pytest.mark.parametrize("name", LAYERS)
def test_a_fixed_batch_is_kept_in_16_bits_too(name: str) -> None:
    kept = narrowed(netwright.load(spec(name, "mixed_bfloat16")))
    assert kept
    assert narrowed(netwright.load(spec(name, "mixed_bfloat16"), dims={"N": 6})) == kept


def test_statistics_of_a_sample_stay_in_float32() -> None:
    made = spec("image", "mixed_bfloat16")
    made["layers"][1]["type"] = "layer_norm"
    kept = narrowed(netwright.load(made))
    assert ("add", 4) in kept
    assert not {op for op, _ in kept} & {"reduce", "rsqrt", "sqrt", "div"}


def test_float64_is_refused() -> None:
    model = netwright.load(spec("image", "mixed_bfloat16", "float64"))
    assert [item.code for item in model.diagnostics.items] == ["NW0212"]
    assert "this one computes in float64" in model.diagnostics.to_text()


def test_rounding_keeps_what_is_not_finite() -> None:
    bits = np.array([0x7F800001, 0xFFFFFFFF, 0x7F800000, 0x7F7FFFFF, 0x80000000], np.uint32)
    rounded = widened(halves(bits.view(np.float32), "bfloat16"))
    assert np.isnan(rounded[:2]).all()
    np.testing.assert_array_equal(rounded[2:], np.array([np.inf, np.inf, -0.0], np.float32))


@pytest.mark.torch
def test_rounding_is_that_of_pytorch() -> None:
    torch = pytest.importorskip("torch")
    numbers = np.random.default_rng(0).integers(0, 2**32, 4096, np.uint32).view(np.float32)
    numbers = numbers[~np.isnan(numbers)]
    expected = torch.from_numpy(numbers).to(torch.bfloat16).view(torch.int16).numpy().view(np.uint16)
    np.testing.assert_array_equal(halves(numbers, "bfloat16"), expected)
