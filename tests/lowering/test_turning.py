"""Recurrences whose weights leave the L2 cache: every other step reads them from the last column to the first."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from netwright.compiler.interpreter import evaluate
from netwright.compiler.loop.interpreter.run import run_entry

from ..ir.cases import read_case
from ..ir.plans import MARK
from .engines import lowered, run_native

CASE = read_case(
    Path(__file__).parent.parent / "ir" / "plans" / "kernels" / "columns_in_turns.txt", "plan", MARK
)


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_results_do_not_depend_on_the_direction(steps: int) -> None:
    graph, dims = CASE.before, {"N": 7, "T": steps}
    random = np.random.default_rng(steps)
    shapes = {"x": (steps, 7, 48), "h": (7, 48), "w": (6, 48, 8)}
    data = {name: random.integers(-1, 2, shape).astype(np.float32) for name, shape in shapes.items()}
    expected = evaluate(graph, data)["h"]
    program, _ = lowered(graph, CASE.machine)
    assert any("turn" in dict(kernel.dims) for kernel in program.kernels.values())
    table = {name: array.copy() for name, array in data.items()}
    run_entry(program, "main", table, dims, nthreads=2)
    np.testing.assert_array_equal(table["h"], expected)
    for threads in (1, 3):
        found = run_native(graph, data, dims, threads=threads, machine=CASE.machine)["h"]
        np.testing.assert_array_equal(found, expected)
