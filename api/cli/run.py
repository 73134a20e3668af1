"""`netwright run`: predicts for arrays in files."""

from __future__ import annotations

from pathlib import Path

import click

from netwright.runtime.files.npy import read_npy, write_npy
from netwright.runtime.files.npz import write_npz
from netwright.specs.files import is_stream

from ..describe import shape_text
from ..model import load
from ..program import EngineName
from ..taps import tap_names, tap_settings
from .options import (
    PATH,
    check_outputs,
    engine_options,
    named_paths,
    settings_option,
    spec_argument,
    weights_option,
)
from .output import show_warnings, to_standard_output, written
from .waiting import compiling


@click.command("run")
@spec_argument
@weights_option()
@click.option(
    "-i",
    "--input",
    "inputs",
    multiple=True,
    required=True,
    metavar="NAME=FILE.npy",
    callback=lambda ctx, param, values: named_paths(values, param),
    help="An input's array; once for each input.",
)
@click.option(
    "-o",
    "--output",
    type=PATH,
    required=True,
    metavar="OUT.npz",
    help="Where to write the outputs (.npz or .npy).",
)
@click.option(
    "--tap", "taps", multiple=True, metavar="LAYER", help="Also write the value of a layer: conv1, memory.c."
)
@settings_option
@engine_options
def command(
    spec: Path,
    weights: Path,
    inputs: dict[str, Path],
    output: Path,
    taps: tuple[str, ...],
    settings: tuple[str, ...],
    engine: EngineName,
    threads: int | None,
    pin: bool,
) -> None:
    """Run the network in prediction mode on .npy files and write its outputs, by name, to an archive."""
    if output.suffix not in (".npz", ".npy") and not is_stream(output):
        raise click.UsageError(f"-o: {output} has to end in .npz, or in .npy for a single output")
    model = load(spec, settings)
    check_outputs({"-o": output}, [*model.files, weights, *inputs.values()])
    show_warnings(model)
    if taps:
        model = model.changed([*settings, *tap_settings(model, taps).values()])
    with compiling(model.name):
        program = model.compile(weights, engine=engine, threads=threads, pin=pin, entries=("predict",))
    results = program.predicted({name: read_npy(path) for name, path in inputs.items()})
    names = tap_names(taps)
    results = {names.get(name, name): array for name, array in results.items()}
    if output.suffix == ".npy" and len(results) != 1:
        raise click.UsageError(f"-o: {', '.join(results)} are several outputs: end the file's name in .npz")
    if output.suffix == ".npy" or (to_standard_output(output) and len(results) == 1):
        write_npy(output, *results.values())
    else:
        write_npz(output, results)
    written(
        output,
        ", ".join(f"{name} {array.dtype.name} {shape_text(array.shape)}" for name, array in results.items()),
    )
