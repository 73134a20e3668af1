"""Output of commands: consoles, warnings, and lines about the files written."""

from __future__ import annotations

import os
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.text import Text

from netwright.specs.diagnostics.visible import visible
from netwright.specs.files import STANDARD_STREAM, descriptor, is_stream

from ..describe import bytes_text
from .findings import show_diagnostics

if TYPE_CHECKING:
    from ..model import Model


def console(*, err: bool = False) -> Console:
    """A rich console on the current stream, with colours only where they are wanted."""
    stream = sys.stderr if err else sys.stdout
    width = None if stream.isatty() or os.environ.get("COLUMNS") else 160
    # Brackets in the text are shapes, not markup, and colons are no emoji.
    return Console(file=stream, highlight=False, markup=False, emoji=False, width=width)


def paragraph(out: Console, line: str, indent: int = 2) -> None:
    """Prints a line. A terminal that it is too long for gets several, broken between words, where it would break words;
    they begin ``indent`` columns further in.
    """
    if out.is_terminal:
        own = len(line) - len(line.lstrip(" "))
        line = textwrap.fill(
            line,
            out.width,
            subsequent_indent=" " * (own + indent),
            break_long_words=False,
            break_on_hyphens=False,
        )
    out.print(Text(line), soft_wrap=True)


def show_warnings(model: Model) -> None:
    """Prints a valid model's warnings to stderr. For a model with errors this prints nothing, since its use reports all
    diagnostics.
    """
    if model.is_valid:
        show_diagnostics(model.diagnostics, err=True)


def note(text: str) -> None:
    """Prints something to know to stderr."""
    click.echo(f"note: {visible(text)}", err=True)


def written(path: Path, *what: str, sized: bool = False) -> None:
    """Prints that a file was written and what it contains; with ``sized`` also its size. Prints nothing if the content
    itself went to standard output.
    """
    if to_standard_output(path):
        return
    parts = [*what, *([bytes_text(path.stat().st_size)] if sized and not is_stream(path) else [])]
    shown = f"wrote {path}: {', '.join(parts)}" if parts else f"wrote {path}"
    click.echo(visible(shown))


def to_standard_output(path: Path) -> bool:
    """Whether writing to ``path`` means writing to standard output."""
    return is_stream(path) and (str(path) == STANDARD_STREAM or descriptor(path) == 1)
