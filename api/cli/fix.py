"""`netwright fix`: applies the fixes that diagnostics offer."""

from __future__ import annotations

from difflib import unified_diff
from pathlib import Path

import click

from netwright.specs.diagnostics.visible import visible
from netwright.specs.files import STANDARD_STREAM, is_stream, write_file
from netwright.specs.load import load_spec

from ..describe import count_text
from ..fixing import fix_spec
from ..model import Model
from .findings import show_diagnostics
from .options import PATH, check_outputs, spec_argument
from .output import to_standard_output


@click.command("fix")
@spec_argument
@click.option("--diff", is_flag=True, help="Show what would be changed, and change nothing.")
@click.option("--unsafe", is_flag=True, help="Also make fixes that may not be what was meant.")
@click.option("-o", "--output", type=PATH, metavar="FILE", help="Write here; by default in place.")
@click.pass_context
def command(ctx: click.Context, spec: Path, diff: bool, unsafe: bool, output: Path | None) -> None:
    """Apply the safe fixes: misspelt keys, other frameworks' names, numbers in quotes, and the like.

    Every fix has been tried: it removes its error and causes no other. Comments and layout stay. Included files are
    fixed too, unless the result goes elsewhere. Exit code: 0 if the spec is then valid, 1 if errors are left.
    """
    if str(spec) == STANDARD_STREAM and output is None and not diff:
        raise click.UsageError(
            "a spec from standard input can't be changed in place: -o says where to write it"
        )
    model = Model(load_spec(spec))
    check_outputs({"-o": output}, (file for file in model.files if file != str(spec)))
    fixed = fix_spec(model.load, unsafe=unsafe, included=output is None)
    elsewhere = output is not None and to_standard_output(output)
    if diff:
        for file, text in fixed.texts.items():
            old = model.diagnostics.sources[file].text
            _show_changes(file, old, text)
    else:
        whole = {model.load.file: fixed.text} if model.load.source else {}
        texts = fixed.texts if output is None else whole
        for file, text in texts.items():
            write_file(output or file, _bytes(file, text))
        for fix in fixed.fixes:
            span = fix.edits[0].span
            click.echo(visible(f"{span.file}:{span.line}: {fix.title}"), err=elsewhere)
    show_diagnostics(fixed.diagnostics, err=True)
    if not diff:
        made = count_text(len(fixed.fixes), "fix").replace("fixs", "fixes")
        click.echo(visible(f"{output or spec}: {made} made"), err=elsewhere)
    ctx.exit(1 if fixed.diagnostics.has_errors else 0)


def _show_changes(file: str, old: str, new: str) -> None:
    # Lines may end in carriage returns, which must be kept so that the diff can be applied.
    before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    for line in unified_diff(before, after, file, f"{file} (fixed)"):
        click.echo(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n", nl=False)


def _bytes(file: str, text: str) -> bytes:
    """The text as bytes, with a byte order mark if the file has one."""
    mark = b"\xef\xbb\xbf"
    marked = not is_stream(file) and Path(file).read_bytes().startswith(mark)
    return (mark if marked else b"") + text.encode()
