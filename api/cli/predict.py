"""`netwright predict`: answers for images, recordings, tables and texts as the spec's data sets have them."""

from __future__ import annotations

from pathlib import Path

import click

from netwright.runtime.sessions.weights import load_classes, load_vocabularies

from ..model import load
from ..prediction.inputs import PredictionInputs
from ..prediction.meaning import answers_of, steps_of
from ..prediction.predictor import USUAL_BATCH, BatchSizes, predictions
from ..prediction.samples import Shown
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
from .output import show_warnings
from .predictions import check_ending, show_predictions
from .waiting import compiling


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
    ending = None if output is None else check_ending(output, form)
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
    with compiling(model.name):
        program = model.compile(weights, engine=engine, threads=threads, pin=pin, entries=("predict",))
    ctx.exit(show_predictions(shown, predictions(program, inputs, sizes), paths, output, ending, form))
