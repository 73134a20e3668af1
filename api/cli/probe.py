"""`netwright probe`: measures what a trained network does on data."""

from __future__ import annotations

import json
from pathlib import Path

import click

from netwright.specs.diagnostics.visible import visible

from ..describe import count_text
from ..errors import RequestError
from ..inspection.probe import SHIFTS, probe_shifts
from ..model import load
from ..program import EngineName
from .options import PATH, engine_options, format_option, settings_option, spec_argument, weights_option
from .output import console, show_warnings
from .waiting import compiling


@click.group("probe")
def command() -> None:
    """Measure what a trained network does."""


@command.command("shift")
@spec_argument
@weights_option()
@click.option("--data", type=PATH, metavar="FILE.npz", help="Inputs, by name; by default the spec's data.")
@click.option(
    "--by",
    "shifts",
    multiple=True,
    type=click.IntRange(1),
    default=SHIFTS,
    show_default=True,
    help="By how many cells.",
)
@format_option
@settings_option
@engine_options
def shift(
    spec: Path,
    weights: Path,
    data: Path | None,
    shifts: tuple[int, ...],
    form: str,
    settings: tuple[str, ...],
    engine: EngineName,
    threads: int | None,
    pin: bool,
) -> None:
    """Shift the data along each axis and compare the outputs: how many answers stay the same, and how much outputs
    change.

    If the network is equivariant to a shift, its output is shifted along before it is compared.
    """
    model = load(spec, settings)
    show_warnings(model)
    sets = model.data({"data": data} if data else None)
    name = "data" if data else "valid" if "valid" in sets else next(iter(sets), None)
    if name is None:
        raise RequestError(f"{model.name} names no data: give some with --data")
    dataset = sets[name]
    missing = [name for name in model.network.inputs if name not in dataset.headers]
    if missing:
        raise RequestError(f"{dataset.name} has no array {missing[0]}")
    with compiling(model.name, quiet=form == "json"):
        program = model.compile(weights, engine=engine, threads=threads, pin=pin, entries=("predict",))
    result = probe_shifts(program, dataset.read(slice(None), model.network.inputs), shifts)
    if form == "json":
        click.echo(json.dumps(result.to_json(), indent=2, ensure_ascii=False))
    elif result.probes:
        console().print(result.table())
        click.echo(visible(f"{count_text(result.samples, 'sample')} of {dataset.name}"))
    else:
        click.echo("no input has an axis to shift along")
