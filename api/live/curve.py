"""The loss over a training so far, in a bounded number of points."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from netwright.runtime.scores import value_of
from netwright.runtime.totals import Totals

_MOST = 1024


class LossCurve:
    """Mean losses between looks at the totals of an epoch: ``look`` may be called as seldom as one likes. When there
    are too many points, neighbours become one.
    """

    def __init__(self) -> None:
        self.points: list[float] = []
        self._together, self._pending = 1, list[float]()
        self._totals: Totals | None = None
        self._before: tuple[NDArray, ...] = ()

    def look(self, totals: Totals) -> None:
        """Adds the mean loss of the steps since the last look."""
        score = totals.scores[0] if totals.scores else None
        sums = totals.sums.get(score.name) if score is not None else None
        if score is None or sums is None:
            return
        if totals is not self._totals:  # another epoch
            self._totals, self._before = totals, tuple(np.zeros_like(part) for part in sums)
        value = value_of(score, [now - past for now, past in zip(sums, self._before, strict=True)])
        self._before = sums
        if math.isfinite(value):
            self._add(value)

    def _add(self, value: float) -> None:
        self._pending.append(value)
        if len(self._pending) < self._together:
            return
        self.points.append(sum(self._pending) / len(self._pending))
        self._pending.clear()
        if len(self.points) >= _MOST:
            pairs = zip(self.points[::2], self.points[1::2], strict=True)
            self.points = [(a + b) / 2 for a, b in pairs]
            self._together *= 2
