"""Weights that arrive at run time: computed by other nodes, or inputs of the model."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed (extra: onnx)")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (pip install onnxruntime)")

from numpy.typing import NDArray
from onnx.helper import make_node

import netwright
from netwright.compiler.frontend.network import initial_values
from netwright.onnx import export_model
from netwright.specs.load import load_spec_text

from .compared import built, compare

RNG = np.random.default_rng(9)
F = np.float32


def draw(*shape: int) -> NDArray:
    return RNG.normal(size=shape).astype(F)


@pytest.mark.parametrize("bias", [True, False])
def test_a_convolution_whose_kernel_is_an_input(bias: bool) -> None:
    node = make_node("Conv", ["x", "w", *(["b"] if bias else [])], ["y"], pads=[1, 1, 1, 1], group=2)
    ports = {"x": (F, ["N", 4, 6, 6]), "w": (F, [6, 2, 3, 3])} | ({"b": (F, [6])} if bias else {})
    given = {"x": draw(2, 4, 6, 6), "w": draw(6, 2, 3, 3)} | ({"b": draw(6)} if bias else {})
    imported = compare(built([node], ports, ["y"]), given, {**given, "x": draw(1, 4, 6, 6)}, tolerance=1e-4)
    assert "weights: {kernel: " in imported.spec


def test_kernels_mixed_by_attention() -> None:
    """CondConv for a batch of one: a kernel that is the weighted sum of several."""
    nodes = [
        make_node("GlobalAveragePool", ["x"], ["p"]),
        make_node("Flatten", ["p"], ["f"]),
        make_node("MatMul", ["f", "m"], ["a"]),
        make_node("MatMul", ["a", "k"], ["w2"]),
        make_node("Reshape", ["w2", "shape"], ["w"]),
        make_node("Conv", ["x", "w"], ["y"]),
    ]
    constants = {"m": draw(3, 2), "k": draw(2, 4 * 3 * 9), "shape": np.array([4, 3, 3, 3])}
    found = built(nodes, {"x": (F, [1, 3, 6, 6])}, ["y"], constants)
    compare(found, {"x": draw(1, 3, 6, 6)}, {"x": draw(1, 3, 6, 6)}, tolerance=1e-4)


def test_a_batch_normalization_whose_statistics_are_inputs() -> None:
    node = make_node("BatchNormalization", ["x", "s", "b", "m", "v"], ["y"], epsilon=0.01)
    ports = {"x": (F, ["N", 3, 4, 4]), "s": (F, [3]), "m": (F, [3]), "v": (F, [3])}
    given = {"x": draw(2, 3, 4, 4), "s": draw(3), "m": draw(3), "v": np.abs(draw(3)) + F(0.5)}
    compare(built([node], ports, ["y"], {"b": draw(3)}), given, tolerance=1e-4)


def test_a_product_whose_second_factor_is_an_input() -> None:
    node = make_node("Gemm", ["x", "w", "b"], ["y"], transB=1, alpha=0.5)
    ports = {"x": (F, ["N", 3]), "w": (F, [4, 3])}
    compare(built([node], ports, ["y"], {"b": draw(4)}), {"x": draw(2, 3), "w": draw(4, 3)})


@pytest.mark.alike(2)
@pytest.mark.parametrize("op", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
def test_recurrences_whose_weights_are_inputs(op: str, direction: str) -> None:
    gates, count = {"LSTM": 4, "GRU": 3, "RNN": 1}[op], 2 if direction == "bidirectional" else 1
    node = make_node(op, ["x", "w", "r", "b"], ["y", "h"], hidden_size=4, direction=direction)
    shapes = {"w": (count, gates * 4, 3), "r": (count, gates * 4, 4), "b": (count, 2 * gates * 4)}
    ports = {"x": (F, ["T", "N", 3]), **{name: (F, list(shape)) for name, shape in shapes.items()}}
    given = {"x": draw(5, 2, 3), **{name: draw(*shape) for name, shape in shapes.items()}}
    compare(built([node], ports, ["y", "h"]), given, {**given, "x": draw(3, 1, 3)}, tolerance=1e-4)


LOOPS = {
    "noise on the states of an lstm": (
        "{name: r, type: lstm, inputs: [x], units: 3, zoneout: {h: 0.1, c: 0.3}, weights: {kernel: w}}",
        (4, 12),
    ),
    "a factor and a term of a cell": (
        "{name: r, type: recurrent, cell: c, inputs: [x], weights: {A: w, b: half.1}}",
        (4, 4),
    ),
}
WHOLE = """netwright: 1
model: m
dims: {N: batch, T: time}
inputs:
  x: {shape: [N, T, 4]}
  w: {shape: [4, %d]}
cells:
  c:
    input: {x: [4]}
    states: {h: {shape: [4]}}
    params: {A: {shape: [4, 4]}, b: {shape: [2]}}
    update: {h: "tanh(prev(h) @ A + x * sum(b))"}
    output: h * h
layers:
  - {name: flat, type: reduce, op: mean, axes: [1], inputs: [w]}
  - {name: half, type: split, axis: 0, parts: 2, inputs: [flat]}
  - %s
outputs: {y: r}
"""


@pytest.mark.parametrize(("layer", "shape"), LOOPS.values(), ids=LOOPS)
def test_a_loop_reads_what_was_computed_before_it(layer: str, shape: tuple[int, int]) -> None:
    """The factor is a parameter of the cell that another layer gives."""
    model = netwright.Model(load_spec_text(WHOLE % (shape[1], layer), "m.yaml"))
    assert model.is_valid, model.diagnostics.to_text()
    weights = initial_values(model.network)
    proto = export_model(model, weights).proto
    given = {"x": draw(2, 5, 4), "w": draw(*shape)}
    imported = compare(proto, given, {**given, "x": draw(1, 3, 4)}, tolerance=1e-4)
    assert "type: recurrent" in imported.spec
    assert "weights: {" in imported.spec
