"""The sum of the gradients of all parts of a batch, on all ranks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..batches import Division
from .communicator import Communicator, Wait
from .tree import covering, joined, tree_sum

Compute = Callable[[int], NDArray]
"""Computes the gradients of a part into the session's array, and returns that."""


class GradientSum(Protocol):
    """Adds up gradients."""

    def start(self, gradients: NDArray, compute: Compute) -> Wait:
        """Computes this rank's parts, and begins to replace ``gradients`` by the sum of all parts."""
        ...


class RankSum:
    """One part per rank, added up by the communicator, in the order that suits it."""

    def __init__(self, communicator: Communicator):
        self._communicator = communicator

    def start(self, gradients: NDArray, compute: Compute) -> Wait:
        compute(self._communicator.rank)
        return self._communicator.start_sum(gradients)


class FixedSum:
    """Parts added up in the order of a fixed tree, on however many ranks: the same bits."""

    def __init__(self, communicator: Communicator, divisions: Sequence[Division]):
        self._communicator = communicator
        self._whole = (0, divisions[0].parts)
        self._nodes = [covering(division.own, self._whole) for division in divisions]

    def start(self, gradients: NDArray, compute: Compute) -> Wait:
        rank, ranks = self._communicator.rank, self._communicator.size
        blocks = [tree_sum(node, lambda part: compute(part).copy()) for node in self._nodes[rank]]
        if ranks == 1:
            gradients[...] = blocks[0]
            return lambda: None
        # Each rank adds up all nodes in a part of the array.
        ends = [gradients.size * (number + 1) // ranks for number in range(ranks)]
        received = self._communicator.exchange(np.stack(blocks), [len(nodes) for nodes in self._nodes], ends)
        sums = {
            node: row
            for nodes, rows in zip(self._nodes, received, strict=True)
            for node, row in zip(nodes, rows, strict=True)
        }
        start = ends[rank - 1] if rank else 0
        gradients[start : ends[rank]] = joined(self._whole, sums)
        self._communicator.share(gradients, ends)
        return lambda: None
