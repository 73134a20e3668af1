"""The order in which parts of a batch are added up, and which process computes which."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from netwright.runtime.batches import Division
from netwright.runtime.training.distributed.tree import covering, joined, tree_sum

COUNTS = st.integers(1, 40)


@given(COUNTS, st.integers(1, 12), st.integers(0, 100))
def test_ranks_share_all_samples(parts: int, ranks: int, samples: int) -> None:
    divisions = [Division.of_rank(rank, ranks, parts) for rank in range(ranks)]
    assert [part for division in divisions for part in division.own] == list(range(parts))
    rows = [row for division in divisions for row in range(samples)[division.rows(samples)]]
    assert rows == list(range(samples))
    sizes = [len(range(samples)[divisions[0].rows(samples, part)]) for part in range(parts)]
    assert max(sizes) - min(sizes) <= 1


@given(COUNTS, st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_sums_have_the_same_bits_on_any_number_of_ranks(parts: int, ranks: int, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=(parts, 3)).astype(np.float32)
    whole = (0, parts)

    def leaf(part: int) -> NDArray:
        return values[part].copy()

    alone = tree_sum(whole, leaf)
    known: dict[tuple[int, int], NDArray] = {}
    for rank in range(ranks):
        for node in covering(Division.of_rank(rank, ranks, parts).own, whole):
            known[node] = tree_sum(node, leaf)
    assert np.array_equal(joined(whole, known), alone)
    np.testing.assert_allclose(alone, values.sum(0, dtype=np.float64), atol=1e-4)
