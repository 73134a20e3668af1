"""In a loop over steps, a sample has the same bits however many of them are computed with it, but for one alone: so
threads may get any number of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from netwright.compiler.graph.graph import Graph
from netwright.compiler.graph.types import TensorType
from netwright.compiler.lowering.grouping.roles import ContractionPart, Roles
from netwright.compiler.lowering.tiles.rows_in_loops import in_loops
from netwright.compiler.lowering.tiles.tiling import Tiling
from netwright.compiler.machine import Machine
from netwright.compiler.ops.products.dot import DotAttributes
from netwright.compiler.ops.protocols import Order
from netwright.compiler.plans.cuts import Left
from netwright.specs.dims import DimLike, dim

from ..ir.cases import read_case
from ..ir.plans import MARK
from ..machines import AVX2, AVX512, CORTEX, NEON
from .engines import run_loops, run_native

#: h = h·w + x in each step, with weights in panels of eight columns.
CASE = read_case(
    Path(__file__).parent.parent / "ir" / "plans" / "kernels" / "columns_in_turns.txt", "plan", MARK
)
SAMPLES, STEPS = 13, 2


def data() -> dict[str, np.ndarray]:
    random = np.random.default_rng(5)
    shapes = {"x": (STEPS, SAMPLES, 48), "h": (SAMPLES, 48), "w": (6, 48, 8)}
    return {name: random.normal(0, 0.2, shape).astype(np.float32) for name, shape in shapes.items()}


@pytest.mark.parametrize(
    ("machine", "parts"),
    [(CASE.machine, True), (AVX2, True), (AVX512, False), (NEON, True)],
    ids=["case", "avx2", "avx512", "neon"],
)
def test_samples_do_not_depend_on_their_number(machine: Machine, parts: bool, deep: bool) -> None:
    """``parts``: whether the sums of one sample alone are added up in parts."""
    given = data()
    whole = run_loops(CASE.before, given, {"N": SAMPLES, "T": STEPS}, machine, nthreads=3)["h"]
    pieces = [(0, 2), (3, 9), (4, 5), (2, 5), (1, 13)]
    for begin, end in pieces if deep or machine == CASE.machine else pieces[:3]:
        part = {"x": given["x"][:, begin:end], "h": given["h"][begin:end], "w": given["w"]}
        dims = {"N": end - begin, "T": STEPS}
        found = run_loops(CASE.before, part, dims, machine)["h"]
        np.testing.assert_allclose(found, whole[begin:end], rtol=1e-5, atol=1e-5)
        alone = end - begin == 1
        assert np.array_equal(found, whole[begin:end]) == (not alone or not parts)


@pytest.mark.alike(2)
@pytest.mark.parametrize("samples", [1, 2, 3, 4, 6, 7, 8, 11, 13])
def test_threads_agree(samples: int) -> None:
    given = {
        name: array[:, :samples] if name == "x" else array[:samples] if name == "h" else array
        for name, array in data().items()
    }
    dims = {"N": samples, "T": STEPS}
    results = [run_native(CASE.before, given, dims, threads=n, machine=CASE.machine)["h"] for n in (1, 2, 3)]
    for found in results[1:]:
        np.testing.assert_array_equal(found, results[0])
    expected = run_loops(CASE.before, given, dims, CASE.machine, nthreads=3)["h"]
    np.testing.assert_array_equal(results[0], expected)


def product(order: Order) -> ContractionPart:
    """One of an open number of rows and 48 columns."""
    graph = Graph("product")
    x = graph.input("x", TensorType("float32", (dim("N"), 48)))
    w = graph.input("w", TensorType("float32", (48, 48)))
    result = graph.apply("dot", x, w, attrs=DotAttributes((1,), (0,), order=order))
    part = Roles(graph).part(result)
    assert isinstance(part, ContractionPart)
    return part


OPEN = Tiling(8, 4, 2, row_axis=0)


@pytest.mark.parametrize(
    ("tiling", "rows", "order", "machine", "left"),
    [
        (OPEN, dim("N"), "any", AVX2, "once"),
        (
            replace(OPEN, vectors=3),
            dim("N"),
            "any",
            AVX2,
            "once or alone",
        ),  # in two parts, which are six sums
        (replace(OPEN, vectors=3), dim("N"), "ascending", AVX2, "once"),
        (OPEN, 13, "any", AVX2, "halves"),
        (Tiling(8), dim("N"), "any", AVX2, "halves"),
        (replace(OPEN, lane_axis=0), dim("N"), "any", AVX2, "halves"),
        (OPEN, dim("N"), "any", CORTEX, "halves"),
    ],
)
def test_how_rows_in_loops_are_cut(
    tiling: Tiling, rows: DimLike, order: Order, machine: Machine, left: Left
) -> None:
    assert list(in_loops([tiling], (rows, 48), [product(order)], machine)) == [replace(tiling, left=left)]
