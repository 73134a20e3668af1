"""The table of a network's layers, as wide as the console is: what does not fit is shortened, then left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from netwright.specs.dims import DimLike

from ..describe import flops_text
from ..notebook import table_html

#: What is between two columns, and at both ends of a line, in the table with lines and in the narrow one.
_GAP, _NARROW_GAP = 3, 2


@dataclass(frozen=True)
class Column:
    """A column of texts. Those that are ``wrapped`` may break at spaces; ``short`` texts are for narrow consoles. It is
    left out after those with a greater ``rank``; never if that is 0.
    """

    name: str
    cells: Sequence[str]
    short: Sequence[str] = ()
    right: bool = False
    wrapped: bool = False
    rank: int = 0

    def width(self, *, narrow: bool) -> int:
        """The least width without breaking a word."""
        texts = [*self.name.split("\n"), *(self.short if narrow and self.short else self.cells)]
        parts = [part for text in texts for part in (text.split() if narrow and self.wrapped else [text])]
        return max(map(cell_len, parts), default=0)


class LayerTable:
    """A table for a rich console."""

    def __init__(self, columns: Sequence[Column]):
        self._columns = tuple(columns)

    def to_html(self) -> str:
        """The whole table, for notebooks."""
        names = [column.name.replace("\n", " ") for column in self._columns]
        rows = zip(*(column.cells for column in self._columns), strict=True)
        return table_html(names, rows, left=sum(not column.right for column in self._columns))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width, columns = options.max_width, list(self._columns)
        full = 2 + sum(column.width(narrow=False) + _GAP for column in columns) - _GAP
        if full <= width:
            yield _table(columns, narrow=False)
            return
        while _narrow_width(columns) > width and (last := max(columns, key=lambda column: column.rank)).rank:
            columns.remove(last)
        yield _table(columns, narrow=True)
        if left_out := [column.name.replace("\n", " ") for column in self._columns if column not in columns]:
            yield Text(f"left out, for want of {full} columns: {', '.join(left_out)}", "dim")


def _narrow_width(columns: Sequence[Column]) -> int:
    return sum(column.width(narrow=True) + _NARROW_GAP for column in columns) - _NARROW_GAP


def _table(columns: Sequence[Column], *, narrow: bool) -> Table:
    look = {"box": None, "padding": (0, _NARROW_GAP, 0, 0)} if narrow else {"box": box.SIMPLE_HEAD}
    table = Table(**look, pad_edge=False)  # type: ignore[arg-type]
    for position, column in enumerate(columns):
        table.add_column(
            column.name,
            style="bold" if position == 0 else "",
            justify="right" if column.right else "left",
            no_wrap=not column.wrapped,
            min_width=column.width(narrow=True) if column.rank == 0 else None,
        )
    texts = [column.short if narrow and column.short else column.cells for column in columns]
    for row in zip(*texts, strict=True):
        table.add_row(*row)
    return table


def short_count(size: DimLike) -> str:
    """A number with three digits: ``36.9k``, ``1.18M``; a formula of open sizes as it is."""
    if not isinstance(size, int) or size < 1000:
        return flops_text(size)
    for unit, step in (("T", 10**12), ("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if size >= 0.9995 * step:
            return f"{size / step:#.3g}".rstrip(".") + unit
    return str(size)
