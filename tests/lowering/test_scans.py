"""Recurrences, forward and backward through time, in the loop interpreter and in native code."""

from itertools import product

import numpy as np
import pytest

from netwright.compiler.interpreter import evaluate
from netwright.specs.dims import dim

from ..graph.scans import CELLS, T, build, draw
from ..graph.test_scan import differentiated
from ..machines import AVX512, SSE
from ..slices import sliced
from .engines import run_loops, run_native

NAMES = [cell.name for cell in CELLS]


def in_turn(name: str, open_length: bool) -> bool:
    """Each cell over a known or an open number of steps."""
    return (NAMES.index(name) % 2 == 0) == open_length


@pytest.mark.alike(2)
@pytest.mark.parametrize(("name", "open_length"), sliced(product(NAMES, (False, True)), in_turn))
def test_backpropagation_through_time(name: str, open_length: bool) -> None:
    cell = CELLS[NAMES.index(name)]
    arrays = draw(build(cell))
    graph = differentiated(build(cell, length=dim("T") if open_length else T))
    dims = {"T": T} if open_length else {}
    expected = evaluate(graph, arrays)
    runs = {
        "loops": run_loops(graph, arrays, dims, machine=SSE if open_length else AVX512),
        "native": run_native(graph, arrays, dims, threads=2 if open_length else 1),
    }
    for engine, found in runs.items():
        for name, array in expected.items():
            np.testing.assert_allclose(found[name], array, rtol=1e-9, atol=1e-11, err_msg=f"{engine} {name}")
