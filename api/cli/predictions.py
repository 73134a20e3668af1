"""Predictions as `predict` and `generate` print or write them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import click

from netwright.runtime.data.inputs import Unreadable
from netwright.specs.diagnostics.visible import visible
from netwright.specs.files import is_stream

from ..describe import count_text, shape_text
from ..errors import RequestError
from ..prediction.files import json_lines, write_arrays, write_csv, write_json_lines
from ..prediction.predictor import Prediction
from ..prediction.samples import Shown
from ..prediction.table import TablePrinter
from .output import console, written

_ENDINGS = (".csv", ".jsonl", ".npz")


def check_ending(output: Path, form: str) -> str:
    """The type of file that is written. Raises UsageError if the file's name does not say it."""
    if output.suffix in _ENDINGS:
        if form == "json" and output.suffix != ".jsonl":
            raise click.UsageError(f"-o: {output} is no file of JSON lines: end its name in .jsonl")
        return output.suffix
    if not is_stream(output):
        raise click.UsageError(f"-o: {output} has to end in {', '.join(_ENDINGS[:-1])} or {_ENDINGS[-1]}")
    return ".jsonl" if form == "json" else ".csv"


def show_predictions(
    shown: Shown,
    items: Iterable[Prediction | Unreadable],
    paths: Sequence[Path],
    output: Path | None,
    ending: str | None,
    form: str,
) -> int:
    """Prints predictions as they come, as a table or as JSON lines, or writes them to a file of the type ``ending``.
    Returns the exit code: 1 if something could not be read. Raises RequestError if there is nothing to show.
    """
    told = _Told(items)
    if output is None:
        table = TablePrinter(console(), shown, paths)
        for prediction in told.each():
            if form == "json":
                click.echo("\n".join(json_lines(shown, prediction)))
            else:
                table.add(prediction)
    elif ending == ".npz":
        arrays = write_arrays(output, shown, told.complete())
        shapes = (f"{name} {array.dtype.name} {shape_text(array.shape)}" for name, array in arrays.items())
        written(output, ", ".join(shapes))
    else:
        write = write_csv if ending == ".csv" else write_json_lines
        write(output, shown, told.each())
        written(output, f"{count_text(told.samples, 'sample')}", sized=True)
    return 1 if told.failures else 0


class _Told:
    """Predictions, whose samples are counted; what can't be read is said."""

    def __init__(self, items: Iterable[Prediction | Unreadable]):
        self._items = items
        self.samples = self.failures = 0

    def each(self) -> Iterator[Prediction]:
        """The predictions. Raises RequestError at the end if there was none."""
        for item in self._items:
            if isinstance(item, Unreadable):
                self.failures += 1
                click.echo(f"error: {visible(item.message, keep=chr(10))}", err=True)
            else:
                self.samples += len(item)
                yield item
        if not self.samples:
            raise RequestError(
                "nothing could be predicted" if self.failures else "there is no sample to predict for"
            )

    def complete(self) -> Iterator[Prediction]:
        """The same, but nothing may be missing. Raises RequestError at the end otherwise: the rows of an array have no
        names.
        """
        yield from self.each()
        if self.failures:
            raise RequestError(
                f"{count_text(self.failures, 'input')} could not be read: the rows of a .npz file would be those of "
                "other samples (a .csv or .jsonl file says which is which)"
            )
