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
    Unit,
    ceil_div,
    dim,
    from_terms,
    multiple,
    product,
    total,
)
from .bounds import Range, bounds
from .division import exact_div
from .extrema import dim_max, dim_min
from .fitting import fitting_multiples, multiples_where
from .queries import coefficient, constant_term, counted, dim_symbols, evaluate, substitute, typical
from .settling import settled
from .text import parse_dim

__all__ = [
    "Atom",
    "Call",
    "Dim",
    "DimLike",
    "Monomial",
    "Range",
    "Shape",
    "Unit",
    "bounds",
    "ceil_div",
    "coefficient",
    "constant_term",
    "counted",
    "dim",
    "dim_max",
    "dim_min",
    "dim_symbols",
    "evaluate",
    "exact_div",
    "fitting_multiples",
    "from_terms",
    "multiple",
    "multiples_where",
    "parse_dim",
    "product",
    "settled",
    "substitute",
    "total",
    "typical",
]
