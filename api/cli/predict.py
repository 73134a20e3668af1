"""`netwright predict`: answers for images, recordings, tables and texts as the spec's data sets have them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from netwright.runtime.data.inputs import Unreadable
from netwright.runtime.weights import load_classes, load_vocabularies
from netwright.specs.diagnostics.visible import visible
from netwright.specs.files import is_stream

from ..describe import count_text, shape_text
from ..errors import RequestError
from ..model import load
from ..prediction.files import json_lines, write_arrays, write_csv, write_json_lines
from ..prediction.inputs import PredictionInputs
from ..prediction.meaning import answers_of, steps_of
from ..prediction.predictor import USUAL_BATCH, BatchSizes, Prediction, predictions
from ..prediction.samples import Shown
from ..prediction.table import TablePrinter
from ..program import EngineName
from .options import (
    PATH,
    check_outputs,
    engine_options,
    format_option,
    settings_option,
    spec_argument,
    weights_option,
)
from .output import console, show_warnings, written

_ENDINGS = (".csv", ".jsonl", ".npz")


@click.command("predict")
@spec_argument
@click.argument("paths", nargs=-1, type=PATH)
@weights_option()
@click.option("--text", "texts", multiple=True, metavar="TEXT", help="A text itself in place of a path.")
@click.option(
    "--like", metavar="NAME", help="Read the paths as this data set of the spec; by default as train."
)
@click.option("--labelled", is_flag=True, help="Lines hold labels, as the data set says: leave them out.")
@click.option(
    "--top",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    help="How many of the most probable classes to show.",
)
@click.option(
    "--batch",
    type=click.IntRange(1),
    default=USUAL_BATCH,
    show_default=True,
    help="How many samples to read and compute at once.",
)
@format_option
@click.option("-o", "--output", type=PATH, metavar="FILE", help="Write a .csv, .jsonl or .npz file instead.")
@settings_option
@engine_options
@click.pass_context
def command(
    ctx: click.Context,
    spec: Path,
    paths: tuple[Path, ...],
    weights: Path,
    texts: tuple[str, ...],
    like: str | None,
    labelled: bool,
    top: int,
    batch: int,
    form: str,
    output: Path | None,
    settings: tuple[str, ...],
    engine: EngineName,
    threads: int | None,
    pin: bool,
) -> None:
    """Predict for the samples in PATHs: files and folders of the type that the spec's data set declares, or arrays. A
    table has a row per sample, a text file a line; `-` is standard input.

    What can't be read is named, and the other samples follow; the exit code is 1 then.
    """
    if bool(paths) == bool(texts):
        raise click.UsageError("give paths to predict for, or texts with --text")
    ending = None if output is None else _ending(output, form)
    model = load(spec, settings)
    check_outputs({"-o": output}, [*model.files, weights, *paths])
    show_warnings(model)
    network, classes = model.network, load_classes(weights)
    shown = Shown(answers_of(model.load, network, classes, top), steps_of(model.load, network))
    sizes = BatchSizes(network)
    source = PredictionInputs(
        model.load,
        network,
        load_vocabularies(weights),
        like=like,
        labelled=labelled,
        size=sizes.most(batch),
    )
    inputs = source.of_texts(texts) if texts else source.of_paths(paths)
    program = model.compile(weights, engine=engine, threads=threads, pin=pin, entries=("predict",))
    told = _Told(predictions(program, inputs, sizes))
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
    ctx.exit(1 if told.failures else 0)


def _ending(output: Path, form: str) -> str:
    """What is written. Raises UsageError if the file's name does not say it."""
    if output.suffix in _ENDINGS:
        if form == "json" and output.suffix != ".jsonl":
            raise click.UsageError(f"-o: {output} is no file of JSON lines: end its name in .jsonl")
        return output.suffix
    if not is_stream(output):
        raise click.UsageError(f"-o: {output} has to end in {', '.join(_ENDINGS[:-1])} or {_ENDINGS[-1]}")
    return ".jsonl" if form == "json" else ".csv"


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
