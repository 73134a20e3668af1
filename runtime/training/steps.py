"""How a training runs its batches: each as a whole in this process, or (``distributed/``) divided among several."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Protocol

from numpy.typing import NDArray

from ..batches import WHOLE, Batch, Batches, Division, read_ahead
from ..sessions.session import Session
from ..totals import Totals
from .interrupt import InterruptRequest


class Steps(Protocol):
    """Runs batches. In a training of several processes all of them call the same methods in the same order."""

    session: Session
    entry: str
    """The entry whose inputs a batch has."""
    division: Division
    """The part of a batch that is read."""
    writes: bool
    """Whether this process writes files."""

    @property
    def signal(self) -> int | None:
        """The signal that asked to stop, if any."""
        ...

    def ready(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """The batches one by one, until they end or a signal asks to stop."""
        ...

    def run(self, batch: Batch) -> Mapping[str, NDArray]:
        """Trains on a batch that ``ready`` gave. Returns the sums of its losses and metrics from before the update."""
        ...

    def evaluate(self, batches: Batches) -> Totals:
        """The sums of losses and metrics over all batches, or over those before a signal asked to stop."""
        ...

    def reset_carry(self) -> None:
        """Sets the recurrent states that are carried between windows back to zero."""
        ...

    def state(self) -> dict[str, NDArray]:
        """All state, that of whole batches, to be saved."""
        ...

    def restored(self) -> None:
        """The session's values were replaced by saved ones."""
        ...

    def settle(self) -> str | None:
        """Makes sure that all processes have the same values. Returns what was wrong, if anything was."""
        ...

    def clock(self) -> float:
        """Seconds since some time, the same in all processes."""
        ...

    def agreed(self, flag: bool, error: Exception | None = None) -> bool:
        """Whether the flag is set in any process. Raises ``error``, if one is given in any process."""
        ...

    def explanation(self, texts: Mapping[int, str]) -> str:
        """The text with the largest number of any process."""
        ...


class WholeSteps:
    """Runs whole batches in this process, each with one call of ``train_step``."""

    entry, division, writes = "train_step", WHOLE, True

    def __init__(self, session: Session, interrupt: InterruptRequest):
        self.session, self._interrupt = session, interrupt

    @property
    def signal(self) -> int | None:
        return self._interrupt.signal

    def ready(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        for batch in batches:
            if self._interrupt.requested:
                return
            yield batch

    def run(self, batch: Batch) -> Mapping[str, NDArray]:
        return self.session.run("train_step", batch.arrays)

    def evaluate(self, batches: Batches) -> Totals:
        totals = Totals(self.session.manifest.scores)
        with read_ahead(batches.epoch(0), batches.ahead) as upcoming:
            for batch in upcoming:
                if self._interrupt.requested:
                    break
                totals.add(self.session.run("loss", batch.arrays))
        return totals

    def reset_carry(self) -> None:
        self.session.reset_carry()

    def state(self) -> dict[str, NDArray]:
        return self.session.state

    def restored(self) -> None:
        return

    def settle(self) -> str | None:
        return None

    def clock(self) -> float:
        return time.monotonic()

    def agreed(self, flag: bool, error: Exception | None = None) -> bool:
        if error is not None:
            raise error
        return flag

    def explanation(self, texts: Mapping[int, str]) -> str:
        return texts[max(texts)]
