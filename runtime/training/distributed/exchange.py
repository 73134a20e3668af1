"""What ranks tell each other in every step: numbers per part of the batch, signals, the time, errors."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...batches import Division
from ..interrupt import InterruptRequest
from .agreement import meet
from .communicator import Communicator

#: What a rank says of itself: whether it has an error, the signal that it got, its time.
_FAILED, _SIGNAL, _TIME = range(3)


class Exchange:
    """Exchanges numbers between ranks that each compute some parts of a batch."""

    def __init__(self, communicator: Communicator, parts: int, interrupt: InterruptRequest):
        self.communicator, self._parts, self._interrupt = communicator, parts, interrupt
        ranks = communicator.size
        self.divisions = [Division.of_rank(rank, ranks, parts) for rank in range(ranks)]
        self.division = self.divisions[communicator.rank]
        #: The signal that some rank got, as of the last exchange, and the time of rank 0.
        self.signal: int | None = None
        self.time = 0.0

    def rows(self, own: NDArray[np.float64], error: Exception | None = None) -> NDArray[np.float64]:
        """The numbers of all parts [parts, …] from those of this rank's own parts. If a rank has an ``error``, it is
        raised there, and a RankError on the others.
        """
        if (
            self.communicator.size == 1
        ):  # the rest takes half a millisecond where computing has filled the caches
            self.time, self.signal = time.monotonic(), self._interrupt.signal
            if error is not None:
                meet(self.communicator, error)
            return own
        width = own.shape[1]
        counts = [len(division.own) * width + 3 for division in self.divisions]
        head = [float(error is not None), float(self._interrupt.signal or 0), time.monotonic()]
        gathered = self.communicator.gather(np.concatenate([head, own.ravel()]), counts)
        pieces = np.split(gathered, np.cumsum(counts)[:-1])
        heads = np.array([piece[:3] for piece in pieces])
        self.time = float(heads[0, _TIME])
        signals: Sequence[float] = heads[:, _SIGNAL][heads[:, _SIGNAL] > 0].tolist()
        self.signal = int(signals[0]) if signals else None
        if heads[:, _FAILED].any():
            meet(self.communicator, error)
        return np.concatenate([piece[3:].reshape(-1, width) for piece in pieces])

    def total(self, own: NDArray[np.float64], error: Exception | None = None) -> NDArray[np.float64]:
        """The sum of the numbers of all parts, in their order."""
        total = np.zeros(own.shape[1])
        for row in self.rows(own, error):
            total += row
        return total
