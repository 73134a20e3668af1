"""How fast a training is, and how long it still takes."""

from __future__ import annotations

import time
from collections.abc import Callable


class Pace:
    """Measures seconds per batch, samples per second, and what an epoch needs besides its batches (validation and
    checkpoints), by looks at the clock that come as seldom as one likes.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter):
        self._clock = clock
        self._batches, self._seconds = 0, 0.0
        self._aside, self._epochs = 0.0, 0
        self._last = self._first = (0.0, 0, 0)
        #: Samples per second in this epoch; None before it is known.
        self.speed: float | None = None

    def start(self, batch: int) -> None:
        """The training begins or resumes after ``batch`` batches of an epoch."""
        self._first = self._last = (self._clock(), batch, -1)

    def look(self, batch: int, samples: int) -> None:
        """So many batches and samples of the epoch are done."""
        now = self._clock()
        began, first_batch, before = self._first
        if batch == self._last[1]:
            return
        if before < 0:  # what came before the first step, such as compiling, is no part of the pace
            self._first = self._last = (now, batch, samples)
            return
        self._batches += batch - self._last[1]
        self._seconds += now - self._last[0]
        self._last = (now, batch, samples)
        if now > began and batch > first_batch:
            self.speed = (samples - before) / (now - began)

    def end_epoch(self) -> None:
        """An epoch with its validation is over."""
        now = self._clock()
        self._aside, self._epochs = self._aside + now - self._last[0], self._epochs + 1
        self._first = self._last = (now, 0, 0)

    def left(self, batches: int, epochs: int, each: int) -> tuple[float | None, float | None]:
        """The seconds left for so many ``batches`` of this epoch, and with ``epochs`` more of ``each`` batches; None if
        nothing is known yet.
        """
        if not self._batches:
            return None, None
        per_batch = self._seconds / self._batches
        aside = self._aside / self._epochs if self._epochs else 0.0
        left = batches * per_batch + aside
        return left, left + epochs * (each * per_batch + aside)
