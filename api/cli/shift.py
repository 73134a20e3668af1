"""`netwright shift`: shows to which shifts a network is equivariant or invariant."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ..analysis.shift import ShiftAnalysis
from ..model import load
from .options import format_option, settings_option, spec_argument
from .output import console, show_warnings


@click.command("shift")
@spec_argument
@format_option
@settings_option
def command(spec: Path, form: str, settings: tuple[str, ...]) -> None:
    """Print for each output which shifts of the inputs (in time, in rows and columns) also shift it, and which don't
    change it; if none, the first layer that breaks it, and why. Borders are left out.
    """
    model = load(spec, settings)
    show_warnings(model)
    analysis = ShiftAnalysis(model.load, model.network)
    if form == "json":
        click.echo(json.dumps(analysis.to_json(), indent=2, ensure_ascii=False))
    elif not analysis.axes:
        click.echo("no input has an axis to shift along")
    else:
        console().print(analysis.table())
