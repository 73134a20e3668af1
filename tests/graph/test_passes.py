"""Passes keep what a graph computes, and do what they are for."""

from __future__ import annotations

from collections import Counter
from functools import cache

import numpy as np
import pytest

from netwright.compiler.autodiff import gradients
from netwright.compiler.graph.graph import Graph
from netwright.compiler.graph.parse import parse_graph
from netwright.compiler.graph.types import TensorType
from netwright.compiler.interpreter import evaluate
from netwright.compiler.ops.scans.scan_attributes import ScanAttributes
from netwright.compiler.ops.values.reduce import ReduceAttributes
from netwright.compiler.passes.base import Pass, PassContext, Phase
from netwright.compiler.passes.common_subexpressions import MergeCommonSubexpressions
from netwright.compiler.passes.dead_code import RemoveDeadCode
from netwright.compiler.passes.fold_constants import FoldConstants
from netwright.compiler.passes.products.slice_of_dot import SliceOfDot
from netwright.compiler.passes.scans.hoist_scan_inputs import HoistScanInputs
from netwright.compiler.passes.scans.sink_scan_outputs import SinkScanOutputs
from netwright.compiler.passes.scans.unroll import UnrollError, UnrollScans
from netwright.compiler.passes.simplify import Simplify
from netwright.compiler.pipeline import BEFORE_GRADIENTS, GRAPH
from netwright.specs.dims import dim

from .scans import CELLS, Cell, H, T, build, draw

BY_NAME = {cell.name: cell for cell in CELLS}


def trained(graph: Graph) -> Graph:
    floats = [name for name, value in graph.inputs.items() if graph.type(value).dtype == "float64"]
    found, values = gradients(graph, "loss", floats)
    for name, value in values.items():
        found.set_output(f"d_{name}", value)
    return found


def same(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> None:
    assert a.keys() == b.keys()
    for name, value in a.items():
        np.testing.assert_allclose(b[name], value, rtol=1e-9, atol=1e-11, err_msg=name)


def scans(graph: Graph) -> list[ScanAttributes]:
    return [node.attrs for node in graph if isinstance(node.attrs, ScanAttributes)]


def count(graph: Graph) -> Counter[str]:
    return Counter(node.op for node in graph)


# -- the whole pipeline, on everything recurrent ---------------------------------------------------


@cache
def plain(name: str) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Inputs of a cell, and the gradients of the graph as it is written."""
    graph = build(BY_NAME[name])
    arrays = draw(graph)
    return arrays, evaluate(trained(graph), arrays)


@pytest.mark.alike(2)
@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
@pytest.mark.parametrize(
    ("unroll", "open_length"),
    [
        ("none", False),
        (2, False),
        (5, False),
        ("full", False),
        ("auto", False),
        ("none", True),
        (2, True),
        (5, True),
    ],
)
def test_gradients_are_equal_however_it_is_unrolled(cell: Cell, unroll: str | int, open_length: bool):
    arrays, expected = plain(cell.name)
    graph = build(cell, length=dim("T") if open_length else T, unroll=unroll)
    optimized = GRAPH.run(trained(BEFORE_GRADIENTS.run(graph)))
    same(expected, evaluate(optimized, arrays))
    if unroll == "full":
        assert not any(attrs.name for attrs in scans(optimized))


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
@pytest.mark.parametrize("unroll", [2, "full"])
def test_gradients_of_the_unrolled_graph_are_equal(cell: Cell, unroll: str | int):
    arrays = draw(build(cell))
    unrolled = UnrollScans().run(build(cell, unroll=unroll), PassContext())
    assert not scans(unrolled) or unroll != "full" or cell.name == "nested"
    same(evaluate(trained(build(cell)), arrays), evaluate(trained(unrolled), arrays))


@pytest.mark.parametrize("unroll", ["none", 3])
def test_size_does_not_depend_on_the_length(unroll: int | str):
    def size(length: int) -> int:
        graph = GRAPH.run(trained(BEFORE_GRADIENTS.run(build(BY_NAME["lstm"], length=length, unroll=unroll))))
        return len(graph) + sum(len(attrs.body) for attrs in scans(graph))

    assert size(13) == size(10_000)


# -- one pass at a time ----------------------------------------------------------------------------


def hoisted(name: str) -> Graph:
    """A network whose input halves have left its loops."""
    return Phase("one", (HoistScanInputs(), RemoveDeadCode())).run(BEFORE_GRADIENTS.run(build(BY_NAME[name])))


def test_input_halves_leave_the_loop():
    graph = hoisted("lstm")
    (attrs,) = scans(graph)
    assert count(attrs.body)["dot"] == 1
    assert attrs.body.type(attrs.body.inputs["hoisted0"]).shape == (2, 4 * H)
    assert "x" not in attrs.body.inputs
    assert "b" not in attrs.body.inputs


def test_products_of_the_output_leave_the_loop():
    graph = build(BY_NAME["state_space"])
    sunk = SinkScanOutputs().run(graph, PassContext())
    (attrs,) = scans(sunk)
    assert count(attrs.body)["dot"] == 2
    assert count(sunk)["dot"] == 1
    same(evaluate(graph, draw(graph)), evaluate(sunk, draw(graph)))


def test_cotangents_of_the_inputs_leave_the_loop():
    backward = scans(GRAPH.run(trained(BEFORE_GRADIENTS.run(build(BY_NAME["rnn"])))))[-1]
    assert count(backward.body)["dot"] == 1


def test_products_with_many_rows_in_a_step_stay():
    """Nothing is gained outside, where the result for all steps would go through memory."""
    graph = build(BY_NAME["rnn"])
    (attrs,) = scans(HoistScanInputs(max_rows=1).run(graph, PassContext()))
    assert count(attrs.body)["dot"] == 2
    (attrs,) = scans(HoistScanInputs(max_rows=2).run(graph, PassContext()))
    assert count(attrs.body)["dot"] == 1


def test_many_rows_keep_one_product_for_all_gates():
    graph = hoisted("lstm")
    (attrs,) = scans(graph)
    assert SliceOfDot(max_rows=1).run(attrs.body, PassContext()) is attrs.body
    assert count(SliceOfDot(max_rows=2).run(attrs.body, PassContext()))["dot"] == 5


def test_products_over_sequences_have_one_row_axis():
    """Also with the bias and the activation that follow, and the product that is dW."""
    text = """graph "g" {
      %0 = input() {name="x", role="input"} : float64[N, T, 3]
      %1 = input() {name="w", role="parameter"} : float64[3, 4]
      %2 = input() {name="b", role="parameter"} : float64[4]
      %3 = dot(%0, %1) {lhs_contract=(2,), rhs_contract=(0,), batch=0} : float64[N, T, 4]
      %4 = broadcast(%2) {shape=(N, T, 4), axes=(2,)} : float64[N, T, 4]
      %5 = add(%3, %4) : float64[N, T, 4]
      %6 = tanh(%5) : float64[N, T, 4]
      %7 = dot(%0, %6) {lhs_contract=(0, 1), rhs_contract=(0, 1), batch=0} : float64[3, 4]
      return "y"=%6, "p"=%7
    }"""
    graph = parse_graph(text)
    flat = GRAPH.run(graph)
    for node in flat:
        if node.op in ("dot", "add", "tanh", "broadcast"):
            assert node.types[0].rank == 2
    rng = np.random.default_rng(0)
    arrays = {"x": rng.normal(size=(2, 5, 3)), "w": rng.normal(size=(3, 4)), "b": rng.normal(size=4)}
    same(evaluate(graph, arrays), evaluate(flat, arrays))


def test_a_scan_without_state_becomes_operations_on_sequences():
    graph = hoisted("no_state")
    assert not scans(graph)
    same(evaluate(build(BY_NAME["no_state"]), draw(graph)), evaluate(graph, draw(graph)))


def test_what_is_the_same_in_every_step_leaves_the_loop_once():
    graph = BEFORE_GRADIENTS.run(build(BY_NAME["nonlinear_const"]))
    (attrs,) = scans(graph)
    assert count(attrs.body)["sigmoid"] == 0
    assert count(graph)["sigmoid"] == 1


def test_gates_become_products_that_share_the_state():
    graph = GRAPH.run(build(BY_NAME["lstm"]))
    (attrs,) = scans(graph)
    body = attrs.body
    dots = [node for node in body if node.op == "dot"]
    assert [node.types[0].shape for node in dots] == [(2, H)] * 4
    assert len({body.operands(node)[0] for node in dots}) == 1


def test_gradients_of_gates_stay_one_product():
    """dh = dz @ Uᵀ and dU = hᵀ @ dz are one product each, over all four gates."""
    graph = GRAPH.run(trained(BEFORE_GRADIENTS.run(build(BY_NAME["lstm"]))))
    _, backward = scans(graph)
    assert count(backward.body)["dot"] == 1
    shapes = [node.types[0].shape for node in graph if node.op == "dot"]
    assert shapes.count((H, 4 * H)) == 1


def test_dead_code_in_a_scan_goes():
    graph = build(BY_NAME["lstm"])
    kept = Graph.copy(graph)
    kept.outputs.clear()
    kept.set_output("h", graph.outputs["out_h"])
    trimmed = RemoveDeadCode().run(kept, PassContext())
    (attrs,) = scans(trimmed)
    assert list(attrs.body.outputs) == ["h", "c"]
    assert [node.op for node in trimmed if node.op != "input"] == ["scan"]
    arrays = draw(graph)
    np.testing.assert_array_equal(evaluate(trimmed, arrays)["h"], evaluate(graph, arrays)["out_h"])


def test_dead_states_go():
    graph = build(BY_NAME["conv_state"])
    kept = graph.copy()
    kept.outputs.clear()
    kept.set_output("p", graph.outputs["out_p"])
    (attrs,) = scans(RemoveDeadCode().run(kept, PassContext()))
    assert list(attrs.body.inputs) == ["p"]


def test_constants_fold_but_not_what_grows():
    text = """graph "g" {
      %0 = constant() {dtype="float32", shape=(N, 300), value=2.0} : float32[N, 300]
      %1 = mul(%0, %0) : float32[N, 300]
      %2 = constant() {dtype="int32", shape=(2,), data=x"0100000002000000"} : int32[2]
      %3 = add(%2, %2) : int32[2]
      %4 = broadcast(%3) {shape=(50000, 2), axes=(1,)} : int32[50000, 2]
      return "a"=%1, "b"=%4
    }"""
    graph = RemoveDeadCode().run(FoldConstants().run(parse_graph(text), PassContext()), PassContext())
    assert [node.op for node in graph] == ["constant", "constant", "broadcast"]
    results = evaluate(graph, {}, {"N": 2})
    np.testing.assert_array_equal(results["a"], np.full((2, 300), 4, np.float32))
    np.testing.assert_array_equal(results["b"][-1], [2, 4])


def test_equal_operations_merge():
    graph = Graph()
    x = graph.input("x", TensorType("float32", (3,)))
    graph.set_output("y", graph.apply("add", graph.apply("exp", x), graph.apply("exp", x)))
    assert count(MergeCommonSubexpressions().run(graph, PassContext()))["exp"] == 1


@pytest.mark.parametrize(
    "one",
    [
        RemoveDeadCode(),
        MergeCommonSubexpressions(),
        FoldConstants(),
        Simplify(),
        HoistScanInputs(),
        SinkScanOutputs(),
        SliceOfDot(),
        UnrollScans(),
    ],
    ids=lambda one: one.name,
)
def test_unchanged_is_the_same_object(one: Pass):
    graph = hoisted("lstm")
    graph = graph if one.name == "hoist_scan_inputs" else GRAPH.run(graph)
    assert Phase("one", (one,)).run(graph) is graph


def test_full_needs_a_fixed_length_and_a_sane_one():
    with pytest.raises(
        UnrollError, match="lstm: unroll: full needs a fixed number of steps, but there are T"
    ):
        GRAPH.run(build(BY_NAME["lstm"], length=dim("T"), unroll="full"))
    with pytest.raises(UnrollError, match="of 5000 steps, more than 20000"):
        GRAPH.run(build(BY_NAME["lstm"], length=5000, unroll="full"))


@pytest.mark.parametrize(("name", "shown"), [("", "cell"), ("memory", "memory")])
def test_what_cannot_be_unrolled_has_its_name_or_that_of_its_body(name: str, shown: str):
    body, graph = Graph("cell"), Graph()
    body.set_output("h", body.apply("exp", body.input("h", TensorType("float64", (2,)), "body")))
    h = graph.input("h", TensorType("float64", (2,)))
    graph.apply("scan", h, attrs=ScanAttributes(body, dim("T"), 0, 1, unroll="full", name=name))
    with pytest.raises(UnrollError, match=f"^{shown}: unroll: full needs a fixed number of steps"):
        Phase("one", (UnrollScans(),)).run(graph)


def test_time_is_linear_in_the_size():
    """A chain of thousands of operations goes through everything; anything quadratic would take minutes."""
    graph = Graph()
    x = graph.input("x", TensorType("float64", (2,)))
    value = x
    for _ in range(1000):
        value = graph.apply("sin", graph.apply("add", value, x))
    graph.set_output("loss", graph.apply("reduce", value, attrs=ReduceAttributes("sum", (0,))))
    result = GRAPH.run(trained(BEFORE_GRADIENTS.run(graph)))
    assert len(result) > 2000
