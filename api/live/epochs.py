"""The table of epochs that a training leaves behind: a row per epoch, as many columns as fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from netwright.runtime.training.plan import EpochRecord
from netwright.specs.diagnostics.visible import visible

from .words import NUMBER_WIDTH, duration_text, number_text

_GAP, _MARK = "  ", " *"
#: Which columns are left out first where a terminal is too narrow: those with the highest number.
_NEEDED, _FIRST_METRIC, _METRICS, _SPEED, _TIME, _RATE = 0, 1, 2, 4, 5, 3


@dataclass(frozen=True)
class _Column:
    """A column: what stands above the names of its part (train or valid), its name, width and order of leaving."""

    part: str
    name: str
    width: int
    leaving: tuple[int, int]
    cell: Callable[[EpochRecord], str]


class EpochTable:
    """Prints rows of epochs below a heading, which is printed again when the terminal has become narrower or wider and
    other columns fit.
    """

    def __init__(self, console: Console, epochs: int):
        self._console, self._epochs = console, epochs
        self._shown: list[tuple[str, str]] = []

    def row(self, record: EpochRecord, best: bool) -> None:
        """Prints the row of an epoch; the ``best`` one so far is marked."""
        columns = _fitting(_columns(record, self._epochs), self._console.width)
        names = [(column.part, column.name) for column in columns]
        if names != self._shown:
            self._shown = names
            for line in _heading(columns):
                self._print(Text(line, "bold"))
        cells = [column.cell(record).rjust(column.width) for column in columns]
        self._print(Text(_GAP.join(cells) + (_MARK if best else ""), "green" if best else ""))

    def _print(self, line: Text) -> None:
        line.rstrip()
        self._console.print(line, soft_wrap=True)


def _columns(record: EpochRecord, epochs: int) -> list[_Column]:
    numbered = len(f"{epochs}/{epochs}")
    columns = [
        _Column("", "epoch", max(numbered, 5), (_NEEDED, 0), lambda record: f"{record.epoch}/{epochs}")
    ]
    parts = {"train": record.train, **({} if record.valid is None else {"valid": record.valid})}
    for part, numbers in parts.items():
        for position, name in enumerate(numbers):
            leaving = _METRICS if position > 1 or (position and part == "train") else _FIRST_METRIC
            columns.append(_number_column(part, name, (leaving if position else _NEEDED, position)))
    if record.learning_rate is not None:
        columns.append(_Column("", "rate", 8, (_RATE, 0), lambda record: f"{record.learning_rate:.3g}"))
    columns.append(_Column("", "samples/s", 9, (_SPEED, 0), _speed))
    columns.append(_Column("", "time", 7, (_TIME, 0), lambda record: duration_text(record.seconds)))
    return columns


def _number_column(part: str, name: str, leaving: tuple[int, int]) -> _Column:
    def cell(record: EpochRecord) -> str:
        numbers = record.train if part == "train" else record.valid or {}
        return number_text(numbers[name]) if name in numbers else ""

    shown = visible(name)
    return _Column(part, shown, max(len(shown), NUMBER_WIDTH), leaving, cell)


def _speed(record: EpochRecord) -> str:
    return f"{record.samples / record.seconds:,.0f}" if record.seconds > 0 else ""


def _fitting(columns: list[_Column], width: int) -> list[_Column]:
    """The columns that fit; those that are needed stay in any case."""
    columns = list(columns)
    while sum(column.width + len(_GAP) for column in columns) > width:
        last = max(columns, key=lambda column: column.leaving)
        if last.leaving[0] == _NEEDED:
            break
        columns.remove(last)
    return columns


def _heading(columns: list[_Column]) -> list[str]:
    """The names; above them train and valid, if there are both."""
    names = _GAP.join(column.name.rjust(column.width) for column in columns)
    if not any(column.part == "valid" for column in columns):
        return [names]
    above, before = [], ""
    for column in columns:
        above.append((column.part if column.part != before else "").rjust(column.width))
        before = column.part
    return [_GAP.join(above).rstrip(), names]
