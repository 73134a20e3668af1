"""Every simplification of sizes against plain integers: thousands of drawn sizes, each at several bindings.

A size is drawn twice at once, as a term of the algebra and as its value at each binding. Names may be negative and
zero where nothing is assumed of them, as variables of loops are; `H` is a multiple of 8.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
import pytest

from netwright.specs.dims import (
    Dim,
    DimLike,
    bounds,
    counted,
    dim,
    dim_max,
    dim_min,
    evaluate,
    exact_div,
    fitting_multiples,
    multiple,
    parse_dim,
    substitute,
)
from netwright.specs.dims.extrema import spread

MULTIPLES = {"H": 8}
BINDINGS = 24
#: Of the numbers of sizes below, one in so many is drawn by default.
SLICE = 5


@pytest.fixture
def share(deep: bool) -> int:
    return 1 if deep else SLICE


@dataclass(frozen=True)
class Drawn:
    """A size, and its value at every binding."""

    size: DimLike
    values: np.ndarray


class Source:
    """Draws sizes over one set of bindings."""

    def __init__(self, seed: int, low: int):
        self.random = random.Random(seed)
        numbers = np.random.default_rng(seed)
        self.columns = {name: numbers.integers(low, 30, BINDINGS) for name in ("N", "T")}
        self.columns["H"] = 8 * numbers.integers(max(low, -5) if low < 1 else 1, 9, BINDINGS)
        self.bindings = [
            {name: int(column[i]) for name, column in self.columns.items()} for i in range(BINDINGS)
        ]

    def leaf(self) -> Drawn:
        if self.random.random() < 0.3:
            number = self.random.randint(-9, 9)
            return Drawn(number, np.full(BINDINGS, number))
        name = self.random.choice(("N", "T", "H"))
        return Drawn(multiple("H", 8) if name == "H" else dim(name), self.columns[name])

    def draw(self, depth: int) -> Drawn:
        if depth == 0:
            return self.leaf()
        a = self.draw(self.random.randint(0, depth - 1))
        b = self.draw(self.random.randint(0, depth - 1))
        k = self.random.choice((1, 2, 2, 3, 4, 4, 8, 12, 32))
        match self.random.randrange(8):
            case 0:
                return Drawn(a.size + b.size, a.values + b.values)
            case 1:
                return Drawn(a.size - b.size, a.values - b.values)
            case 2:
                return Drawn(a.size * b.size, a.values * b.values)
            case 3:
                return Drawn(a.size * k, a.values * k)
            case 4 | 5:
                return Drawn(a.size // k, a.values // k)
            case 6:
                return Drawn(dim_min(a.size, b.size), np.minimum(a.values, b.values))
        return Drawn(dim_max(a.size, b.size), np.maximum(a.values, b.values))


def drawn(count: int, low: int, seed: int = 0) -> list[tuple[Source, Drawn, Drawn]]:
    """Pairs of sizes, and where they were drawn."""
    found = []
    for number in range(count):
        source = Source(seed * 100_000 + number, low)
        found.append((source, source.draw(4), source.draw(3)))
    return found


def close_sizes(count: int, seed: int) -> list[tuple[Source, Drawn, Drawn]]:
    """Pairs that differ by remainders: where one is left out of a minimum, it has to be right."""
    found = []
    for number in range(count):
        source = Source(seed * 100_000 + number, -20)
        a = source.draw(2)
        k, c = source.random.choice((2, 3, 4, 8)), source.random.randint(-9, 9)
        padded = source.random.random() < 0.5
        raised = k - 1 if padded else 0
        b = Drawn((a.size + raised) // k * k + c, (a.values + raised) // k * k + c)
        found.append((source, a, b))
    return found


@pytest.mark.parametrize("low", [-20, 1])
def test_sizes_are_what_integers_give(low: int, share: int):
    for source, a, _ in drawn(3000 // share, low):
        for binding, value in zip(source.bindings, a.values, strict=True):
            assert evaluate(a.size, binding) == value, a.size


def test_minima_and_maxima_of_sizes_that_are_close(share: int):
    decided = 0
    for source, a, b in close_sizes(3000 // share, seed=1):
        least, most = dim_min(a.size, b.size), dim_max(a.size, b.size)
        decided += least in (a.size, b.size)
        for i, binding in enumerate(source.bindings):
            assert evaluate(least, binding) == min(a.values[i], b.values[i]), (a.size, b.size)
            assert evaluate(most, binding) == max(a.values[i], b.values[i]), (a.size, b.size)
    assert decided > 1000 // share


def test_the_spread_of_a_size_holds_for_all_integers(share: int):
    for _, a, b in [*close_sizes(2000 // share, seed=2), *drawn(1000 // share, -20, seed=2)]:
        found = spread(a.size - b.size)
        if found is not None:
            difference = a.values - b.values
            assert ((found[0] <= difference) & (difference <= found[1])).all(), (a.size, b.size)


def test_bounds_hold_with_multiples_and_remainders(share: int):
    for source, a, b in [*drawn(2000 // share, 1, seed=3), *close_sizes(1000 // share, seed=4)]:
        low_name = min(int(column.min()) for column in source.columns.values())
        ranges = {name: (min(low_name, 1), int(column.max())) for name, column in source.columns.items()}
        for value, numbers in ((a.size, a.values), (a.size - b.size, a.values - b.values)):
            for given in (ranges, {name: (one[0], None) for name, one in ranges.items()}):
                low, high = bounds(value, given)
                assert low is None or (low <= numbers).all(), value
                assert high is None or (numbers <= high).all(), value


def test_quotients_by_sums_are_exact(share: int):
    found = 0
    for source, a, b in drawn(3000 // share, 1, seed=5):
        if b.size == 0:
            continue
        quotient = exact_div(a.size * b.size, b.size)
        assert quotient is not None
        found += isinstance(b.size, Dim) and len(b.size.terms) > 1
        for i, binding in enumerate(source.bindings):
            assert evaluate(quotient, binding) * b.values[i] == a.values[i] * b.values[i]
    assert found > 500 // share


def test_text_is_read_back_where_the_multiples_are_known(share: int):
    for source, a, _ in drawn(3000 // share, 1, seed=6):
        text = str(a.size)
        read = parse_dim(text)
        assert counted(read, MULTIPLES) == a.size, text
        for i, binding in enumerate(source.bindings):
            assert evaluate(read, binding) == a.values[i], text


def test_units_survive_other_names_being_replaced(share: int):
    for source, a, b in drawn(2000 // share, 1, seed=7):
        replaced = substitute(a.size, {"N": b.size})
        for i, binding in enumerate(source.bindings):
            assert evaluate(replaced, binding) == evaluate(a.size, {**binding, "N": int(b.values[i])})


def test_the_least_multiple_is_found() -> None:
    h, w = dim("H"), dim("W")
    assert fitting_multiples(h // 2 * 2, h) == {"H": 2}
    assert fitting_multiples((h + 3) // 4 * 2, (h + 1) // 2) == {"H": 4}
    assert fitting_multiples(h // 32 * 32, h) == {"H": 32}
    assert fitting_multiples(h // 6 * 6 + w, h + w) == {"H": 6}
    assert fitting_multiples(h // 2 * 2 * (w // 3 * 3), h * w) == {"H": 2, "W": 3}
    assert fitting_multiples(multiple("H", 4) // 8 * 8, multiple("H", 4)) == {"H": 8}
    assert fitting_multiples(h, w) == {}
    assert fitting_multiples(h // 2 * 2 + 1, h) == {}


def test_multiples_make_sizes_equal_and_no_smaller_ones_do(share: int) -> None:
    found = 0
    for source, a, b in close_sizes(2000 // share, seed=8):
        fitting = fitting_multiples(a.size, b.size)
        for name, number in fitting.items():
            found += 1
            raised = {one: number_ * 3 for one, number_ in fitting.items()}
            binding = source.bindings[0] | raised
            assert evaluate(a.size, binding) == evaluate(b.size, binding)
            assert number > 1
            assert name in NAMES
    assert found > 30 // share


NAMES = ("N", "T", "H")
H = multiple("H", 32)
N, T, W = dim("N"), dim("T"), dim("W")


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (H, "H"),
        (H // 2 * 2, "H"),
        (H // 2, "H//2"),
        (3 * (H // 64 * 2), "6*((H//32)//2)"),
        ((H + 1) // 2, "H//2"),
        ((H // 2 + 1) * N, "N*(H//2) + N"),
        (-(H // 2), "-(H//2)"),
        (3 * (H // 4), "(3*H)//4"),
        (H * multiple("W", 32) // 4, "(H*W)//4"),
        (H // 32, "H//32"),
        (multiple("H", 1), "H"),
        (dim_min(T // 4 * 4, T), "4*(T//4)"),
        (dim_max(T // 4 * 4, T), "T"),
        (dim_max((T + 3) // 4 * 4, T), "4*((T + 3)//4)"),
        (((T + 1) // 2 + 1) // 2, "(T + 3)//4"),
        (exact_div((W // 4 + 1) * N * 256, W // 4 + 1), "256*N"),
    ],
)
def test_canonical_text(size: DimLike, text: str):
    assert str(size) == text


def test_what_does_not_divide_is_said():
    assert exact_div(N * T + 1, T + 1) is None
    assert exact_div(2 * N + 1, 2 * N + 2) is None
    assert exact_div(N, N + 1) is None


def test_least_values_of_paddings():
    assert bounds(T // 4 * 4 - T, {}) == (-3, 0)
    assert bounds((T + 3) // 4 * 4 - T, {}) == (0, 3)
    assert bounds(H // 16 - 2, {"H": (1, None)}) == (0, None)
