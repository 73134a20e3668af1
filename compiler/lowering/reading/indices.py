"""Properties of indices, which are polynomials over loop variables."""

from __future__ import annotations

from collections.abc import Mapping

from netwright.specs.dims import Atom, DimLike, Range, bounds

Indices = tuple[DimLike, ...]


def is_linear(*sizes: DimLike) -> bool:
    """Whether ``sizes`` are free of quotients, minima and maxima, so that bounds of their multiples can be proved,
    too."""
    return all(
        isinstance(atom, str)
        for size in sizes
        if not isinstance(size, int)
        for monomial, _ in size.terms
        for atom in monomial
    )


def vanishes(atom: Atom, ranges: Mapping[str, Range]) -> bool:
    """Whether ``atom`` is a quotient that is 0 for all values of its variables, each of which is in ``ranges``."""
    if isinstance(atom, str) or atom.function != "floordiv":
        return False
    numerator, divisor = atom.arguments
    assert isinstance(divisor, int)
    least, greatest = bounds(numerator, ranges)
    return least is not None and least >= 0 and greatest is not None and greatest < divisor
