"""What a training prints while it runs: a progress bar on a terminal, otherwise one plain line per epoch."""

from __future__ import annotations

import time
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from .plan import EpochRecord, TrainingPlan, TrainingResult
from .totals import Totals

#: Seconds between two updates of the bar: a training step can take less time than drawing.
_INTERVAL = 0.1


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
    """Prints nothing."""

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


class PlainLines(Silent):
    """Prints one line per epoch, for files and pipes."""

    def __init__(self, console: Console):
        self.console = console
        self._epochs = 0

    def start(self, plan: TrainingPlan, batches: int, epoch: int, batch: int) -> None:
        self._epochs = plan.epochs

    def epoch(self, record: EpochRecord, best: bool) -> None:
        self._print(epoch_line(record, self._epochs) + (" *" if best else ""))

    def notice(self, message: str) -> None:
        self._print(message)

    def _print(self, text: str) -> None:
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)


class Bar(PlainLines):
    """Draws a progress bar over the epoch's batches, below one line per finished epoch."""

    def __init__(self, console: Console):
        super().__init__(console)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[numbers]}"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            auto_refresh=False,
        )
        self._task = TaskID(0)
        self._batches = 0
        self._shown = 0.0
        self._since = (0.0, 0)  # time and samples when this epoch began or resumed

    def start(self, plan: TrainingPlan, batches: int, epoch: int, batch: int) -> None:
        super().start(plan, batches, epoch, batch)
        self._batches = batches
        self._task = self._progress.add_task("", total=batches, completed=batch, numbers="")
        self._progress.start()
        self._since = (time.perf_counter(), -1)

    def step(self, epoch: int, batch: int, samples: int, totals: Totals) -> None:
        now = time.perf_counter()
        began, before = self._since
        if before < 0:
            self._since = (now, samples)
            return
        if now - self._shown < _INTERVAL:
            return
        self._shown = now
        rate = (samples - before) / max(now - began, 1e-9)
        numbers = f"{numbers_text(totals.means())}  {rate:,.0f} samples/s"
        description = f"epoch {epoch}/{self._epochs}"
        self._progress.update(
            self._task, completed=batch, description=description, numbers=numbers, refresh=True
        )

    def epoch(self, record: EpochRecord, best: bool) -> None:
        super().epoch(record, best)
        self._progress.reset(self._task, total=self._batches, numbers="")
        self._since = (time.perf_counter(), 0)

    def end(self, result: TrainingResult | None) -> None:
        self._progress.stop()


def observer_for(console: Console) -> Observer:
    """The bar if ``console`` is a terminal, otherwise plain lines."""
    return Bar(console) if console.is_terminal else PlainLines(console)


def epoch_line(record: EpochRecord, epochs: int) -> str:
    """``epoch 3/20  loss 0.1234  accuracy 0.9712  valid loss 0.1011  12,345 samples/s``."""
    parts = [f"epoch {record.epoch}/{epochs}", numbers_text(record.train)]
    if record.valid is not None:
        parts.append(numbers_text(record.valid, "valid "))
    if record.seconds > 0:
        parts.append(f"{record.samples / record.seconds:,.0f} samples/s")
    return "  ".join(parts)


def numbers_text(means: dict[str, float], prefix: str = "") -> str:
    """Names and values with four significant digits."""
    return "  ".join(f"{prefix}{name} {value:.4g}" for name, value in means.items())
