"""Learning rates that drop when a number stops improving."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Plateau:
    """Multiplies the rate by ``factor`` after ``patience`` epochs in a row that don't beat the best by more than
    ``min_delta``. ``monitor`` names the number, as in ``TrainingPlan``.
    """

    factor: float
    patience: int
    min_delta: float = 0.0
    monitor: str | None = None

    def scale(self, values: Sequence[float], rises: bool) -> float:
        """What the first rate is multiplied by after epochs with these values: a function of them alone, so that a
        training that is resumed needs to know nothing else.
        """
        sign = 1 if rises else -1
        best, waited, drops = values[0] if values else 0.0, 0, 0
        for value in values[1:]:
            if sign * (value - best) > self.min_delta:
                best, waited = value, 0
            else:
                waited += 1
            if waited == self.patience:
                waited, drops = 0, drops + 1
        return self.factor**drops
