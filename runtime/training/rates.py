"""The learning rate range test: what the loss does while the rate rises, and which rates that speaks for.

Leslie Smith, "Cyclical Learning Rates for Training Neural Networks" (2015, section 3.3): one short training in which
the rate rises shows where learning begins and where it breaks down. That the rate rises geometrically, and the two
readings of the curve (the steepest fall, a tenth of the rate at the least loss), are those of fastai (Howard and
Gugger, 2020).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isfinite

import numpy as np
from numpy.typing import NDArray

#: The loss has diverged above so many times its least value.
MULTIPLE = 4.0
#: A fall counts above so many standard errors of a smoothed loss: of noise alone, few curves seem to fall so far.
_CLEAR = 4.5
#: Fewer steps show nothing.
LEAST_STEPS = 10


def rising_rates(first: float, last: float, steps: int) -> NDArray[np.float64]:
    """``steps`` rates from ``first`` to ``last``, each the same multiple of the one before. Raises ValueError."""
    if not (isfinite(first) and isfinite(last) and 0 < first < last):
        raise ValueError(f"rates rise from a number above 0 to a larger one, not from {first:g} to {last:g}")
    if steps < LEAST_STEPS:
        raise ValueError(f"a curve needs at least {LEAST_STEPS} steps, not {steps}")
    rates = np.geomspace(first, last, steps)
    if not (np.diff(rates) > 0).all():
        raise ValueError(f"{steps} steps from {first:g} to {last:g} do not differ: choose a wider range")
    return rates


def reach_of(steps: int) -> int:
    """How many losses on each side are averaged in a curve of so many steps: a tenth of it altogether."""
    return max(1, steps // 20)


def has_diverged(now: float, least: float, first: float) -> bool:
    """Whether the smoothed loss ``now`` is out of control: above ``MULTIPLE`` times its ``least`` value, or for a
    negative one as far above it, and above the ``first``. So a loss near 0 may still vary.
    """
    return not now - least <= (MULTIPLE - 1) * abs(least) and not now <= first


@dataclass(frozen=True)
class RateCurve:
    """The losses ``[steps]`` at the ``rates`` ``[steps]``, each a mean from before the update with that rate.

    ``planned`` counts the steps up to the last rate; there are fewer if the loss ``diverged``. So many steps,
    ``windows``, go through a batch of sequences: their losses may differ for other reasons than the rate.
    """

    rates: Sequence[float]
    losses: Sequence[float]
    planned: int
    diverged: bool
    windows: int = 1

    @cached_property
    def smoothed(self) -> NDArray[np.float64]:
        """Each loss as the mean of itself and its neighbours, as many before as after, so that the curve is not shifted
        to larger rates; fewer at the ends.
        """
        reach, count = reach_of(self.planned), len(self.losses)
        losses = np.asarray(self.losses, np.float64)
        reaches = [min(reach, i, count - 1 - i) for i in range(count)]
        return np.array([losses[i - near : i + near + 1].mean() for i, near in enumerate(reaches)])

    @cached_property
    def _inner(self) -> slice:
        """The steps with all their neighbours: at the ends, the curve is not smooth enough to be read."""
        reach = reach_of(self.planned)
        return slice(reach, max(len(self.losses) - reach, reach))

    @cached_property
    def least(self) -> int:
        """The step with the least smoothed loss, the first and last few aside."""
        inner = self.smoothed[self._inner]
        return self._inner.start + int(inner.argmin()) if inner.size else int(self.smoothed.argmin())

    @property
    def stays_above(self) -> bool:
        """Whether the loss never comes below where it began: a first rate that is too large makes it jump up, and it
        may only come back from that.
        """
        return bool(self.smoothed[self.least] >= max(self.losses[: self.windows]))

    @cached_property
    def falls(self) -> bool:
        """Whether the loss falls by clearly more than the smoothed curve varies by itself, and below where it began."""
        before = slice(self._inner.start, self.least + 1)
        smoothed = self.smoothed[before]
        if len(smoothed) < 2 or self.stays_above:
            return False
        losses = np.asarray(self.losses[before])
        changes = (
            losses[self.windows :] - losses[: -self.windows]
        )  # those of the same window, one batch later
        if not changes.size:
            return False
        varies = np.std(changes) / np.sqrt(2 * (2 * reach_of(self.planned) + 1))
        return bool(smoothed[0] - smoothed[-1] > _CLEAR * varies)

    @property
    def still_falls(self) -> bool:
        """Whether the loss is least at the last rates, so that larger ones might be better."""
        return (
            self.falls and not self.diverged and self.least >= self.planned - 2 - 2 * reach_of(self.planned)
        )

    @cached_property
    def steepest(self) -> float | None:
        """The rate at which the smoothed loss falls fastest per decade, before its least value; None if it does not
        fall.
        """
        if not self.falls:
            return None
        before = slice(self._inner.start, self.least + 1)
        slopes = np.gradient(self.smoothed[before], np.log10(self.rates[before]))
        return float(self.rates[before.start + int(slopes.argmin())])

    @property
    def tenth(self) -> float | None:
        """A tenth of the rate with the least smoothed loss; None if it does not fall."""
        return float(self.rates[self.least]) / 10 if self.falls else None
