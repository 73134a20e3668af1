"""How passes run: verification, dumps, stopping, bisecting."""

from __future__ import annotations

from dataclasses import dataclass
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
    assert any(name.endswith("_forward_hoist_scan_inputs.txt") for name in names)
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
