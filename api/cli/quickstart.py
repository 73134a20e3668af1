"""`netwright quickstart`: shows the whole path from a spec to an executable."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import click

from netwright.compiler.codegen.files.linker import LinkError, find_compiler
from netwright.compiler.codegen.targets.target import host_target

from ..quickstart.steps import copy_files, count_right, run_steps
from . import main
from .findings import wants_color
from .options import PATH


@click.command("quickstart")
@click.argument("folder", type=PATH, default=Path("netwright-quickstart"), metavar="[DIR]")
@click.pass_context
def command(ctx: click.Context, folder: Path) -> None:
    """Train a network on 1,437 handwritten digits, compile it, and let the executable read 360 new ones.

    Spec and data are copied to DIR (netwright-quickstart by default). Every step is printed as the command that does
    it.
    """
    began = time.perf_counter()
    copy_files(folder)
    try:
        find_compiler(host_target())
    except LinkError as error:
        click.echo(f"The network will be trained, but the executable can't be made: {error}\n", err=True)
    _prompt(f"cd {folder}")
    code = run_steps(folder, _netwright, _prompt, lambda text: click.echo(text, nl=False))
    if code:
        ctx.exit(code)
    right, count = count_right(folder)
    seconds = time.perf_counter() - began
    click.echo()
    click.secho(
        f"{right} of {count} held-out digits read right by the executable: accuracy {right / count:.4g}",
        bold=True,
    )
    click.echo(
        f"It is {folder / 'digits'}: it needs neither Python nor Netwright. All of this took {seconds:.0f} s."
    )
    click.echo(f"Now change {folder / 'digits.yaml'} and go on from there.")


def _prompt(command: str) -> None:
    click.echo("\n" + _styled(f"$ {command}", fg="cyan"))


def _styled(text: str, fg: str | None = None) -> str:
    return click.style(text, fg=fg, bold=True) if wants_color() else text


def _netwright(arguments: Sequence[str]) -> int:
    try:
        return main.main(list(arguments), prog_name="netwright", standalone_mode=False) or 0
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else 1
