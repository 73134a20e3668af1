"""`netwright evaluate`: measures how good weights are."""

from __future__ import annotations

from pathlib import Path

import click

from ..describe import count_text
from ..errors import RequestError
from ..model import load
from ..program import EngineName
from .options import data_option, engine_options, settings_option, spec_argument, weights_option
from .output import show_warnings


@click.command("evaluate")
@spec_argument
@weights_option()
@data_option("valid=other.npz")
@settings_option
@engine_options
def command(
    spec: Path,
    weights: Path,
    data: dict[str, Path],
    settings: tuple[str, ...],
    engine: EngineName,
    threads: int | None,
    pin: bool,
) -> None:
    """Print loss and metrics over whole data sets: those given, or the spec's except the training data."""
    model = load(spec, settings)
    show_warnings(model)
    if model.spec.train is None:
        raise RequestError(f"{model.name} can't be evaluated: the spec has no train section")
    names = list(data or model.data())
    names = [name for name in names if name != "train" or data or len(names) == 1]
    if not names:
        raise RequestError(f"{model.name} has no data to be evaluated on: give some with --data valid=FILE")
    declared = model.data(data, weights=weights)
    sets = {name: declared[name] for name in names}
    for dataset in sets.values():
        dataset.load()
    program = model.compile(weights, engine=engine, threads=threads, pin=pin, entries=("loss",))
    for name, dataset in sets.items():
        numbers = program.evaluate(dataset)
        samples = count_text(len(dataset), "sample")
        shown = "  ".join(f"{key} {value:.4g}" for key, value in numbers.items())
        click.echo(f"{name}  {samples}  {shown}")
