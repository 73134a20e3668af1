"""`netwright summary`: a network in numbers."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ..model import load
from .options import format_option, settings_option, spec_argument
from .output import console, show_warnings


@click.command("summary")
@spec_argument
@format_option
@settings_option
def command(spec: Path, form: str, settings: tuple[str, ...]) -> None:
    """Layers with output shapes, parameters, FLOPs (a multiply-add is two), receptive fields and strides; totals; what
    is saved by sharing; borders that are not seen; and how the outputs answer to shifts."""
    model = load(spec, settings)
    show_warnings(model)
    summary = model.summary()
    if form == "json":
        click.echo(json.dumps(summary.to_json(), indent=2, ensure_ascii=False))
        return
    out = console()
    out.print(summary.table())
    out.print(summary.totals(), soft_wrap=True)
    for note in summary.notes():
        out.print(note, soft_wrap=True)
