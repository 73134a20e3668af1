"""Minima and maxima of sizes. Arguments that can never be the result are left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from functools import lru_cache

from .algebra import Call, Dim, DimLike, Monomial, atom_of, terms_of


def dim_min(*values: DimLike) -> DimLike:
    """The minimum of ``values``."""
    return extremum("min", values)


def dim_max(*values: DimLike) -> DimLike:
    """The maximum of ``values``."""
    return extremum("max", values)


def extremum(
    function: str, values: Iterable[DimLike], order: Callable[[DimLike, DimLike], int | None] | None = None
) -> DimLike:
    """``dim_min`` or ``dim_max``, selected by the function's name, "min" or "max". ``order`` compares two sizes as
    ``_order`` does, where that does not tell: it assumes only that dims are integers."""
    kept: list[DimLike] = []
    for value in values:
        for argument in _arguments(function, value):
            orders = [_order(argument, other) for other in kept]
            if order is not None:
                pairs = zip(orders, kept, strict=True)
                orders = [order(argument, other) if known is None else known for known, other in pairs]
            worse = 1 if function == "min" else -1
            if any(known in (worse, 0) for known in orders):
                continue
            kept = [other for other, known in zip(kept, orders, strict=True) if known != -worse]
            kept.append(argument)
    if len(kept) == 1:
        return kept[0]
    kept.sort(key=str)
    return Dim((((atom_of(Call, function, tuple(kept)),), 1),))


def _arguments(function: str, value: DimLike) -> tuple[DimLike, ...]:
    """The arguments of ``value`` if it is a call of the same function, which is flattened; otherwise ``value``
    itself.
    """
    if isinstance(value, Dim) and len(value.terms) == 1 and value.terms[0][1] == 1:
        (monomial, _), *_ = value.terms
        if len(monomial) == 1 and isinstance(monomial[0], Call) and monomial[0].function == function:
            return monomial[0].arguments
    return (value,)


def _order(a: DimLike, b: DimLike) -> int | None:
    """1 if a ≥ b for all integer values of the dims, -1 if a ≤ b, 0 if a = b, None if neither is proved."""
    difference = spread(a - b)
    if difference is None:
        return 1 if _reaches(a, b) else -1 if _reaches(b, a) else None
    low, high = difference
    return 0 if low == high == 0 else 1 if low >= 0 else -1 if high <= 0 else None


def _reaches(a: DimLike, b: DimLike) -> bool:
    """Whether a ≥ b by an argument of a maximum or a minimum: max(x, y) ≥ x ≥ min(x, y)."""
    return any(_never_less(argument, b) for argument in _alone("max", a)) or any(
        _never_less(a, argument) for argument in _alone("min", b)
    )


def _never_less(a: DimLike, b: DimLike) -> bool:
    return _order(a, b) in (0, 1)


def _alone(function: str, value: DimLike) -> tuple[DimLike, ...]:
    """The arguments, if the size is one call of ``function``, else none."""
    arguments = _arguments(function, value)
    return () if arguments == (value,) else arguments


@lru_cache(maxsize=1 << 14)  # proofs ask again and again
def spread(value: DimLike) -> tuple[Fraction, Fraction] | None:
    """Bounds of a size that hold for all integer values of its dims, if there are any: `T - 4*(T//4)` is 0 to 3."""
    if isinstance(value, int):
        return Fraction(value), Fraction(value)
    rest, low, high = without_floors(value)
    if any(monomial for monomial in rest):
        return None
    constant = rest.get((), Fraction(0))
    return low + constant, high + constant


def without_floors(value: DimLike) -> tuple[dict[Monomial, Fraction], Fraction, Fraction]:
    """Replaces each term ⌊x/k⌋ by x/k. Returns a polynomial with rational coefficients, and the bounds of ``value``
    minus it: ⌊x/k⌋ is x/k less a remainder of 0 to (k - 1)/k. Floors inside of products stay.
    """
    total: dict[Monomial, Fraction] = {}
    low = high = Fraction(0)
    waiting = [(monomial, Fraction(factor)) for monomial, factor in terms_of(value)]
    while waiting:
        monomial, factor = waiting.pop()
        atom = monomial[0] if len(monomial) == 1 else None
        if type(atom) is not Call or atom.function != "floordiv":
            total[monomial] = total.get(monomial, Fraction(0)) + factor
            if not total[monomial]:
                del total[monomial]
            continue
        numerator, divisor = atom.arguments
        assert isinstance(divisor, int)
        share = factor / divisor
        waiting += [(inner, share * own) for inner, own in terms_of(numerator)]
        remainder = -share * (divisor - 1)
        low, high = low + min(remainder, 0), high + max(remainder, 0)
    return total, low, high
