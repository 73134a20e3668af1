"""Dimensions: exact integer arithmetic over named sizes.

A size in Netwright is an ``int`` or a ``Dim``: a polynomial with integer coefficients over *atoms*, which are named
dims (``N``, ``T``), floor divisions by a positive constant, minima and maxima. Everything is kept in one canonical
form, so that two sizes are equal when they compare equal, and a size that turns out constant is an ``int`` again.
The same algebra serves shapes (graph), loop bounds and buffer indices (loop IR) and buffer sizes (manifest).
"""

from .algebra import (
    Atom,
    Call,
    Dim,
    DimLike,
    Monomial,
    Shape,
    ceil_div,
    dim,
    dim_max,
    dim_min,
    exact_div,
    from_terms,
    product,
)
from .bounds import Range, bounds
from .queries import coefficient, constant_term, dim_symbols, evaluate, substitute
from .text import parse_dim

__all__ = [
    "Atom",
    "Call",
    "Dim",
    "DimLike",
    "Monomial",
    "Range",
    "Shape",
    "bounds",
    "ceil_div",
    "coefficient",
    "constant_term",
    "dim",
    "dim_max",
    "dim_min",
    "dim_symbols",
    "evaluate",
    "exact_div",
    "from_terms",
    "parse_dim",
    "product",
    "substitute",
]
