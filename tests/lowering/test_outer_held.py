"""Gradients of weights whose updates are computed in the same kernel, from sums that are cut into blocks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from netwright.compiler.graph.graph import Graph
from netwright.compiler.graph.types import TensorType
from netwright.compiler.loop.interpreter.run import run_entry
from netwright.compiler.ops.products.dot import DotAttributes
from netwright.compiler.ops.values.constant import splat
from netwright.compiler.ops.views.panels import pack_rows
from netwright.specs.dims import dim

from ..machines import AVX512
from .engines import lowered, run_native

#: Blocks of a few terms, and sums of some rows at a time.
SMALL = replace(AVX512, l1_bytes=1 << 10, l2_bytes=1 << 14)


def update(
    rows: int,
    columns: int,
    order: Any,
    *,
    starts: bool = False,
    by_steps: bool = False,
    panels: int | None = None,
) -> Graph:
    """Weights less half of a sum over an open number of samples; ``by_steps``, over three steps of them. The data is
    read from ``panels`` of that width."""
    graph = Graph("update")
    lead = (3, dim("N")) if by_steps else (dim("N"),)
    axes = tuple(range(len(lead)))
    x = graph.input("x", TensorType("float32", (*lead, rows)), "input")
    if panels is not None:
        x = pack_rows(graph, x, panels)
    y = graph.input("y", TensorType("float32", (*lead, columns)), "input")
    w = graph.input("w", TensorType("float32", (rows, columns)), "parameter")
    start = [graph.input("start", TensorType("float32", (rows, columns)), "input")] if starts else []
    sums = graph.add("dot", [x, y, *start], DotAttributes(axes, axes, order=order)).values[0]
    half = graph.apply("mul", splat(graph, 0.5, graph.type(w)), sums)
    graph.set_output("w", graph.apply("sub", w, half))
    return graph


def arrays(graph: Graph, number: int) -> dict[str, np.ndarray]:
    """Whole numbers, whose sums are exact in any order."""
    random = np.random.default_rng(number)
    shapes = {name: graph.type(value).shape for name, value in graph.inputs.items()}
    sizes = {
        name: [size if isinstance(size, int) else number for size in shape] for name, shape in shapes.items()
    }
    return {name: random.integers(-4, 5, shape).astype(np.float32) for name, shape in sizes.items()}


def expected(data: dict[str, np.ndarray], columns: int) -> np.ndarray:
    x, y = data["x"].reshape(-1, data["w"].shape[0]), data["y"].reshape(-1, columns)
    return data["w"] - 0.5 * (data.get("start", 0) + x.T @ y)


@pytest.mark.alike(2)
@pytest.mark.parametrize(
    ("rows", "columns", "options"),
    [
        (32, 32, {"order": "any"}),
        (45, 40, {"order": "descending", "starts": True}),
        (47, 9, {"order": "ascending"}),
        (32, 64, {"order": "descending", "by_steps": True}),
        (24, 40, {"order": "descending", "panels": 8}),
        (24, 32, {"order": "any", "panels": 12}),
    ],
    ids=[
        "few sums",
        "many sums, with a rest and a start",
        "fewer columns than lanes",
        "many sums over two axes",
        "rows from panels as wide as a tile is high",
        "rows from other panels",
    ],
)
def test_weights_are_updated_once(rows: int, columns: int, options: dict[str, Any]) -> None:
    graph = update(rows, columns, **options)
    program, _ = lowered(graph, SMALL)
    assert len(program.entries["main"].arena) == 1 + ("panels" in options)  # the sums
    for number in (1, 13):
        data = arrays(graph, number)
        table = {name: array.copy() for name, array in data.items()}
        run_entry(program, "main", table, {"N": number}, nthreads=2)
        np.testing.assert_array_equal(table["w"], expected(data, columns))
        np.testing.assert_array_equal(
            run_native(graph, data, {"N": number}, threads=2)["w"], expected(data, columns)
        )


def test_terms_are_added_in_their_order() -> None:
    graph = update(16, 32, "descending", starts=True)
    random = np.random.default_rng(0)
    data = {
        name: random.standard_normal(array.shape).astype(np.float32)
        for name, array in arrays(graph, 9).items()
    }
    program, _ = lowered(graph, SMALL)
    whole = {name: array.copy() for name, array in data.items()}
    run_entry(program, "main", whole, {"N": 9}, nthreads=1)
    sums = data["start"]
    for x, y in zip(data["x"][::-1], data["y"][::-1], strict=True):  # fused multiply-adds round once
        sums = (np.multiply.outer(x.astype(np.float64), y) + sums).astype(np.float32)
    np.testing.assert_array_equal(whole["w"], data["w"] - np.float32(0.5) * sums)
