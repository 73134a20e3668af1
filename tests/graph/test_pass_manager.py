"""How passes run: verification, dumps, stopping, bisecting."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from netwright.compiler.graph.graph import Graph
from netwright.compiler.graph.node import NoAttributes
from netwright.compiler.graph.parse import parse_graph
from netwright.compiler.graph.types import TensorType
from netwright.compiler.interpreter import evaluate
from netwright.compiler.observers import Timings
from netwright.compiler.ops.scans.scan_attributes import ScanAttributes
from netwright.compiler.ops.values.constant import zeros_like
from netwright.compiler.passes.base import Budget, Pass, PassContext, PassError, Phase
from netwright.compiler.passes.simplify import Simplify
from netwright.compiler.pipeline import GRAPH, before_gradients, run, steps

from ..machines import AVX512
from .scans import CELLS, build, draw

BY_NAME = {cell.name: cell for cell in CELLS}


@dataclass(frozen=True)
class Break(Pass):
    name: ClassVar[str] = "break"

    def run(self, graph: Graph, context: PassContext) -> Graph:
        broken = graph.copy()
        (x, *_) = broken.inputs.values()
        broken._insert("neg", [x], NoAttributes(), (TensorType("bool", (7,)),), "")
        return broken


def test_a_pass_that_breaks_the_graph_is_named():
    with pytest.raises(PassError, match=r"after the pass break: %\d+ = neg"):
        Phase("broken", (Simplify(), Break())).run(build(BY_NAME["rnn"]))


def test_dumps_are_numbered_and_parse_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NETWRIGHT_DUMP", str(tmp_path / "dump"))
    graph = before_gradients(build(BY_NAME["rnn"]))
    names = sorted(path.name for path in (tmp_path / "dump").glob("*_forward_*.txt"))
    assert names[0].endswith("_forward_input.txt")
    assert any(name.endswith("_forward_regroup_sums.txt") for name in names)
    last = (tmp_path / "dump" / names[-1]).read_text()
    assert str(parse_graph(last)) == str(graph)
    assert "(unchanged)" in (tmp_path / "dump" / "times.txt").read_text()


def test_passes_stop_where_asked_and_rewrites_are_bounded():
    graph = build(BY_NAME["lstm"])
    timings = Timings()
    context = PassContext(observer=timings, stop_after="simplify")
    GRAPH.run(graph, context)
    assert [name for name, _, _ in timings.steps] == [
        "remove_dead_code",
        "fold_constants",
        "share_windows",
        "simplify",
    ]
    assert context.stopped
    arrays = draw(graph)
    for rewrites in range(5):
        bounded = GRAPH.run(graph, PassContext(budget=Budget(rewrites)))
        expected = evaluate(graph, arrays)
        for name, value in evaluate(bounded, arrays).items():
            np.testing.assert_allclose(value, expected[name], rtol=1e-9, err_msg=name)


@dataclass(frozen=True)
class Look(Pass):
    """Changes nothing, and keeps every graph that it is given."""

    name: ClassVar[str] = "look"

    seen: list[Graph] = field(default_factory=list)

    def run(self, graph: Graph, context: PassContext) -> Graph:
        self.seen.append(graph)
        return graph


@dataclass(frozen=True)
class LookAgain(Look):
    name: ClassVar[str] = "look_again"


@dataclass(frozen=True)
class LookOutside(Look):
    bodies: ClassVar[bool] = False


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        ("look", ["look"]),
        ("look_again", ["look", "look_again"]),
        ("first", ["look", "look_again"]),
        (None, ["look", "look_again", "look"]),
    ],
)
def test_no_pass_runs_after_the_one_or_the_phase_that_is_named(last: str | None, expected: list[str]):
    timings = Timings()
    context = PassContext(observer=timings, stop_after=last)
    graph, looks = Graph(), [Look(), LookAgain(), Look()]
    for phase in (Phase("first", tuple(looks[:2])), Phase("second", tuple(looks[2:]))):
        assert phase.run(graph, context) is graph
    assert [name for name, _, _ in timings.steps] == expected
    assert [look.name for look in looks if look.seen] == expected


@pytest.mark.parametrize(("allowed", "sums", "left"), [(0, 3, 0), (2, 1, 0), (5, 0, 2), (None, 0, None)])
def test_a_budget_counts_what_is_rewritten(allowed: int | None, sums: int, left: int | None):
    graph = Graph()
    for name in "abc":
        x = graph.apply("exp", graph.input(name, TensorType("float64", (2,))))
        graph.set_output(name, graph.apply("add", x, zeros_like(graph, x)))
    context = PassContext(budget=Budget(allowed))
    found = Phase("one", (Simplify(),)).run(graph, context)
    assert sum(node.op == "add" for node in found) == sums
    assert context.budget.left == left


def test_a_pass_is_run_on_every_body_once_and_then_on_the_graph():
    graph = build(BY_NAME["rnn"])
    (scan,) = [node for node in graph if isinstance(node.attrs, ScanAttributes)]
    graph.add("scan", graph.operands(scan), scan.attrs)
    look, outside = Look(), LookOutside()
    Phase("one", (look, outside)).run(graph)
    assert isinstance(scan.attrs, ScanAttributes)
    assert [id(seen) for seen in look.seen] == [id(scan.attrs.body), id(graph)]
    assert [id(seen) for seen in outside.seen] == [id(graph)]


def test_a_scan_gets_the_new_body():
    body, graph = Graph("cell"), Graph()
    x = body.input("x", TensorType("float64", (2,)), "body")
    body.set_output("y", body.apply("add", x, zeros_like(body, x)))
    xs = graph.input("x", TensorType("float64", (3, 2)))
    graph.set_output("y", graph.apply("scan", xs, attrs=ScanAttributes(body, 3, 0, 0)))
    found = Phase("one", (Simplify(),)).run(graph)
    (scan,) = [node.attrs for node in found if isinstance(node.attrs, ScanAttributes)]
    assert scan.body.outputs["y"] == scan.body.inputs["x"]


@pytest.mark.parametrize("name", steps())
def test_the_pipeline_stops_after_every_pass_and_phase(name: str):
    """What it has made by then computes the same."""
    graph = build(BY_NAME["lstm"])
    arrays = draw(graph)
    expected = evaluate(graph, arrays)
    found = run({"predict": graph}, AVX512, stop_after=name)
    for part in found.values():
        arrays = {**arrays, **evaluate(part, {name: arrays[name] for name in part.inputs})}
    for output, value in expected.items():
        np.testing.assert_allclose(arrays[output], value, rtol=1e-9, err_msg=output)
