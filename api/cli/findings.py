"""Diagnostics as commands print them, without what draws tables."""

from __future__ import annotations

import os
import sys

import click

from netwright.specs.diagnostics.diagnostic import Diagnostics


def wants_color(*, err: bool = False) -> bool:
    """Whether the stream is a terminal and nobody said no (NO_COLOR)."""
    stream = sys.stderr if err else sys.stdout
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def show_diagnostics(diagnostics: Diagnostics, *, err: bool = False) -> None:
    """All diagnostics, with the user's own lines."""
    if diagnostics.items:
        click.echo(diagnostics.to_text(color=wants_color(err=err)), err=err, nl=False, color=True)
