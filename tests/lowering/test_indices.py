"""What is known of an index, whatever the values of its variables."""

from __future__ import annotations

import pytest

from netwright.compiler.lowering.reading.indices import is_linear, vanishes
from netwright.specs.dims import Atom, Dim, DimLike, Range, dim, dim_min

X, N = dim("x"), dim("N")


def atom(index: DimLike) -> Atom:
    """The only factor of an index."""
    assert isinstance(index, Dim)
    ((monomial, _),) = index.terms
    return monomial[0]


@pytest.mark.parametrize(
    ("index", "range", "expected"),
    [
        (X // 4, (0, 3), True),
        (X // 4, (0, 4), False),
        (X // 4, (-1, 3), False),
        (X // 4, (None, 3), False),
        (X // 4, (0, None), False),
        (X, (0, 0), False),
        (dim_min(X, 4), (0, 3), False),
    ],
    ids=str,
)
def test_quotients_that_are_zero(index: DimLike, range: Range, expected: bool) -> None:
    assert vanishes(atom(index), {"x": range}) is expected


def test_sizes_without_quotients_minima_and_maxima() -> None:
    assert is_linear(3, 2 * N * X + 1)
    assert not is_linear(N // 2)
    assert not is_linear(N, N * (N // 2))
    assert not is_linear(dim_min(N, X))
