"""`netwright schema`: prints the JSON Schema with which editors check specs."""

from __future__ import annotations

from pathlib import Path

import click

from netwright.specs.files import write_file
from netwright.specs.schema.generate import schema_text

from .options import PATH, check_outputs
from .output import written


@click.command("schema")
@click.option(
    "-o", "--output", type=PATH, metavar="FILE", help="Where to write it; by default it is printed."
)
def command(output: Path | None) -> None:
    """Print the JSON Schema (draft-07) of the spec language.

    Editors complete and check specs with it: `# yaml-language-server: $schema=netwright.schema.json`.
    """
    text = schema_text()
    if output is None:
        click.echo(text, nl=False)
        return
    check_outputs({"-o": output})
    write_file(output, text.encode())
    written(output, sized=True)
