"""`netwright fix`: makes the fixes that diagnostics offer."""

from __future__ import annotations

from difflib import unified_diff
from pathlib import Path

import click

from netwright.compiler.codegen.artifacts import write_file
from netwright.specs.load import load_spec

from ..describe import count_text
from ..fixing import fix_spec
from ..model import Model
from .options import PATH, spec_argument
from .output import show_diagnostics


@click.command("fix")
@spec_argument
@click.option("--diff", is_flag=True, help="Show what would be changed, and change nothing.")
@click.option("--unsafe", is_flag=True, help="Also make fixes that may not be what was meant.")
@click.option("-o", "--output", type=PATH, metavar="FILE", help="Write here; by default in place.")
@click.pass_context
def command(ctx: click.Context, spec: Path, diff: bool, unsafe: bool, output: Path | None) -> None:
    """Make the fixes that are safe: misspelt keys, other frameworks' names, numbers in quotes, and the like.

    Every fix was tried before: it removes its error and brings no other. Comments and layout stay.
    Exit code: 0 where the spec is valid then, 1 where errors are left.
    """
    model = Model(load_spec(spec))
    fixed = fix_spec(model.load, unsafe=unsafe)
    if diff:
        old = model.diagnostics.sources[str(spec)].text if fixed.fixes else ""
        lines = unified_diff(
            old.splitlines(keepends=True), fixed.text.splitlines(keepends=True), str(spec), f"{spec} (fixed)"
        )
        for line in lines if fixed.fixes else ():
            click.echo(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n", nl=False)
    elif fixed.fixes:
        write_file(output or spec, _bytes(spec, fixed.text))
        for fix in fixed.fixes:
            click.echo(f"{spec}:{fix.edits[0].span.line}: {fix.title}")
    show_diagnostics(fixed.diagnostics, err=True)
    if not diff:
        click.echo(f"{output or spec}: {count_text(len(fixed.fixes), 'fix').replace('fixs', 'fixes')} made")
    ctx.exit(1 if fixed.diagnostics.has_errors else 0)


def _bytes(spec: Path, text: str) -> bytes:
    mark = b"\xef\xbb\xbf"
    return (mark if spec.read_bytes().startswith(mark) else b"") + text.encode()
