"""Passes keep what a graph computes, and do what they are for."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from netwright.compiler.autodiff import gradients
from netwright.compiler.graph.graph import Graph
from netwright.compiler.graph.parse import parse_graph
from netwright.compiler.graph.types import TensorType
from netwright.compiler.interpreter import evaluate
from netwright.compiler.ops.base import NoAttributes
from netwright.compiler.ops.reduce import ReduceAttributes
from netwright.compiler.ops.scan import ScanAttributes
from netwright.compiler.passes.base import Budget, Pass, PassError, PassManager
from netwright.compiler.passes.common_subexpressions import MergeCommonSubexpressions
from netwright.compiler.passes.dead_code import RemoveDeadCode
from netwright.compiler.passes.fold_constants import FoldConstants
from netwright.compiler.passes.hoist_scan_inputs import HoistScanInputs
from netwright.compiler.passes.simplify import Simplify
from netwright.compiler.passes.slice_of_dot import SliceOfDot
from netwright.compiler.passes.unroll import UnrollError, UnrollScans
from netwright.compiler.pipeline import optimize, prepare
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
    fixed = build(cell)
    arrays = draw(fixed)
    expected = evaluate(trained(fixed), arrays)
    graph = build(cell, length=dim("T") if open_length else T, unroll=unroll)
    optimized = optimize(trained(prepare(graph)))
    same(expected, evaluate(optimized, arrays))
    if unroll == "full":
        assert not any(attrs.name for attrs in scans(optimized))


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
@pytest.mark.parametrize("unroll", [2, "full"])
def test_gradients_of_the_unrolled_graph_are_equal(cell: Cell, unroll: str | int):
    arrays = draw(build(cell))
    unrolled = UnrollScans().run(build(cell, unroll=unroll), Budget())
    assert not scans(unrolled) or unroll != "full" or cell.name == "nested"
    same(evaluate(trained(build(cell)), arrays), evaluate(trained(unrolled), arrays))


@pytest.mark.parametrize("unroll", ["none", 3])
def test_size_does_not_depend_on_the_length(unroll: int | str):
    def size(length: int) -> int:
        graph = optimize(trained(prepare(build(BY_NAME["lstm"], length=length, unroll=unroll))))
        return len(graph) + sum(len(attrs.body) for attrs in scans(graph))

    assert size(13) == size(10_000)


# -- one pass at a time ----------------------------------------------------------------------------


def test_input_halves_leave_the_loop():
    graph = prepare(build(BY_NAME["lstm"]))
    (attrs,) = scans(graph)
    assert count(attrs.body)["dot"] == 1
    assert attrs.body.type(attrs.body.inputs["hoisted0"]).shape == (2, 4 * H)
    assert "x" not in attrs.body.inputs
    assert "b" not in attrs.body.inputs


def test_a_scan_without_state_becomes_operations_on_sequences():
    graph = prepare(build(BY_NAME["no_state"]))
    assert not scans(graph)
    same(evaluate(build(BY_NAME["no_state"]), draw(graph)), evaluate(graph, draw(graph)))


def test_what_is_the_same_in_every_step_leaves_the_loop_once():
    graph = prepare(build(BY_NAME["nonlinear_const"]))
    (attrs,) = scans(graph)
    assert count(attrs.body)["sigmoid"] == 0
    assert count(graph)["sigmoid"] == 1


def test_gates_become_products_that_share_the_state():
    graph = optimize(build(BY_NAME["lstm"]))
    (attrs,) = scans(graph)
    body = attrs.body
    dots = [node for node in body if node.op == "dot"]
    assert [node.types[0].shape for node in dots] == [(2, H)] * 4
    assert len({body.operands(node)[0] for node in dots}) == 1


def test_gradients_of_gates_stay_one_product():
    """dh = dz @ Uᵀ and dU = hᵀ @ dz are one product each, over all four gates."""
    graph = optimize(trained(prepare(build(BY_NAME["lstm"]))))
    _, backward = scans(graph)
    assert count(backward.body)["dot"] == 1
    shapes = [node.types[0].shape for node in graph if node.op == "dot"]
    assert shapes.count((H, 4 * H)) == 1


def test_dead_code_in_a_scan_goes():
    graph = build(BY_NAME["lstm"])
    kept = Graph.copy(graph)
    kept.outputs.clear()
    kept.set_output("h", graph.outputs["out_h"])
    trimmed = RemoveDeadCode().run(kept, Budget())
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
    (attrs,) = scans(RemoveDeadCode().run(kept, Budget()))
    assert list(attrs.body.inputs) == ["p"]


SIMPLE = [
    (
        "x + 0",
        "%2 = constant() {dtype='float32', shape=(N, 4), value=0.0} : float32[N, 4]",
        "add(%0, %2)",
        "%0",
    ),
    (
        "1 * x",
        "%2 = constant() {dtype='float32', shape=(N, 4), value=1.0} : float32[N, 4]",
        "mul(%2, %0)",
        "%0",
    ),
    (
        "x / 1",
        "%2 = constant() {dtype='float32', shape=(N, 4), value=1.0} : float32[N, 4]",
        "div(%0, %2)",
        "%0",
    ),
    ("-(-x)", "%2 = neg(%0) : float32[N, 4]", "neg(%2)", "%0"),
    ("x + (-y)", "%2 = neg(%1) : float32[N, 4]", "add(%0, %2)", "sub"),
    (
        "x * -1",
        "%2 = constant() {dtype='float32', shape=(N, 4), value=-1.0} : float32[N, 4]",
        "mul(%0, %2)",
        "neg",
    ),
    (
        "x * 0",
        "%2 = constant() {dtype='float32', shape=(N, 4), value=0.0} : float32[N, 4]",
        "mul(%0, %2)",
        "mul",
    ),
    ("cast", "%2 = neg(%0) : float32[N, 4]", "cast(%2) {dtype='float32'}", "neg"),
    ("select", "%2 = eq(%0, %1) : bool[N, 4]", "select(%2, %0, %0)", "%0"),
    ("two reverses", "%2 = reverse(%0) {axes=(0, 1)} : float32[N, 4]", "reverse(%2) {axes=(0, 1)}", "%0"),
    ("reverse part", "%2 = reverse(%0) {axes=(0, 1)} : float32[N, 4]", "reverse(%2) {axes=(0,)}", "reverse"),
    ("stop", "%2 = neg(%0) : float32[N, 4]", "stop_gradient(%2)", "neg"),
    (
        "reshapes",
        "%2 = reshape(%0) {shape=(4*N,)} : float32[4*N]",
        "reshape(%2) {shape=(N, 4)}",
        "%0",
    ),
    (
        "transposes",
        "%2 = transpose(%0) {permutation=(1, 0)} : float32[4, N]",
        "transpose(%2) {permutation=(1, 0)}",
        "%0",
    ),
    (
        "slice of pad",
        "%2 = pad(%0) {low=(1, 0), high=(0, 2), interior=(0, 0), fill=0} : float32[N + 1, 6]",
        "slice(%2) {start=(1, 0), limit=(N + 1, 4), stride=(1, 1)}",
        "%0",
    ),
    (
        "slice of concat",
        "%2 = concat(%0, %1) {axis=1} : float32[N, 8]",
        "slice(%2) {start=(0, 4), limit=(N, 8), stride=(1, 1)}",
        "%1",
    ),
    (
        "slice across a concat",
        "%2 = concat(%0, %1) {axis=1} : float32[N, 8]",
        "slice(%2) {start=(0, 2), limit=(N, 6), stride=(1, 1)}",
        "slice",
    ),
]


@pytest.mark.parametrize(
    ("setup", "operation", "expected"), [s[1:] for s in SIMPLE], ids=[s[0] for s in SIMPLE]
)
def test_simplification(setup: str, operation: str, expected: str):
    text = f"""graph "g" {{
      %0 = input() {{name="x", role="input"}} : float32[N, 4]
      %1 = input() {{name="y", role="input"}} : float32[N, 4]
      {setup}
      %3 = {operation} : float32[N, 4]
      return "out"=%3
    }}""".replace("'", '"')
    graph = parse_graph(text)
    simplified = Simplify(differentiated=True).run(graph, Budget())
    result = simplified.outputs["out"]
    if expected.startswith("%"):
        assert result.node == int(expected[1:])
    else:
        assert simplified.producer(result).op == expected
    rng = np.random.default_rng(0)
    arrays = {name: rng.normal(size=(3, 4)).astype(np.float32) for name in ("x", "y")}
    np.testing.assert_array_equal(evaluate(simplified, arrays)["out"], evaluate(graph, arrays)["out"])


def test_gradients_of_slices_are_joined_again():
    text = """graph "g" {
      %0 = input() {name="x", role="input"} : float64[2, 3]
      %1 = pad(%0) {low=(0, 0), high=(0, 6), interior=(0, 0), fill=0} : float64[2, 9]
      %2 = pad(%0) {low=(0, 6), high=(0, 0), interior=(0, 0), fill=0} : float64[2, 9]
      %3 = neg(%0) : float64[2, 3]
      %4 = pad(%3) {low=(0, 3), high=(0, 3), interior=(0, 0), fill=0} : float64[2, 9]
      %5 = add(%1, %2) : float64[2, 9]
      %6 = add(%5, %4) : float64[2, 9]
      return "out"=%6
    }"""
    graph = parse_graph(text)
    found = RemoveDeadCode().run(Simplify().run(graph, Budget()), Budget())
    assert [node.op for node in found] == ["input", "neg", "concat"]
    x = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(evaluate(found, {"x": x})["out"], np.concatenate([x, -x, x], axis=1))


def test_constants_fold_but_not_what_grows():
    text = """graph "g" {
      %0 = constant() {dtype="float32", shape=(N, 300), value=2.0} : float32[N, 300]
      %1 = mul(%0, %0) : float32[N, 300]
      %2 = constant() {dtype="int32", shape=(2,), data=x"0100000002000000"} : int32[2]
      %3 = add(%2, %2) : int32[2]
      %4 = broadcast(%3) {shape=(50000, 2), axes=(1,)} : int32[50000, 2]
      return "a"=%1, "b"=%4
    }"""
    graph = RemoveDeadCode().run(FoldConstants().run(parse_graph(text), Budget()), Budget())
    assert [node.op for node in graph] == ["constant", "constant", "broadcast"]
    results = evaluate(graph, {}, {"N": 2})
    np.testing.assert_array_equal(results["a"], np.full((2, 300), 4, np.float32))
    np.testing.assert_array_equal(results["b"][-1], [2, 4])


def test_equal_operations_merge():
    graph = Graph()
    x = graph.input("x", TensorType("float32", (3,)))
    graph.set_output("y", graph.apply("add", graph.apply("exp", x), graph.apply("exp", x)))
    assert count(MergeCommonSubexpressions().run(graph, Budget()))["exp"] == 1


@pytest.mark.parametrize(
    "one",
    [
        RemoveDeadCode(),
        MergeCommonSubexpressions(),
        FoldConstants(),
        Simplify(),
        HoistScanInputs(),
        SliceOfDot(),
        UnrollScans(),
    ],
    ids=lambda one: one.name,
)
def test_unchanged_is_the_same_object(one: Pass):
    graph = prepare(build(BY_NAME["lstm"]))
    graph = graph if one.name == "hoist_scan_inputs" else optimize(graph)
    assert PassManager().run(graph, [one]) is graph


def test_full_needs_a_fixed_length_and_a_sane_one():
    with pytest.raises(
        UnrollError, match="lstm: unroll: full needs a fixed number of steps, but there are T"
    ):
        optimize(build(BY_NAME["lstm"], length=dim("T"), unroll="full"))
    with pytest.raises(UnrollError, match="of 5000 steps, more than 20000"):
        optimize(build(BY_NAME["lstm"], length=5000, unroll="full"))


# -- the manager -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Break(Pass):
    name: ClassVar[str] = "break"

    def run(self, graph: Graph, budget: Budget) -> Graph:
        broken = graph.copy()
        (x, *_) = broken.inputs.values()
        broken._insert("neg", [x], NoAttributes(), (TensorType("bool", (7,)),), "")
        return broken


def test_a_pass_that_breaks_the_graph_is_named():
    with pytest.raises(PassError, match=r"after the pass break: %\d+ = neg"):
        PassManager().run(build(BY_NAME["rnn"]), [Simplify(), Break()])


def test_dumps_are_numbered_and_parse_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NETWRIGHT_DUMP", str(tmp_path / "dump"))
    graph = prepare(build(BY_NAME["rnn"]))
    names = sorted(path.name for path in (tmp_path / "dump").glob("*_rnn_*.txt"))
    assert names[0].endswith("_rnn_input.txt")
    assert any(name.endswith("_rnn_hoist_scan_inputs.txt") for name in names)
    last = (tmp_path / "dump" / names[-1]).read_text()
    assert str(parse_graph(last)) == str(graph)
    assert "(unchanged)" in (tmp_path / "dump" / "times.txt").read_text()


def test_passes_stop_where_asked_and_rewrites_are_bounded():
    graph = build(BY_NAME["lstm"])
    manager = PassManager(stop_after="simplify")
    optimize(graph, manager)
    assert [name for name, _, _ in manager.times] == [
        "input",
        "remove_dead_code",
        "fold_constants",
        "simplify",
    ]
    assert manager.stopped
    arrays = draw(graph)
    for rewrites in range(5):
        bounded = optimize(graph, PassManager(max_rewrites=rewrites))
        same(evaluate(graph, arrays), evaluate(bounded, arrays))


def test_time_is_linear_in_the_size():
    """A chain of thousands of operations goes through everything; anything quadratic would take minutes."""
    graph = Graph()
    x = graph.input("x", TensorType("float64", (2,)))
    value = x
    for _ in range(1000):
        value = graph.apply("sin", graph.apply("add", value, x))
    graph.set_output("loss", graph.apply("reduce", value, attrs=ReduceAttributes("sum", (0,))))
    result = optimize(trained(prepare(graph)))
    assert len(result) > 2000
