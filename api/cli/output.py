"""What commands print: consoles, diagnostics, and lines about files written."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from netwright.specs.diagnostics.visible import visible
from netwright.specs.files import STANDARD_STREAM, descriptor, is_stream

from ..describe import bytes_text
from .findings import show_diagnostics

if TYPE_CHECKING:
    from ..model import Model


def console(*, err: bool = False) -> Console:
    """A rich console on the stream that is current now; colours only where they are wanted."""
    stream = sys.stderr if err else sys.stdout
    width = None if stream.isatty() or os.environ.get("COLUMNS") else 160
    # Brackets are shapes, not markup, and colons no pictures.
    return Console(file=stream, highlight=False, markup=False, emoji=False, width=width)


def show_warnings(model: Model) -> None:
    """A valid model's warnings, on stderr; nothing for a model with errors, which whoever uses it will show."""
    if model.is_valid:
        show_diagnostics(model.diagnostics, err=True)


def written(path: Path, *what: str, sized: bool = False) -> None:
    """Says that a file was written, and what it is; ``sized``: also its size, where it has one. Of what was printed in
    the place of a file nothing is said."""
    if to_standard_output(path):
        return
    parts = [*what, *([bytes_text(path.stat().st_size)] if sized and not is_stream(path) else [])]
    shown = f"wrote {path}: {', '.join(parts)}" if parts else f"wrote {path}"
    click.echo(visible(shown))


def to_standard_output(path: Path) -> bool:
    """Whether what is written to ``path`` goes where results are printed."""
    return is_stream(path) and (str(path) == STANDARD_STREAM or descriptor(path) == 1)
