"""When a training writes its checkpoint: after so many epochs, steps or minutes, when it is asked to stop, and at the
end.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from .plan import Interval, Progress


class Saver:
    """Calls ``save(path)`` when it is time; without a ``path``, never. The same place is not saved twice in a row.
    ``clock`` tells the seconds.
    """

    def __init__(
        self,
        path: str | Path | None,
        every: Interval,
        save: Callable[[str | Path], None],
        clock: Callable[[], float] = time.monotonic,
    ):
        self._path, self._every, self._save, self._clock = path, every, save, clock
        self._place: tuple[int, int] | None = None
        self._time = clock()

    def after_step(self, progress: Progress) -> None:
        """Saves if the interval is one of steps or minutes, and is over."""
        steps = self._every.steps
        if (steps is not None and progress.step % steps == 0) or self._is_late():
            self.now(progress)

    def after_epoch(self, progress: Progress) -> None:
        """Saves if the interval is one of epochs or minutes, and is over."""
        epochs = self._every.epochs
        if (epochs is not None and progress.epoch % epochs == 0) or self._is_late():
            self.now(progress)

    def now(self, progress: Progress) -> None:
        """Saves what has not been saved."""
        place = progress.epoch, progress.batch
        if self._path is not None and place != self._place:
            self._save(self._path)
            self._place, self._time = place, self._clock()

    def _is_late(self) -> bool:
        minutes = self._every.minutes
        return minutes is not None and self._clock() - self._time >= 60 * minutes
