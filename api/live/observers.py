"""What a training prints for files and pipes: the table of epochs alone, or with lines in between."""

from __future__ import annotations

import time

from rich.console import Console
from rich.text import Text

from netwright.runtime.totals import Totals
from netwright.runtime.training.plan import EpochRecord, TrainingPlan
from netwright.runtime.training.progress import Observer, Silent
from netwright.specs.diagnostics.visible import visible

from .epochs import EpochTable
from .view import LiveView, Rate
from .words import number_text

#: Seconds between two lines within an epoch.
_EVERY = 10.0


class PlainLines(Silent):
    """Prints the table of epochs; with ``verbose`` also a line every ten seconds within an epoch."""

    def __init__(self, console: Console, *, verbose: bool = False):
        self._console, self._verbose = console, verbose
        self._table: EpochTable | None = None
        self._batches = 0
        self._printed = 0.0

    def start(self, plan: TrainingPlan, batches: int, epoch: int, batch: int) -> None:
        self._table, self._batches = EpochTable(self._console, plan.epochs), batches
        self._printed = time.monotonic()

    def step(self, epoch: int, batch: int, samples: int, totals: Totals) -> None:
        if not self._verbose or time.monotonic() - self._printed < _EVERY:
            return
        self._printed = time.monotonic()
        numbers = "  ".join(f"{visible(name)} {number_text(value)}" for name, value in totals.means().items())
        self.notice(f"epoch {epoch}, batch {batch:,} of {self._batches:,}  {numbers}")

    def epoch(self, record: EpochRecord, best: bool) -> None:
        if self._table is not None:
            self._table.row(record, best)
        self._printed = time.monotonic()

    def notice(self, message: str) -> None:
        self._console.print(Text(message), soft_wrap=True)


class Notices(Silent):
    """Prints only what a user should read."""

    def __init__(self, console: Console):
        self._console = console

    def notice(self, message: str) -> None:
        self._console.print(Text(message), soft_wrap=True)


def observer_for(
    console: Console, *, quiet: bool = False, verbose: bool = False, rate: Rate | None = None
) -> Observer:
    """The live view if ``console`` is a terminal, otherwise plain lines; if ``quiet``, notices alone. ``rate`` tells
    the learning rate of the next update.
    """
    if quiet:
        return Notices(console)
    return LiveView(console, rate) if console.is_terminal else PlainLines(console, verbose=verbose)
