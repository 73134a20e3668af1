"""Exact quotients of sizes."""

from __future__ import annotations

from .algebra import Dim, DimLike, Monomial, atom_key, from_terms, terms_of


def exact_div(value: DimLike, divisor: DimLike) -> DimLike | None:
    """``value / divisor`` if the polynomials divide exactly, otherwise None."""
    if value == 0 or value == divisor:
        return int(value != 0)
    divisor_terms = terms_of(divisor)
    if len(divisor_terms) == 1:
        return _by_product(value, *divisor_terms[0])
    return _by_sum(value, divisor) if isinstance(value, Dim) and isinstance(divisor, Dim) else None


def _by_product(value: DimLike, monomial: Monomial, factor: int) -> DimLike | None:
    quotient: dict[Monomial, int] = {}
    for own, own_factor in terms_of(value):
        rest = _without(own, monomial)
        if rest is None or own_factor % factor:
            return None
        quotient[rest] = own_factor // factor
    return from_terms(quotient)


def _by_sum(value: Dim, divisor: Dim) -> DimLike | None:
    """Long division of polynomials.

    The monomials are ordered by degree, then by the atoms' exponents. Products preserve this order, so the leading term
    of a product is the product of the leading terms.
    """
    atoms = sorted({atom for size in (value, divisor) for m, _ in size.terms for atom in m}, key=atom_key)

    def rank(term: tuple[Monomial, int]) -> tuple[int, list[int]]:
        return len(term[0]), [term[0].count(atom) for atom in atoms]

    leading, factor = max(divisor.terms, key=rank)
    quotient, rest = 0, value
    while rest != 0:
        monomial, own_factor = max(terms_of(rest), key=rank)
        left = _without(monomial, leading)
        if left is None or own_factor % factor:
            return None
        term = from_terms({left: own_factor // factor})
        quotient, rest = term + quotient, rest - term * divisor
    return quotient


def _without(monomial: Monomial, divisor: Monomial) -> Monomial | None:
    """The product without these factors; None if it does not contain them."""
    rest = list(monomial)
    for atom in divisor:
        if atom not in rest:
            return None
        rest.remove(atom)
    return tuple(rest)
