"""Epochs with as many samples of each class: those of rare classes come several times, of frequent ones not all."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from netwright.specs.random import BALANCE, permutation

from ..data.samples import Samples
from ..errors import DataError


def classes_of(dataset: Samples, name: str) -> NDArray[np.int64]:
    """The class of each sample. Raises DataError if the array called ``name`` has not a whole number per sample."""
    header = dataset.headers[name]
    if len(header.shape) != 1 or header.dtype.kind not in "iub":
        shape = ", ".join(map(str, header.shape))
        raise DataError(
            f"{dataset.name}: samples are balanced by a class number each, and {name} is {header.dtype.name} [{shape}]"
        )
    return np.concatenate([arrays[name] for _, arrays in dataset.pieces([name])]).astype(np.int64)


class Balance:
    """Draws samples of all ``classes`` that occur, equally many of each, or one more of some."""

    def __init__(self, classes: NDArray[np.int64], seed: int):
        self._count, self._seed = len(classes), seed
        self._members = {int(number): np.flatnonzero(classes == number) for number in np.unique(classes)}

    def epoch(self, epoch: int) -> NDArray[np.int64]:
        """As many samples as there are, class by class; n + count·i is the i-th time that sample n comes, from i = 0.

        A class goes through all of its samples, in an order that is drawn anew each time, before it repeats one, and
        each epoch goes on about where the one before ended.
        """
        size, rest = divmod(self._count, len(self._members))
        drawn: list[NDArray[np.int64]] = []
        for position, (number, members) in enumerate(self._members.items()):
            most = size + (rest > 0)
            wanted = size + ((position - epoch) % len(self._members) < rest)
            first, skipped = divmod(epoch * most, len(members))
            rounds = -(-(skipped + wanted) // len(members))
            orders = [
                permutation(self._seed, f"{BALANCE}.{number}", first + i, len(members)) for i in range(rounds)
            ]
            rows = members[np.concatenate(orders)][skipped : skipped + wanted]
            drawn.append(rows + self._count * _times_before(rows))
        return np.concatenate(drawn)


def _times_before(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """How often each element has come before."""
    order = np.argsort(rows, kind="stable")
    ordered = rows[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    lengths = np.diff(np.r_[starts, len(rows)])
    times = np.empty_like(rows)
    times[order] = np.arange(len(rows)) - np.repeat(starts, lengths)
    return times
