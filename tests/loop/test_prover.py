"""What the prover shows is true; it shows what kernels need."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netwright.compiler.loop.proofs.cases import proves_by_cases
from netwright.compiler.loop.proofs.prover import Prover
from netwright.specs.dims import DimLike, dim, dim_max, dim_min, evaluate, multiple, parse_dim

from .drawing import sizes

# Dims, variables with their least and greatest values, conditions; what is ≥ 0, and what need not be.
PATTERNS = {
    "every index": ("N", "i: 0, N - 1", "", "i | N - 1 - i", "i - 1 | N - 2 - i"),
    "reversed": ("T", "t: 0, T - 1", "", "T - 1 - t | T - 1 - (T - 1 - t)", "T - 2 - t"),
    "whole vectors": ("N", "i: 0, 4*(N//4) - 4", "", "N - 4 - i", "N - 5 - i"),
    "tail": ("N", "i: 4*(N//4), N - 1", "", "i | N - 1 - i", "N - 2 - i"),
    "masked vectors": ("C", "i: 0, 16*((C - 1)//16)", "C - 1 - i", "C - 1 - i | i", "C - 2 - i"),
    "blocks": ("T", "b: 0, (T + 15)//16 - 1; i: 0, min(16, T - 16*b) - 1", "", "T - 1 - 16*b - i", "T - 2 - 16*b - i"),
    "window": ("H >= 3", "o: 0, (H - 3)//2; k: 0, 2", "", "H - 1 - 2*o - k | 2*o + k", "H - 2 - 2*o - k"),
    "cut windows": ("H >= 2", "o: 0, min(max(H - 2, 0)//2 + 1, (H + 1)//2) - 1", "", "H - 1 - 2*o", "H - 3 - 2*o"),
    "padding": ("H", "o: 0, H - 1; k: 0, 2", "o + k - 1; H - o - k", "o + k - 1 | H - o - k", "o + k - 2"),
    "flattened": ("N, T", "i: 0, N - 1; t: 0, T - 1", "", "N*T - 1 - i*T - t | i*T + t", "N*T - 2 - i*T - t"),
    "cubed": (
        "N, T",
        "i: 0, N - 1; t: 0, T - 1; h: 0, 63",
        "",
        "64*N*T - 1 - 64*i*T - 64*t - h",
        "64*N*T - 2 - 64*i*T - 64*t - h",
    ),
    "batches of windows": (
        "N, T >= 32",
        "i: 0, 4*((N*T)//4) - 4*N - 4",
        "4*((N*T)//4) - 4*N - 1 - i; 4*((N*T)//4) - 4*N - 1",
        "N*T - 4*N - i - 2 | N*T - 4*N - i - 4",
        "N*T - 4*N - i - 5",
    ),
    "two halves": ("T", "t: 0, T - 1", "", "1 - t + 2*(t//2) | t - 2*(t//2)", "2*(t//2) - t"),
    "nonempty": ("N", "i: 0, N - 5", "", "N - 5 | N//5 - 1", "N - 6"),
    "constant ranges": ("N", "i: -2, 7; k: 1, 3", "", "10 - i - k | 21 - 2*i - k + N | 3*k - min(k, 3)", "9 - i - k"),
    "products of ranges": ("N", "i: 2, 7; k: 1, 3", "", "21 - i*k | i*k - 2 | N*i*k - 2", "20 - i*k | i*k - 3"),
    "factors of both signs": ("N", "i: -2, 7; k: -1, 3", "", "i + k + 3", "i*k + 1 | 20 - i*k | i*k*k + 17"),
    "rounded up": (
        "N, H, W",
        "i: 0, 1",
        "",
        "N*((-H)//2)*((-W)//2) - N | N*((-H)//2)*((-W)//2) - 2*N*((-H)//2) - 2*N*((-W)//2) + 4*N",
        "N*((-H)//2) | N*((-H)//2)*((-W)//2) - 2*N | N*((-H)//2)*((-W)//2)*((-W)//2)",
    ),
    "divided": ("N", "i: 0, (N + 3)//4 - 1", "", "N - 1 - 4*i | (N + 3)//4 - 1 - i", "N - 2 - 4*i"),
}  # fmt: skip


@pytest.mark.parametrize("name", PATTERNS)
def test_patterns(name: str) -> None:
    dims, variables, conditions, shown, not_shown = PATTERNS[name]
    pairs = [text.partition(" >= ") for text in dims.split(", ")]
    prover = Prover((dim_name, int(least or 1)) for dim_name, _, least in pairs)
    for variable in variables.split("; "):
        var, _, bounds = variable.partition(": ")
        low, _, high = bounds.partition(", ")
        prover.variable(var, parse_dim(low), parse_dim(high))
    for condition in filter(None, conditions.split("; ")):
        prover.assume(parse_dim(condition))
    for goal in shown.split(" | "):
        assert prover.proves(parse_dim(goal)), goal
    for goal in not_shown.split(" | "):
        assert not prover.proves(parse_dim(goal)), goal


NAMES = [dim("N"), dim("i"), dim("j")]


@given(
    st.tuples(sizes(NAMES[:1]), sizes(NAMES[:1])),
    st.tuples(sizes(NAMES[:2]), sizes(NAMES[:2])),
    st.lists(sizes(NAMES), max_size=2),
    st.lists(st.tuples(sizes(NAMES), sizes(NAMES)), min_size=5, max_size=20),
)
def test_what_is_proved_is_true(
    outer: tuple[DimLike, DimLike],
    inner: tuple[DimLike, DimLike],
    conditions: list[DimLike],
    pairs: list[tuple[DimLike, DimLike]],
) -> None:
    prover = Prover([("N", 1)])
    prover.variable("i", *outer)
    prover.variable("j", *inner)
    for condition in conditions:
        prover.assume(condition)
    goals = [goal for a, b in pairs for goal in (a - b, a * b, a * a - b)]
    proved = [goal for goal in goals if prover.proves(goal)]
    left = [goal for goal in goals if goal not in proved][:3]
    proved += [goal for goal in left if proves_by_cases(prover, ["N"], goal)]
    for n, i, j in product(range(1, 7), range(-6, 20), range(-6, 20)):
        at = {"N": n, "i": i, "j": j}
        facts = (i - outer[0], outer[1] - i, j - inner[0], inner[1] - j, *conditions)
        if all(evaluate(fact, at) >= 0 for fact in facts):
            for goal in proved:
                assert evaluate(goal, at) >= 0, (goal, at)


def test_small_values_of_a_dim_are_cases_of_their_own() -> None:
    """The last two of every second of the first ten: one thing for a few cells, another for many."""
    prover = Prover([("N", 1), ("T", 2)])
    first = parse_dim("(min(10, N) + 1)//2")
    low = parse_dim("max(0, (min(10, N) + 1)//2 - 2)")
    prover.variable("i", 0, (first - low + 1) // 2 - 1)
    index = 2 * (2 * dim("i") + low)
    assert proves_by_cases(prover, ["N", "T"], dim("N") - 1 - index)
    assert not proves_by_cases(prover, ["N", "T"], dim("N") - 2 - index)


def test_dims_are_told_apart_in_units() -> None:
    prover = Prover([("H", 8)])
    h = multiple("H", 8)
    assert proves_by_cases(prover, ["H"], dim_max(h // 8, 40) + dim_min(h, 48) // 16 - dim_min(h // 8, 41))
    assert not proves_by_cases(prover, ["H"], dim_min(h // 8, 43) - dim_max(h // 8, 40))


def test_factors_that_all_terms_share_are_left_out() -> None:
    """Pairs of the steps that a convolution leaves, in each of N samples."""
    prover = Prover([("N", 1), ("T", 2)])
    prover.variable("s", -1, 1)
    assert prover.proves(parse_dim("N*((T + 1)//2) - 2*N*((T + 1)//4)"))
    assert prover.proves(parse_dim("(N*((T + 1)//2) - 2*N*((T + 1)//4))//8"))
    assert not prover.proves(parse_dim("N*((T + 1)//2) - 2*N*((T + 3)//4)"))
    assert not prover.proves(parse_dim("s*((T + 1)//2) - 2*s*((T + 1)//4)"))
    assert prover.proves(parse_dim("N*(T//2) - N"))


def test_a_short_proof_is_found_before_long_wrong_ways() -> None:
    """The bound of a tile that is cut off at the end: an unlimited search took hundreds of steps."""
    prover = Prover([("N", 1)])
    prover.variable("i", 0, parse_dim("5*((4*N + 4)//5) - 5"))
    prover.assume(parse_dim("4*N - 1 - i"))
    prover.assume(parse_dim("4*N - 1"))
    prover.variable("k", parse_dim("i"), parse_dim("min(4*N, i + 5) - 1"))
    assert prover.proves(parse_dim("4*N - 1 - k"))
    assert prover.steps <= 10


def test_facts_are_forgotten() -> None:
    prover = Prover([("N", 1)])
    n, i = dim("N"), dim("i")
    with prover.scope():
        prover.variable("i", 0, n - 1)
        prover.assume(n - 5)
        assert prover.proves(i // 2)
        assert prover.proves(n - 5)
    assert not prover.proves(n - 5)
    assert not prover.declared("i")
    with prover.scope():  # the same name may mean something else
        prover.variable("i", -n, n)
        assert not prover.proves(i // 2)
