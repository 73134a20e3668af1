"""Sizes: the algebra against plain integers, canonical form, text, proofs of bounds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netwright.specs.dims import (
    Dim,
    DimLike,
    bounds,
    ceil_div,
    coefficient,
    constant_term,
    dim,
    dim_max,
    dim_min,
    dim_symbols,
    evaluate,
    exact_div,
    parse_dim,
    product,
    settled,
    substitute,
)

NAMES = ("N", "T", "k")
N, T = dim("N"), dim("T")
BINDINGS = st.fixed_dictionaries({name: st.integers(1, 40) for name in NAMES})


@dataclass(frozen=True)
class Case:
    """A size, and the same computed with integers."""

    size: DimLike
    number: Callable[[dict[str, int]], int]


LEAVES = st.one_of(
    st.integers(-9, 9).map(lambda n: Case(n, lambda b: n)),
    st.sampled_from(NAMES).map(lambda name: Case(dim(name), lambda b: b[name])),
)


def _combined(inner: st.SearchStrategy[Case]) -> st.SearchStrategy[Case]:
    pair = st.tuples(inner, inner)
    divisor = st.integers(1, 7)
    return st.one_of(
        pair.map(lambda p: Case(p[0].size + p[1].size, lambda b: p[0].number(b) + p[1].number(b))),
        pair.map(lambda p: Case(p[0].size - p[1].size, lambda b: p[0].number(b) - p[1].number(b))),
        pair.map(lambda p: Case(p[0].size * p[1].size, lambda b: p[0].number(b) * p[1].number(b))),
        pair.map(
            lambda p: Case(dim_min(p[0].size, p[1].size), lambda b: min(p[0].number(b), p[1].number(b)))
        ),
        pair.map(
            lambda p: Case(dim_max(p[0].size, p[1].size), lambda b: max(p[0].number(b), p[1].number(b)))
        ),
        st.tuples(inner, divisor).map(lambda p: Case(p[0].size // p[1], lambda b: p[0].number(b) // p[1])),
        st.tuples(inner, divisor).map(
            lambda p: Case(ceil_div(p[0].size, p[1]), lambda b: -(-p[0].number(b) // p[1]))
        ),
    )


CASES = st.recursive(LEAVES, _combined, max_leaves=8)


@given(CASES, BINDINGS)
def test_the_algebra_is_that_of_integers(case: Case, binding: dict[str, int]):
    assert evaluate(case.size, binding) == case.number(binding)


@given(CASES)
def test_text_parses_back_to_the_same_size(case: Case):
    assert parse_dim(str(case.size)) == case.size
    assert hash(parse_dim(str(case.size))) == hash(case.size)


@given(CASES, CASES)
def test_sums_and_products_do_not_depend_on_order(a: Case, b: Case):
    assert a.size + b.size == b.size + a.size
    assert a.size * b.size == b.size * a.size
    assert a.size - b.size == -(b.size - a.size)
    assert a.size - a.size == 0
    assert dim_max(a.size, b.size) == dim_max(b.size, a.size)


@given(CASES, BINDINGS)
def test_what_is_not_a_number_depends_on_a_name(case: Case, binding: dict[str, int]):
    if isinstance(case.size, Dim):
        assert case.size.symbols
        with pytest.raises(KeyError, match=sorted(case.size.symbols)[0]):
            evaluate(case.size, {})
    assert dim_symbols(case.size) <= set(NAMES)


@given(
    CASES, st.fixed_dictionaries({name: st.tuples(st.integers(0, 20), st.integers(0, 20)) for name in NAMES})
)
def test_bounds_hold(case: Case, pairs: dict[str, tuple[int, int]]):
    ranges = {name: (min(pair), max(pair)) for name, pair in pairs.items()}
    low, high = bounds(case.size, dict(ranges))
    for corner in range(8):
        binding = {name: ranges[name][corner >> i & 1] for i, name in enumerate(NAMES)}
        number = case.number(binding)
        assert low is None or low <= number
        assert evaluate(settled(case.size, dict(ranges)), binding) == number
        assert high is None or number <= high


@given(CASES, BINDINGS)
def test_bounds_hold_for_open_dims(case: Case, binding: dict[str, int]):
    low, high = bounds(case.size, {})
    assert low is None or low <= case.number(binding)
    assert high is None or case.number(binding) <= high


@given(CASES, CASES, BINDINGS)
def test_substitution_commutes_with_evaluation(case: Case, other: Case, binding: dict[str, int]):
    replaced = substitute(case.size, {"N": other.size})
    assert evaluate(replaced, binding) == case.number({**binding, "N": other.number(binding)})


@given(CASES, CASES, BINDINGS)
def test_exact_division_is_exact(a: Case, b: Case, binding: dict[str, int]):
    quotient = exact_div(a.size, b.size) if b.size != 0 else None
    if quotient is not None:
        assert evaluate(quotient, binding) * b.number(binding) == a.number(binding)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (N * T + 1, "N*T + 1"),
        ((N + 3) // 4, "(N + 3)//4"),
        (2 * N - 2 * N, "0"),
        ((2 * N + 4) // 2, "N + 2"),
        ((6 * N + 3) // 4, "(3*N + 1)//2"),
        ((N // 2) // 3, "N//6"),
        ((N + 5) // 4, "(N + 1)//4 + 1"),
        (ceil_div(N, 1), "N"),
        (dim_min(N, N + 1), "N"),
        (dim_max(N, 2, 3), "max(3, N)"),
        (dim_min(dim_min(N, T), 4), "min(4, N, T)"),
        (dim_max(dim_min(N, T), N), "N"),
        (dim_min(dim_max(N + 1, T), N), "N"),
        (dim_max(dim_min(N, 4), N + 2), "N + 2"),
        (product([N, 28, 28]), "784*N"),
        (-N, "-N"),
        (-(N // 2), "-(N//2)"),
        (T - N // 2, "T - N//2"),
    ],
)
def test_canonical_text(size: DimLike, text: str):
    assert str(size) == text


def test_pools_of_one_size_have_one_text():
    """⌊(N − 2) / 2⌋ + 1 and ⌊N / 2⌋ are the same size, and compare so."""
    assert (N - 2) // 2 + 1 == N // 2


def test_ranges_settle_minima_and_maxima():
    size = dim_max(dim_min(N, 4) - 4, 0) + dim_min((dim_max(N, 3) + 1) // 2, T)
    assert str(settled(size, {"N": (4, None)})) == "min((N + 1)//2, T)"
    assert str(settled(size, {"N": (4, 9), "T": (5, None)})) == "(N + 1)//2"
    assert settled(size, {"N": (1, 3), "T": (2, None)}) == 2


def test_parts_of_a_size():
    size = 3 * N + N * T + 5
    assert constant_term(size) == 5
    assert coefficient(3 * N + 5, "N") == 3
    assert coefficient(size, "N") is None
    assert coefficient(size, "k") == 0
    assert exact_div(6 * N * T, 2 * N) == 3 * T
    assert exact_div(6 * N + 1, 2) is None


@pytest.mark.parametrize(
    "text",
    ["", "N +", "N / 2", "N // 0", "N // T", "f(N)", "1.5", "True", "'N'", "min()", "N ** 2", "(" * 500],
)
def test_what_is_no_size_is_refused(text: str):
    with pytest.raises(ValueError, match="dimension"):
        parse_dim(text)


@pytest.mark.parametrize("divisor", [0, -1])
def test_division_is_by_positive_constants(divisor: int):
    with pytest.raises(ValueError, match="positive constant"):
        N // divisor
