"""`netwright verify`: whether a compiled file computes what it should, seen from outside."""

from __future__ import annotations

from pathlib import Path

import click

from ..artifacts.identified import spec_hash
from ..errors import RequestError
from ..model import load
from ..verification.comparison import compared, predict_with_library, predict_with_program
from ..verification.programs import Failure, Program
from ..weights.network import read_weights
from .options import PATH, settings_option, weights_option
from .output import note, show_warnings

_LIBRARIES = (".so", ".dylib", ".dll")


@click.command("verify")
@click.argument("compiled", type=PATH, metavar="MODEL")
@click.option(
    "--spec", type=PATH, metavar="SPEC", help="The spec that it was compiled from, to compare outputs."
)
@weights_option(required=False, help="The weights that it was compiled with.")
@settings_option
@click.pass_context
def command(
    ctx: click.Context, compiled: Path, spec: Path | None, weights: Path | None, settings: tuple[str, ...]
) -> None:
    """Check an executable or a shared library that `netwright compile` made.

    An executable runs its self-test. With --spec and --weights, outputs at several sizes are also compared with those
    of the NumPy interpreter. Exit code 1 if anything differs.
    """
    is_library = compiled.suffix in _LIBRARIES
    if (spec is None) != (weights is None):
        raise click.UsageError("--spec and --weights go together: outputs follow from both")
    if is_library and spec is None:
        raise click.UsageError("a library has no results to compare itself with: give --spec and --weights")
    failed = False
    program: Program | None = None
    if not is_library:
        program = Program(compiled)
        failed = _self_test(program)
    if spec is not None and weights is not None:
        model = load(spec, settings)
        show_warnings(model)
        if not compiled.is_file():
            raise RequestError(f"{compiled}: there is no such file")
        if program is not None:
            _compare_specs(program, spec_hash(model.load))
            predict = predict_with_program(program)
        else:
            predict = predict_with_library(compiled, read_weights(model.network, weights))
        try:
            for result in compared(model, weights, predict):
                click.echo(str(result))
                failed |= not result.agrees
        except Failure as failure:
            click.echo(f"error: {failure}", err=True)
            failed = True
    if failed:
        ctx.exit(1)


def _self_test(program: Program) -> bool:
    """Prints what the program is and what its self-test says; whether that fails."""
    info = program.info
    made_by = ", ".join(f"{name} {number}" for name, number in info.get("versions", {}).items())
    click.echo(f"{info['model']} for {info['target']}, by {made_by or 'netwright ' + info['netwright']}")
    if info.get("spec"):
        click.echo(f"spec {info['spec']}")
    if info.get("missing"):
        raise RequestError(f"this CPU lacks {', '.join(info['missing'])}, which {program.path} uses")
    done = program.run("--selftest")
    click.echo((done.stdout or done.stderr).strip() or f"the self-test ends with code {done.returncode}")
    return done.returncode != 0


def _compare_specs(program: Program, own: str) -> None:
    compiled = program.info.get("spec")
    if compiled and own and compiled != own:
        note(
            f"{program.path} was compiled from another spec or other settings: {compiled[:12]}, not {own[:12]}"
        )
