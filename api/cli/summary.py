"""`netwright summary`: a network in numbers."""

from __future__ import annotations

from pathlib import Path

import click

from ..model import load
from .options import settings_option, spec_argument
from .output import console, show_warnings


@click.command("summary")
@spec_argument
@settings_option
def command(spec: Path, settings: tuple[str, ...]) -> None:
    """Layers with output shapes, parameters, FLOPs (a multiply-add is two) and receptive fields; totals."""
    model = load(spec, settings)
    show_warnings(model)
    summary = model.summary()
    out = console()
    out.print(summary.table())
    out.print(summary.totals(), soft_wrap=True)
