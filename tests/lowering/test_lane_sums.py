"""Sums of lanes that are added up together have the bits of those that are added up one by one."""

from __future__ import annotations

import numpy as np
import pytest

from netwright.compiler.loop import ir
from netwright.compiler.loop.interpreter.run import run_function
from netwright.compiler.loop.intrinsics.builder import KernelBuilder
from netwright.compiler.lowering.kernels.lane_sums import are_summed_together, sums_of_lanes

CASES = [(2, 2), (2, 8), (4, 4), (4, 8), (4, 16), (8, 8), (16, 16)]


def summed(number: int, lanes: int, together: bool) -> ir.Function:
    """The sums of the rows of a matrix of ``number`` by ``lanes``."""
    b = KernelBuilder("kernel", {})
    x, y = b.buffer("x", "float32", (number, lanes)), b.buffer("y", "float32", (number,), "write")
    with b.loop("one", 0, 1, kind="parallel"):
        rows = [b.let("v", b.load(x, (row, 0), lanes)) for row in range(number)]
        if together:
            b.store(y, (0,), sums_of_lanes(b, rows))
        else:
            for row, vector in enumerate(rows):
                b.store(y, (row,), b.reduce_lanes("add", vector))
    return b.finish()


@pytest.mark.parametrize(("number", "lanes"), CASES)
def test_bits(number: int, lanes: int) -> None:
    x = np.random.default_rng(number * lanes).normal(size=(number, lanes)).astype(np.float32)
    sums = []
    for together in (False, True):
        y = np.zeros(number, np.float32)
        assert run_function(summed(number, lanes, together), {"x": x, "y": y}, {}) == 0
        sums.append(y)
    np.testing.assert_array_equal(*(y.view(np.uint32) for y in sums))
    np.testing.assert_allclose(sums[0], x.sum(1), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("number", "lanes"), [(1, 8), (3, 8), (8, 4)])
def test_refused(number: int, lanes: int) -> None:
    assert not are_summed_together(number, lanes)
    with pytest.raises(ValueError, match=f"{number} vectors of {lanes} cannot"):
        summed(number, lanes, together=True)
