"""`netwright evaluate`: measures how good weights are."""

from __future__ import annotations

import json
from math import isfinite
from pathlib import Path
from typing import Any

import click

from netwright.runtime.data.samples import Samples
from netwright.specs.diagnostics.visible import visible

from ..describe import count_text
from ..errors import RequestError
from ..evaluation.class_scores import ClassCounter
from ..evaluation.text import class_lines, worst_lines
from ..evaluation.worst import worst_samples
from ..evaluation.written import compared, text_scores
from ..generation.answers import searching
from ..generation.search import Drawing, Ending
from ..generation.writer import Writer
from ..model import load
from ..program import EngineName
from .options import (
    data_option,
    engine_options,
    format_option,
    settings_option,
    spec_argument,
    weights_option,
)
from .output import console, show_warnings
from .waiting import compiling


@click.command("evaluate")
@spec_argument
@weights_option()
@data_option("valid=other.npz")
@click.option(
    "--classes",
    "by_class",
    is_flag=True,
    help="Also precision, recall, F1 and support of each class, and the confusion matrix.",
)
@click.option(
    "--worst",
    type=click.IntRange(1, 100_000),
    metavar="K",
    help="Also the K samples with the largest loss, what was answered and what was meant.",
)
@click.option(
    "--generate",
    "writes",
    is_flag=True,
    help="Also write the text of each sample, as generate does, and compare it with the one that is meant.",
)
@click.option(
    "--beam", type=click.IntRange(1), metavar="K", help="With --generate: keep the K most likely texts."
)
@click.option(
    "--length",
    type=click.IntRange(1),
    default=100,
    show_default=True,
    help="With --generate: the most tokens of a text.",
)
@format_option
@settings_option
@engine_options
def command(
    spec: Path,
    weights: Path,
    data: dict[str, Path],
    by_class: bool,
    worst: int | None,
    writes: bool,
    beam: int | None,
    length: int,
    form: str,
    settings: tuple[str, ...],
    engine: EngineName,
    threads: int | None,
    pin: bool,
) -> None:
    """Print loss and metrics over whole data sets: those given, or the spec's except the training data."""
    model = load(spec, settings)
    show_warnings(model)
    if (train := model.spec.train) is None:
        raise RequestError(f"{model.name} can't be evaluated: the spec has no train section")
    names = list(data or model.data())
    names = [name for name in names if name != "train" or data or len(names) == 1]
    if not names:
        raise RequestError(f"{model.name} has no data to be evaluated on: give some with --data valid=FILE")
    declared = model.data(data, weights=weights)
    sets = {name: declared[name] for name in names}
    for dataset in sets.values():
        dataset.load()
    entries = ("loss",) if worst is None else ("predict", "loss")
    with compiling(model.name, quiet=form == "json"):
        program = model.compile(weights, engine=engine, threads=threads, pin=pin, entries=entries)
    counter = None
    if by_class:
        counter = ClassCounter(
            model, program.weights, program.classes, engine=engine, threads=threads, pin=pin
        )
    if beam is not None and not writes:
        raise click.UsageError("--beam is for texts that are written: give --generate, too")
    writer = Writer(model, weights, engine=engine, threads=threads, pin=pin) if writes else None
    shown: dict[str, dict[str, Any]] = {}
    for position, (name, dataset) in enumerate(sets.items()):
        numbers = program.evaluate(dataset)
        if writer is not None:
            numbers |= _written(writer, dataset, train.batch_size, length, beam)
        counts = (
            counter.count(dataset, train.batch_size, group_by_length=train.group_by_length)
            if counter
            else None
        )
        hardest = None if worst is None else worst_samples(model, program, dataset, worst)
        if form == "json":
            shown[name] = {
                "source": dataset.name,
                "samples": len(dataset),
                "scores": {key: value if isfinite(value) else None for key, value in numbers.items()},
                **({} if counts is None else {"classes": [scores.to_json() for scores in counts]}),
                **({} if hardest is None else {"worst": [sample.to_json() for sample in hardest]}),
            }
            continue
        if position and (by_class or worst):
            click.echo()
        samples = count_text(len(dataset), "sample")
        values = "  ".join(f"{key} {value:.4g}" for key, value in numbers.items())
        click.echo(f"{name}  {samples}  {values}")
        for scores in counts or ():
            title = f"classes of {scores.output}" if len(counts or ()) > 1 else "classes"
            _show(title, class_lines(scores, console().width))
        if hardest is not None:
            _show(f"the largest losses in {dataset.name}", worst_lines(hardest))
    if form == "json":
        click.echo(json.dumps(shown, indent=2, ensure_ascii=False))


def _written(writer: Writer, dataset: Samples, size: int, length: int, beam: int | None) -> dict[str, float]:
    """The scores of the texts that are written for a data set."""
    search = searching(writer, Ending(length, writer.ends), Drawing(), beam)
    comparisons = compared(writer, dataset, size, search)
    assert writer.vocabulary is not None
    return text_scores(comparisons, writer.vocabulary)


def _show(title: str, lines: list[str]) -> None:
    click.echo(visible(f"\n{title}:", keep="\n"))
    for line in lines:
        click.echo(line)
