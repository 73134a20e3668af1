"""Who is told what happens in a training."""

from __future__ import annotations

from typing import Protocol

from ..totals import Totals
from .plan import EpochRecord, TrainingPlan, TrainingResult


class Observer(Protocol):
    """Receives the events of a training. Epochs count from 1; ``batch`` batches of the epoch are done."""

    def start(self, plan: TrainingPlan, batches: int, epoch: int, batch: int) -> None:
        """Training begins or resumes at this batch; an epoch has ``batches``."""
        ...

    def step(self, epoch: int, batch: int, samples: int, totals: Totals) -> None:
        """A step is done. ``samples`` and ``totals`` are those of the epoch so far."""
        ...

    def epoch(self, record: EpochRecord, best: bool) -> None:
        """An epoch and its validation are done. ``best`` says whether its weights are the best so far."""
        ...

    def notice(self, message: str) -> None:
        """Something happened that the user should read."""
        ...

    def end(self, result: TrainingResult | None) -> None:
        """Training is over. ``result`` is None if an error other than DivergedError ended it."""
        ...


class Silent:
    """Does nothing."""

    def start(self, plan: TrainingPlan, batches: int, epoch: int, batch: int) -> None:
        return

    def step(self, epoch: int, batch: int, samples: int, totals: Totals) -> None:
        return

    def epoch(self, record: EpochRecord, best: bool) -> None:
        return

    def notice(self, message: str) -> None:
        return

    def end(self, result: TrainingResult | None) -> None:
        return
