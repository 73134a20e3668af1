"""The ranges of inputs that index a table: each primitive says whether it passes elements on unchanged."""

from __future__ import annotations

import pytest

from netwright.compiler.graph.parse import parse_graph
from netwright.compiler.ranges import input_ranges


@pytest.mark.parametrize(
    ("moved", "partial"),
    [
        ("reverse(%1) {axes=(0,)} : int64[4]", False),
        ("stop_gradient(%1) : int64[4]", False),
        ("slice(%1) {start=(1,), limit=(3,), stride=(1,)} : int64[2]", True),
        ("windows(%1) {window=(2,), stride=(2,), first=0} : int64[2, 2]", True),
    ],
)
def test_indices_that_are_moved(moved: str, partial: bool) -> None:
    type = moved.rpartition("int64")[2].rstrip("]").lstrip("[")
    graph = parse_graph(
        f"""graph "g" {{
  %0 = input() {{name="table", role="parameter"}} : float32[7, 3]
  %1 = input() {{name="ids", role="input"}} : int64[4]
  %2 = {moved}
  %3 = gather(%0, %2) : float32[{type}, 3]
  return "y"=%3
}}"""
    )
    (found,) = input_ranges(graph)["ids"]
    assert (found.what, found.low, found.high, found.partial) == ("index", 0, "6", partial)


@pytest.mark.parametrize("computed", ["neg(%1)", "pad(%1) {low=(0,), high=(0,), interior=(0,), fill=0}"])
def test_indices_that_are_computed(computed: str) -> None:
    graph = parse_graph(
        f"""graph "g" {{
  %0 = input() {{name="table", role="parameter"}} : float32[7, 3]
  %1 = input() {{name="ids", role="input"}} : int64[4]
  %2 = {computed} : int64[4]
  %3 = gather(%0, %2) : float32[4, 3]
  return "y"=%3
}}"""
    )
    assert input_ranges(graph) == {}
