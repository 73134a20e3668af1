"""A table for readers, which is printed as answers come: with rules on a terminal, as aligned lines elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from netwright.specs.diagnostics.visible import visible

from .predictor import Prediction
from .samples import PlaceColumns, Shown

#: Of a text so many characters are shown.
_TEXT = 40


class TablePrinter:
    """Prints predictions for ``files``. Columns keep their widths, or become wider where a later batch needs it."""

    def __init__(self, console: Console, shown: Shown, files: Sequence[Path]):
        self._console, self._shown, self._files = console, shown, files
        self._one_file = len(files) == 1 and not files[0].is_dir()
        self._places: PlaceColumns | None = None
        self._titles: list[str] = []
        self._widths: list[int] = []

    def add(self, prediction: Prediction) -> None:
        """Prints the answers to some samples."""
        begins = self._places is None
        if self._places is None:
            self._places = PlaceColumns(prediction.places[0], one_file=self._one_file)
            self._has_text = bool(prediction.texts)
            self._titles = [*self._places.names, *(["text"] if self._has_text else [])]
            self._titles += [title for answer in self._shown.answers for title in answer.headings]
            longest = max([4, *(len(str(file)) for file in self._files)])
            self._widths = [longest if title == "file" else len(title) for title in self._titles]
        rows = []
        for number, values in enumerate(self._shown.values(prediction)):
            cells = list(self._places.cells(prediction.places[number]))
            if self._has_text:
                cells.append(_shortened(prediction.texts[number]) if prediction.texts else "")
            for answer, value in zip(self._shown.answers, values, strict=True):
                cells += answer.cells(value)
            rows.append([visible(cell) for cell in cells])
        self._widths = [
            max(map(len, column)) for column in zip(*rows, map("".rjust, self._widths), strict=True)
        ]
        self._print(rows, begins)

    def _print(self, rows: Sequence[Sequence[str]], begins: bool) -> None:
        if not self._console.is_terminal:
            for row in [self._titles, *rows] if begins else rows:
                line = "  ".join(cell.ljust(width) for cell, width in zip(row, self._widths, strict=True))
                self._console.file.write(f"{line.rstrip()}\n")
            self._console.file.flush()
            return
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_header=begins, show_edge=False)
        for title, width in zip(self._titles, self._widths, strict=True):
            table.add_column(title, min_width=min(width, self._console.width // 2), overflow="fold")
        for row in rows:
            table.add_row(*row)
        self._console.print(table)


def _shortened(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= _TEXT else f"{words[: _TEXT - 1]}…"
