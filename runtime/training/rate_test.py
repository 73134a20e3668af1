"""Runs the learning rate range test: a training in which every update has a larger rate than the one before."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from math import isnan

import numpy as np
from numpy.typing import NDArray

from ..batches import Batch, read_ahead
from ..data.samples import Samples
from ..errors import TrainingError
from ..sessions.session import Session
from ..totals import Totals, infinite_loss
from .causes import cause_of
from .feeding import training_batches
from .plan import TrainingPlan
from .rates import RateCurve, has_diverged, reach_of

#: No loss is that large: the squares of what is below are finite, too.
_LARGEST = 1e100
#: Is told the number of steps done, and the loss of the last one.
Told = Callable[[int, float], None]


def run_rate_test(
    session: Session,
    plan: TrainingPlan,
    data: Samples,
    rates: NDArray[np.float64],
    *,
    accumulate: int = 1,
    told: Told | None = None,
) -> RateCurve:
    """Makes an update with each of the ``rates`` ``[steps]``, from the batches of ``plan``, until the loss diverges.

    The session has to be of a plateau schedule from 1, so that the rate is what that is scaled by. ``accumulate``
    batches make an update, fewer at the end of an epoch. The data are gone through as often as it takes. Afterwards the
    session's weights are good for nothing.

    Raises DataError for data that don't fit, and TrainingError for a loss that is not finite before any update.
    """
    data.require(session.input_info("train_step"), session.manifest.dims, plan.windows)
    test = _RateTest(session, plan, data, rates, accumulate, told or (lambda done, loss: None))
    batches = training_batches(session, plan, data, plan.batch_size)
    for epoch in count():
        with read_ahead(batches.epoch(epoch), batches.ahead) as upcoming:
            for batch in upcoming:
                if not test.step(batch, ends_epoch=batch.index == len(batches) - 1):
                    return test.curve(-(-batches.windows_per_batch // accumulate))
    raise AssertionError("epochs do not end")


class _RateTest:
    def __init__(
        self,
        session: Session,
        plan: TrainingPlan,
        data: Samples,
        rates: NDArray[np.float64],
        accumulate: int,
        told: Told,
    ):
        self.session, self.plan, self.data, self.rates = session, plan, data, rates
        self.accumulate, self.told = accumulate, told
        self.first_weights = session.weights
        self.losses: list[float] = []
        self.least = np.inf
        self.diverged = False
        self._totals, self._gathered = Totals(session.manifest.scores), 0

    def step(self, batch: Batch, *, ends_epoch: bool) -> bool:
        """Trains on a batch. Returns whether the test goes on."""
        session = self.session
        if batch.starts_sequence or not self.plan.carry_state:
            session.reset_carry()
        if ends_epoch:
            session.end_group()
        session.scale_rate(float(self.rates[len(self.losses)]))
        outputs = session.run("train_step", batch.arrays)
        if infinite_loss(session.manifest.scores, outputs) is not None:
            if not self.losses:
                cause = cause_of(
                    session, self.first_weights, batch.arrays, self.data, batch.rows, self.plan.mask
                )
                raise TrainingError(f"the loss is not finite before the first update. {cause}")
            self.diverged = True
            return False
        self._totals.add(outputs)
        self._gathered += 1
        if self._gathered < self.accumulate and not ends_epoch:
            return True
        loss = self._totals.means()["loss"]
        self._totals, self._gathered = Totals(session.manifest.scores), 0
        if isnan(loss):
            raise TrainingError(
                f"nothing counts in the loss of update {len(self.losses) + 1}: its batches have no step that does"
            )
        if abs(loss) > _LARGEST:
            self.diverged = True
        else:
            self._record(loss)
        return not self.diverged and len(self.losses) < len(self.rates)

    def _record(self, loss: float) -> None:
        self.losses.append(loss)
        self.told(len(self.losses), loss)
        window = 2 * reach_of(len(self.rates)) + 1
        if len(self.losses) < window:
            return
        smoothed = float(np.mean(self.losses[-window:]))
        first = float(np.mean(self.losses[:window]))
        self.diverged = has_diverged(smoothed, min(self.least, smoothed), first)
        self.least = min(self.least, smoothed)

    def curve(self, windows: int) -> RateCurve:
        """What was measured; so many updates go through a batch."""
        rates = self.rates[: len(self.losses)]
        return RateCurve(tuple(rates.tolist()), tuple(self.losses), len(self.rates), self.diverged, windows)
