"""`netwright summary`: shows a network in numbers."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ..inspection.outlook import Outlook
from ..model import load
from .options import format_option, settings_option, spec_argument
from .output import console, show_warnings


@click.command("summary")
@spec_argument
@format_option
@settings_option
@click.option("--quick", is_flag=True, help="Leave out memory and gradients, which need compiling.")
def command(spec: Path, form: str, settings: tuple[str, ...], quick: bool) -> None:
    """Print layers with output shapes, parameters, FLOPs (a multiply-add is two), receptive fields and strides; totals;
    what sharing saves; borders that no layer sees; how the outputs respond to shifts; memory; and whether gradients
    flow through recurrences.
    """
    model = load(spec, settings)
    show_warnings(model)
    summary = model.summary()
    outlook = None if quick else Outlook(model)
    if form == "json":
        computed = outlook.to_json() if outlook else {}
        click.echo(json.dumps({**summary.to_json(), **computed}, indent=2, ensure_ascii=False))
        return
    out = console()
    out.print(summary.table())
    for line in [summary.totals(), *summary.notes(), *(outlook.lines() if outlook else [])]:
        out.print(line, soft_wrap=not out.is_terminal)  # a terminal would break words
