"""What commands print: consoles, diagnostics, and lines about files written."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click
from rich.console import Console

from netwright.specs.diagnostics import Diagnostics

from ..model import Model
from ..summary import bytes_text


def console(*, err: bool = False) -> Console:
    """A rich console on the stream that is current now; colours only where they are wanted."""
    stream = sys.stderr if err else sys.stdout
    width = None if stream.isatty() or os.environ.get("COLUMNS") else 160
    return Console(file=stream, highlight=False, width=width)


def wants_color(*, err: bool = False) -> bool:
    """Whether the stream is a terminal and nobody said no (NO_COLOR)."""
    stream = sys.stderr if err else sys.stdout
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def show_diagnostics(diagnostics: Diagnostics, *, err: bool = False) -> None:
    """All diagnostics, with the user's own lines."""
    if diagnostics.items:
        click.echo(diagnostics.to_text(color=wants_color(err=err)), err=err, nl=False, color=True)


def show_warnings(model: Model) -> None:
    """A valid model's warnings, on stderr; nothing for a model with errors, which whoever uses it will show."""
    if model.is_valid:
        show_diagnostics(model.diagnostics, err=True)


def written(path: str | Path, what: str) -> None:
    """Says that a file was written."""
    click.echo(f"wrote {path}: {what}")


def size_text(path: Path) -> str:
    """The size of a file that is there."""
    return bytes_text(path.stat().st_size)
