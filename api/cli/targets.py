"""`netwright targets`: the systems that programs can be compiled for."""

from __future__ import annotations

import importlib.util
import json

import click

from netwright.compiler.codegen.files.platforms import PLATFORMS, Platform

from .options import format_option

_LINKER = "ziglang"


@click.command("targets")
@format_option
def command(form: str) -> None:
    """List the systems that `netwright compile --target NAME` makes programs for.

    For each: what is made, what it runs on, and how it is tested. All need the extra `cross`, which brings a C compiler
    and the systems' C libraries; only the system of this computer can do with its own compiler.
    """
    if form == "json":
        click.echo(json.dumps([_facts(platform) for platform in PLATFORMS], indent=2))
        return
    rows = [("target", "makes", "runs on", "tested"), *(_row(platform) for platform in PLATFORMS)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    here = importlib.util.find_spec(_LINKER) is not None
    click.echo(
        "\nAll need the extra cross, which is installed."
        if here
        else "\nAll need the extra cross: pip install 'netwright[cross]'"
    )


def _row(platform: Platform) -> tuple[str, ...]:
    makes = f"static {platform.makes}" if platform.static and platform.makes == "program" else platform.makes
    return platform.name, makes, platform.runs_on, platform.tested


def _facts(platform: Platform) -> dict[str, object]:
    return {
        "target": platform.name,
        "triple": platform.triple,
        "makes": platform.makes,
        "static": platform.static,
        "runs_on": platform.runs_on,
        "needs": f"the extra cross ({_LINKER})",
        "tested": platform.tested,
    }
