"""The number that a training watches: which epoch is best, when it ends early, when its learning rate drops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from netwright.specs.manifest import ScoreInfo

from ..errors import TrainingError, did_you_mean, listed
from .plan import EpochRecord


@dataclass(frozen=True)
class Monitor:
    """A number of each epoch, such as `valid_loss`, and whether it should rise."""

    name: str
    rises: bool

    @classmethod
    def of(cls, name: str, scores: Sequence[ScoreInfo], *, validated: bool) -> Monitor:
        """Raises TrainingError if no such number is computed."""
        part, _, number = name.partition("_")
        if part == "valid" and not validated:
            raise TrainingError(f"{name} can't be monitored: there are no validation data")
        known = {score.name: score for score in scores}
        if number not in known:
            raise TrainingError(
                f"{name} can't be monitored: there is {listed(known)}{did_you_mean(number, known)}"
            )
        return cls(name, known[number].rises)

    def best_epochs(self, history: Sequence[EpochRecord], margin: float) -> list[int]:
        """The epochs that were the best so far when they ended."""
        best: list[EpochRecord] = []
        for record in history:
            if not best or self.is_better(record, best[-1], margin):
                best.append(record)
        return [record.epoch for record in best]

    def is_better(self, record: EpochRecord, best: EpochRecord, margin: float) -> bool:
        """Whether an epoch beats another by more than ``margin``."""
        sign = 1 if self.rises else -1
        return sign * (record.value(self.name) - best.value(self.name)) > margin
