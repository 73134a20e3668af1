"""The dims and coefficients of a size, and its value for given dims."""

from __future__ import annotations

from collections.abc import Mapping

from .algebra import Atom, Call, Dim, DimLike, Monomial, Unit, atom_of, dim, from_terms, multiple
from .division import exact_div
from .extrema import extremum


def constant_term(value: DimLike) -> int:
    """The part of ``value`` that does not depend on any dim."""
    return value if isinstance(value, int) else dict(value.terms).get((), 0)


def coefficient(value: DimLike, name: str) -> int | None:
    """The coefficient of ``name`` in ``value`` if ``value`` is affine in it with a constant coefficient, otherwise
    None.
    """
    if isinstance(value, int) or name not in value.symbols:
        return 0
    coefficient = 0
    for monomial, factor in value.terms:
        if monomial == (name,):
            coefficient = factor
        elif any(atom == name or (isinstance(atom, Call) and name in dim_symbols(atom)) for atom in monomial):
            return None
    return coefficient


def dim_symbols(value: DimLike | Call) -> frozenset[str]:
    """The named dims that ``value`` depends on."""
    if isinstance(value, Dim):
        return value.symbols
    if isinstance(value, Call):
        return frozenset().union(*(dim_symbols(argument) for argument in value.arguments))
    return frozenset()


def substitute(value: DimLike, binding: Mapping[str, DimLike]) -> DimLike:
    """``value`` with names replaced. The result is an ``int`` if no name is left."""
    if isinstance(value, int) or not (value.symbols & binding.keys()):
        return value
    numbers: dict[Monomial, int] = {}  # terms that stay products of names and a number, as most do
    others: DimLike = 0
    for monomial, factor in value.terms:
        term: DimLike = factor
        kept: list[Atom] = []
        for atom in monomial:
            if isinstance(atom, str):
                if (bound := binding.get(atom)) is None:
                    kept.append(atom)
                else:
                    term = term * bound
            elif dim_symbols(atom) & binding.keys():
                term = term * _substitute_call(atom, binding)
            else:
                kept.append(atom)
        rest = tuple(kept)
        if isinstance(term, int):
            numbers[rest] = numbers.get(rest, 0) + term
        else:
            others = others + (term * Dim(((rest, 1),)) if rest else term)
    return from_terms(numbers) + others


def _substitute_call(atom: Call, binding: Mapping[str, DimLike]) -> DimLike:
    if isinstance(atom, Unit):
        exact = exact_div(size := binding[atom.name], atom.size)
        if exact is None and isinstance(size, Dim) and size == dim(size.text):
            return Dim(
                (((atom_of(Unit, "floordiv", (size, atom.size)),), 1),)
            )  # another name for the same number
        return size // atom.size if exact is None else exact
    arguments = [substitute(argument, binding) for argument in atom.arguments]
    if atom.function == "floordiv":
        numerator, divisor = arguments
        assert isinstance(divisor, int)
        return numerator // divisor
    return extremum(atom.function, arguments)


def counted(value: DimLike, multiples: Mapping[str, int]) -> DimLike:
    """``value`` with dims known to be multiples of these numbers."""
    return (
        substitute(value, {name: multiple(name, of) for name, of in multiples.items()})
        if multiples
        else value
    )


#: What a dim that is open counts as where costs are estimated.
TYPICAL = 8


def typical(value: DimLike, number: int = TYPICAL) -> int:
    """``value`` with a typical ``number`` in place of every dim, for estimates of costs."""
    return value if isinstance(value, int) else evaluate(value, dict.fromkeys(dim_symbols(value), number))


def evaluate(value: DimLike, binding: Mapping[str, int]) -> int:
    """The value of the size under ``binding``. Raises KeyError that names the first unbound dim."""
    result = substitute(value, binding)
    if isinstance(result, Dim):
        raise KeyError(", ".join(sorted(result.symbols)))
    return result
