"""The live view of a training on a terminal: two lines below the table of epochs.

A thread of rich draws them a few times per second from what the last step left: a step itself only notes where it is.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderResult
from rich.control import Control
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.segment import ControlType, Segment
from rich.text import Text

from netwright.runtime.totals import Totals
from netwright.runtime.training.plan import EpochRecord, TrainingPlan, TrainingResult
from netwright.specs.diagnostics.visible import visible

from .curve import LossCurve
from .epochs import EpochTable
from .pace import Pace
from .words import duration_text, number_text, rate_text, sparkline

Rate = Callable[[], float | None]
"""Tells the learning rate of the next update."""

_PER_SECOND = 4
_WIDEST, _LEAST_BAR, _MOST_BAR, _MOST_BARS = 110, 8, 40, 24


@dataclass(frozen=True)
class _Place:
    """Where the training is: the last step's numbers."""

    epoch: int
    batch: int
    samples: int = 0
    totals: Totals | None = None


class LiveView:
    """An observer that draws the view, and prints the table of epochs above it."""

    def __init__(self, console: Console, rate: Rate | None = None):
        self._console, self._rate = console, rate
        self._curve, self._pace = LossCurve(), Pace()
        self._place = _Place(1, 0)
        self._epochs = self._batches = 0
        self._table: EpochTable | None = None
        self._live = _Redrawn(console, self)

    def start(self, plan: TrainingPlan, batches: int, epoch: int, batch: int) -> None:
        self._epochs, self._batches = plan.epochs, batches
        self._place = _Place(epoch, batch)
        self._table = EpochTable(self._console, plan.epochs)
        self._pace.start(batch)
        self._live.start()

    def step(self, epoch: int, batch: int, samples: int, totals: Totals) -> None:
        self._place = _Place(epoch, batch, samples, totals)

    def epoch(self, record: EpochRecord, best: bool) -> None:
        self._look(self._place)
        self._pace.end_epoch()
        self._place = _Place(record.epoch + 1, 0, 0, self._place.totals)
        if self._table is not None:
            self._table.row(record, best)

    def notice(self, message: str) -> None:
        self._console.print(Text(message), soft_wrap=True)

    def end(self, result: TrainingResult | None) -> None:
        self._live.stop()

    def lines(self, width: int) -> list[Text]:
        """The two lines, at most ``width`` columns each."""
        place = self._place
        self._look(place)
        if place.epoch > self._epochs:
            return [Text("writing the checkpoint")]
        width = min(width, _WIDEST)
        return [self._upper(place, width), self._lower(place, width)]

    def _look(self, place: _Place) -> None:
        self._pace.look(place.batch, place.samples)
        if place.totals is not None:
            self._curve.look(place.totals)

    def _upper(self, place: _Place, width: int) -> Text:
        """Where the epoch is, and how long it takes."""
        line = Text(f"epoch {place.epoch}/{self._epochs} ", "bold", no_wrap=True)
        left, all_left = self._pace.left(
            self._batches - place.batch, self._epochs - place.epoch, self._batches
        )
        parts = [f" {place.batch:,}/{self._batches:,}"]
        parts += [f"{duration_text(left)} left"] if left is not None else []
        parts += [f"{duration_text(all_left)} for all"] if all_left is not None and self._epochs > 1 else []
        rest = _joined(parts, width - line.cell_len - _LEAST_BAR)
        bar = min(width - line.cell_len - len(rest), _MOST_BAR)
        line.append_text(_bar(self._console, place.batch, self._batches, bar))
        return _cut(line.append(rest), width)

    def _lower(self, place: _Place, width: int) -> Text:
        """The numbers so far, the curve of the loss, the learning rate and the speed."""
        numbers = {} if place.totals is None else place.totals.means()
        loss = numbers.pop("loss", None)
        line = Text(no_wrap=True)
        if loss is not None:
            line.append(f"loss {number_text(loss)} ")
            room = min(_MOST_BARS, max(width // 4, _LEAST_BAR))
            line.append(sparkline(self._curve.points, room), "cyan")
        parts = [f"{visible(name)} {number_text(value)}" for name, value in numbers.items()]
        rate = self._rate() if self._rate is not None else None
        tail = [] if rate is None else [f"rate {rate_text(rate)}"]
        tail += [f"{self._pace.speed:,.0f} samples/s"] if self._pace.speed else []
        rest = _joined([*parts[:1], *tail, *parts[1:]], width - line.cell_len - 2)
        return _cut(line.append(f"  {rest}" if rest else ""), width)


class _Redrawn(Live):
    """Draws a view's lines a few times per second.

    When a terminal becomes narrower than what is on it, it wraps the old lines. Rich goes up by as many rows as it has
    written; the further ones are erased here.
    """

    def __init__(self, console: Console, view: LiveView):
        self._view, self._widths = view, list[int]()
        super().__init__(
            console=console,
            get_renderable=lambda: self,
            refresh_per_second=_PER_SECOND,
            transient=True,
            redirect_stderr=sys.stderr.isatty(),
        )

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = self._view.lines(options.max_width)
        self._widths = [line.cell_len for line in lines]
        for number, line in enumerate(lines):
            if number:
                yield Segment.line()
            yield from line.render(console)

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        width = max(self.console.width, 1)
        wrapped = sum((drawn - 1) // width for drawn in self._widths if drawn)
        erased = [(ControlType.ERASE_IN_LINE, 2), (ControlType.CURSOR_UP, 1)] * wrapped
        processed = super().process_renderables(renderables)
        return [Control(*erased), *processed] if wrapped and self.console.is_terminal else processed


def _joined(parts: Sequence[str], width: int) -> str:
    """As many of the parts, from the first one, as fit."""
    line = ""
    for part in parts:
        longer = f"{line} · {part}" if line else part
        if len(longer) > width:
            break
        line = longer
    return line


def _bar(console: Console, done: int, total: int, width: int) -> Text:
    """A bar of ``width`` columns."""
    if width < _LEAST_BAR:
        return Text()
    options = console.options.update(width=width)
    segments: list[Any] = list(ProgressBar(total, done, width).__rich_console__(console, options))
    return Text.assemble(
        *((segment.text, segment.style or "") for segment in segments if segment.text != "\n")
    )


def _cut(line: Text, width: int) -> Text:
    line.truncate(width, overflow="ellipsis")
    return line
