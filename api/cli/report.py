"""`netwright report`: shows a network on one page for a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from netwright.runtime.checkpoint import read_history
from netwright.specs.files import write_file

from ..errors import RequestError
from ..model import load
from ..network_weights import read_weights
from ..report.page import report
from .options import PATH, check_outputs, dim_option, settings_option, spec_argument
from .output import show_warnings, written


@click.command("report")
@spec_argument
@click.option(
    "-o", "--output", type=PATH, required=True, metavar="FILE", help="Where to write it: report.html."
)
@click.option(
    "--run",
    type=PATH,
    metavar="DIR",
    help="A training's folder (its newest .checkpoint) or its checkpoint: show its curves.",
)
@dim_option("Through how many steps gradients flow: T=400.")
@settings_option
def command(
    spec: Path, output: Path, run: Path | None, dims: dict[str, Any], settings: tuple[str, ...]
) -> None:
    """Write one page for a browser: the network to pan and zoom, each layer's line in the spec, its shape, parameters
    and cost, the table, memory, how outputs respond to shifts, whether gradients flow through recurrences, warnings,
    and the curves of a training. The page works offline.
    """
    model = load(spec, settings)
    check_outputs({"-o": output}, model.files)
    show_warnings(model)
    name = model.name
    history, weights = [], None
    if run is not None:
        path = _checkpoint(run)
        trained, history = read_history(path)
        if trained != name:
            raise RequestError(f"{path} is of the model {trained}, not of {name}")
        weights = read_weights(model.network, path)
    write_file(output, report(model, history, weights, dims=dims).encode())
    written(output, sized=True)


def _checkpoint(run: Path) -> Path:
    if not run.is_dir():
        return run
    checkpoints = sorted(run.glob("*.checkpoint"), key=lambda path: path.stat().st_mtime)
    if not checkpoints:
        raise RequestError(f"there is no .checkpoint in {run}: netwright train leaves one beside the weights")
    return checkpoints[-1]
