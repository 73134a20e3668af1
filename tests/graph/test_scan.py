"""Scan: evaluation against a Python loop, gradients against central differences, what the tape holds."""

from __future__ import annotations

import numpy as np
import pytest

from netwright.compiler.autodiff import gradients
from netwright.compiler.graph.graph import Graph
from netwright.compiler.graph.rules import ShapeError
from netwright.compiler.interpreter import evaluate
from netwright.compiler.ops.scans.scan_attributes import ScanAttributes
from netwright.specs.dims import dim

from .scans import CELLS, Cell, H, N, T, build, draw, f64


def differentiated(graph: Graph) -> Graph:
    floats = [name for name, value in graph.inputs.items() if graph.type(value).dtype == "float64"]
    found, values = gradients(graph, "loss", floats)
    for name, value in values.items():
        found.set_output(f"d_{name}", value)
    return found


def numeric_gradient(graph: Graph, arrays: dict[str, np.ndarray], name: str, **dims: int) -> np.ndarray:
    x, step = arrays[name], 1e-5
    found = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        sides = []
        for sign in (1, -1):
            moved = x.copy()
            moved[index] += sign * step
            sides.append(evaluate(graph, {**arrays, name: moved}, dims)["loss"])
        found[index] = (sides[0] - sides[1]) / (2 * step)
    return found


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
def test_gradient_is_that_of_central_differences(cell: Cell):
    graph = build(cell)
    arrays = draw(graph)
    results = evaluate(differentiated(graph), arrays)
    for name in results:
        if name.startswith("d_"):
            expected = numeric_gradient(graph, arrays, name[2:])
            np.testing.assert_allclose(results[name], expected, rtol=1e-6, atol=1e-7, err_msg=name)


@pytest.mark.parametrize("cell", CELLS[:5], ids=lambda cell: cell.name)
def test_open_length(cell: Cell):
    graph = build(cell, length=dim("T"))
    fixed = build(cell, length=T)
    arrays = draw(fixed)
    expected = evaluate(differentiated(fixed), arrays)
    results = evaluate(differentiated(graph), arrays)
    for name, value in expected.items():
        np.testing.assert_allclose(results[name], value, rtol=1e-12, err_msg=name)


def test_rnn_is_the_loop_it_stands_for():
    cell = CELLS[0]
    graph = build(cell)
    a = draw(graph)
    results = evaluate(graph, a)
    h, ys = a["h"], []
    for t in range(T):
        h = np.tanh(a["x"][t] @ a["W"] + h @ a["U"] + a["b"])
        ys.append(h)
    np.testing.assert_allclose(results["out_h"], h)
    np.testing.assert_allclose(results["out_y"], np.stack(ys))


def scans(graph: Graph) -> list[ScanAttributes]:
    return [node.attrs for node in graph if isinstance(node.attrs, ScanAttributes)]


def test_lstm_tape_holds_gates_and_states_only():
    """Four gates, tanh(c) and c: the hidden state is on the output already, and x is not copied."""
    forward, _ = scans(differentiated(build(next(c for c in CELLS if c.name == "lstm"))))
    tape = [value for name, value in forward.body.outputs.items() if name.startswith("tape")]
    assert [forward.body.type(value).shape for value in tape] == [(N, H)] * 6


def test_relu_tape_is_a_mask():
    forward, _ = scans(differentiated(build(next(c for c in CELLS if c.name == "relu"))))
    tape = [value for name, value in forward.body.outputs.items() if name.startswith("tape")]
    assert [forward.body.type(value).dtype for value in tape] == ["bool"]


@pytest.mark.parametrize("name", ["rnn", "state_space", "lstm", "gru", "embedding", "conv_state"])
def test_weight_gradients_leave_the_loop(name: str):
    """The backward body multiplies by weights; it neither carries nor computes their gradients."""
    cell = next(c for c in CELLS if c.name == name)
    _, backward = scans(differentiated(build(cell)))
    assert backward.n_carries == len(cell.carries)
    weights = {type.shape for type in cell.consts.values() if type.rank > 1}
    for node in backward.body:
        assert node.op not in ("conv_kernel_gradient", "scatter_add")
        assert node.op != "dot" or node.types[0].shape not in weights


def test_scan_refuses_a_body_that_changes_its_state():
    cell = Cell("bad", {}, {"h": f64(2)}, {"x": f64(3)}, lambda g, v: {"h": v["x"]})
    with pytest.raises(ShapeError, match=r"carries float64\[2\], but its body gives float64\[3\]"):
        build(cell)
