"""Records a training while it runs: the loss of some steps, and the numbers of every epoch."""

from __future__ import annotations

import time
from typing import Protocol

import numpy as np

from ..sessions.session import Session
from ..totals import Totals
from .metrics.records import Record, epoch_record, step_record
from .plan import EpochRecord, Progress, TrainingPlan
from .schedules import rate_after, reported

#: At most so many of an epoch's steps, and of all that are planned, are recorded.
_PER_EPOCH, _IN_ALL = 20, 2000


class Sink(Protocol):
    """Takes the records, such as ``metrics.writer.MetricsWriter``."""

    def begin(self, history: list[EpochRecord], best_epochs: list[int], steps: int) -> None:
        """The training begins, or goes on after these epochs and steps."""
        ...

    def write(self, record: Record) -> None:
        """A step or an epoch was made."""
        ...


class Recorder:
    """Tells a ``sink`` about steps and epochs.

    Which steps are recorded follows from their place in the epoch, and their loss is a mean since the last one that
    was; so a training that was interrupted has the same records as one that was not.
    """

    def __init__(self, sink: Sink, plan: TrainingPlan, session: Session):
        self._sink, self._plan, self._session = sink, plan, session

    def begin(self, progress: Progress, best_epochs: list[int], batches: int) -> None:
        """The training begins, or goes on at ``progress`` in an epoch of so many ``batches``."""
        self._sink.begin(progress.history, best_epochs, progress.step)
        if (
            progress.batch and _sums(progress) != progress.recorded
        ):  # the disk was full when it came to the record
            self.step(progress, batches)

    def step(self, progress: Progress, batches: int) -> None:
        """A step of an epoch of so many ``batches`` is done."""
        every = max(1, -(-batches // _PER_EPOCH), -(-batches * self._plan.epochs // _IN_ALL))
        if progress.batch % every:
            return
        scores = progress.totals.scores[:1]
        sums = _sums(progress)
        window = Totals(scores)
        before = progress.recorded or (0.0,) * len(sums)
        window.sums = {scores[0].name: tuple(np.asarray(sums) - np.asarray(before))}
        loss = window.means()[scores[0].name]
        rate = current_rate(self._plan, self._session)
        epoch = progress.epoch + 1
        self._sink.write(step_record(progress.step, epoch, loss, rate, progress.seconds, time.time()))
        progress.recorded = sums

    def epoch(self, record: EpochRecord, best: bool) -> None:
        """An epoch is done."""
        self._sink.write(epoch_record(record, best, time.time()))


def _sums(progress: Progress) -> tuple[float, ...]:
    """The sums of the loss in the epoch so far."""
    totals = progress.totals
    return tuple(float(part) for part in totals.sums[totals.scores[0].name])


def current_rate(plan: TrainingPlan, session: Session) -> float | None:
    """The learning rate of the last update; None if the plan says nothing about it."""
    if plan.schedule is None:
        return None
    return reported(rate_after(plan.schedule, max(session.updates - 1, 0), session.rate_scale))
