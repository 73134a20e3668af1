"""Prints diagnostics, without importing the library that draws tables."""

from __future__ import annotations

import os
import sys

import click

from netwright.specs.diagnostics.diagnostic import Diagnostics


def wants_color(*, err: bool = False) -> bool:
    """Whether to use colours: the stream is a terminal and NO_COLOR is not set."""
    stream = sys.stderr if err else sys.stdout
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def show_diagnostics(diagnostics: Diagnostics, *, err: bool = False) -> None:
    """Prints all diagnostics, with the user's own lines."""
    if diagnostics.items:
        click.echo(diagnostics.to_text(color=wants_color(err=err)), err=err, nl=False, color=True)
