"""`netwright new`: writes a spec to start from."""

from __future__ import annotations

import re
from pathlib import Path

import click

from netwright.specs.files import is_stream, write_file

from ..templates import TEMPLATES, template
from .options import PATH, check_outputs
from .output import written

_LIST = ", ".join(f"{name} ({what})" for name, what in TEMPLATES.items())


@click.command(
    "new", help=f"Write a spec with comments, to be changed: NAME.yaml. TEMPLATE is one of {_LIST}."
)
@click.argument("kind", metavar="TEMPLATE", type=click.Choice(list(TEMPLATES)))
@click.argument("name")
@click.option("-o", "--output", type=PATH, metavar="FILE", help="Where to write it; NAME.yaml by default.")
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
def command(kind: str, name: str, output: Path | None, force: bool) -> None:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,99}", name):
        raise click.UsageError(f"{name!r} is no name: letters, digits and _, not beginning with a digit")
    path = output or Path(f"{name}.yaml")
    check_outputs({"-o": path})
    if path.exists() and not is_stream(path) and not force:
        raise click.UsageError(f"{path} is there already; --force writes over it")
    write_file(path, template(kind, name).encode())
    written(path, TEMPLATES[kind])
