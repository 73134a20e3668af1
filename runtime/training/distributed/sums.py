"""The sum of the gradients of all parts of a batch, on all ranks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ...batches import Division
from ...sessions.session import Session
from .communicator import Communicator, Wait
from .tree import covering, joined, tree_sum

Compute = Callable[[int], None]
"""Computes the gradients of a part into the session's array."""

#: The least bytes of gradients that are sent together. Less would cost more messages than the waiting is worth.
BUCKET = 1 << 18


class GradientSum(Protocol):
    """Adds up gradients."""

    def start(self, compute: Compute) -> Wait:
        """Computes this rank's parts, and begins to replace the session's gradients by the sum of all parts."""
        ...


class RankSum:
    """One part per rank, added up by the communicator in the order that suits it.

    Gradients are complete one after the other while the entry runs backwards through the layers. They are sent in
    buckets, each as soon as it is complete.
    """

    def __init__(self, session: Session, communicator: Communicator, bucket: int = BUCKET):
        self._session, self._communicator = session, communicator
        self._started: list[Wait] = []
        self._error: Exception | None = None
        self._complete = session.gradients_after_marks()
        self._buckets = _buckets(self._complete, session.gradients.size, bucket // session.gradients.itemsize)

    def start(self, compute: Compute) -> Wait:
        self._started, self._error = [], None
        if len(self._buckets) > 1:
            self._session.engine.tell(self._passed)
        try:
            compute(self._communicator.rank)
        finally:
            self._session.engine.tell(None)
        if self._error is not None:
            raise self._error
        self._send(self._session.gradients.size)
        return self._wait

    def _passed(self, mark: int) -> None:
        try:
            for wait in self._started:
                self._communicator.go_on(wait)
            self._send(self._complete[mark])
        except Exception as error:  # nobody would hear of it
            self._error = error

    def _send(self, complete: int) -> None:
        """Starts the sums of the buckets of the first ``complete`` elements. All ranks have the same buckets, also
        where a part without samples passes no marks.
        """
        for start, end in self._buckets[len(self._started) :]:
            if end > complete:
                break
            self._started.append(self._communicator.start_sum(self._session.gradients[start:end]))

    def _wait(self) -> None:
        for wait in self._started:
            wait()


def _buckets(complete: Sequence[int], size: int, least: int) -> list[tuple[int, int]]:
    """Where each bucket begins and ends. Each ends where some elements are complete, and has the ``least`` size, but
    for the last."""
    ends = [0]
    for end in complete:
        if end - ends[-1] >= least and size - end >= least:
            ends.append(end)
    ends += [size] if size > ends[-1] else []
    return list(pairwise(ends))


class FixedSum:
    """Parts added up in the order of a fixed tree, on however many ranks: the same bits."""

    def __init__(self, session: Session, communicator: Communicator, divisions: Sequence[Division]):
        self._session, self._communicator = session, communicator
        self._whole = (0, divisions[0].parts)
        self._nodes = [covering(division.own, self._whole) for division in divisions]

    def start(self, compute: Compute) -> Wait:
        rank, ranks, gradients = self._communicator.rank, self._communicator.size, self._session.gradients

        def computed(part: int) -> NDArray:
            compute(part)
            return gradients.copy()

        blocks = [tree_sum(node, computed) for node in self._nodes[rank]]
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
