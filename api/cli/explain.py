"""`netwright explain`: shows the page for a diagnostic's code, or what the compiler makes of a spec."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.syntax import Syntax
from rich.text import Text

from netwright.compiler.codegen.speed import measure_speed
from netwright.compiler.codegen.targets.machines import describe
from netwright.compiler.codegen.targets.target import host_target
from netwright.specs.diagnostics.codes import CODES
from netwright.specs.diagnostics.pages import Page, pages

from ..inspection.optimizations import optimizations
from ..inspection.plans import layer_plans
from ..model import load
from ..tuning.chosen import tuned_machine
from ..tuning.file import plans_for, read_tuning
from .options import PATH, format_option, settings_option
from .output import console, paragraph, show_warnings

_SPECS = (".yaml", ".yml", ".json")


@click.command("explain")
@click.argument("code", required=False, metavar="[CODE|SPEC]")
@click.option("--markdown", is_flag=True, help="Print a code's page as Markdown.")
@click.option(
    "--entry",
    type=click.Choice(["predict", "loss", "train_step"]),
    default="predict",
    show_default=True,
    help="Which entry of a spec.",
)
@click.option(
    "--tuning",
    type=PATH,
    metavar="FILE",
    help="With the plans of a spec's products in this file, as compile does.",
)
@format_option
@settings_option
def command(
    code: str | None,
    markdown: bool,
    entry: str,
    tuning: Path | None,
    form: str,
    settings: tuple[str, ...],
) -> None:
    """Explain a diagnostic's CODE with an example: lines with (-) are wrong, lines with (+) are right.

    Given a SPEC, explain how the compiler optimizes it: what each pass changes, which operations become one kernel,
    how each product is computed, with the time that is predicted for it and the next best plan, and how threads
    divide loops over steps.
    Without either, list all codes.
    """
    if code is None:
        for known, title in CODES.items():
            click.echo(f"{known}  {title}")
        return
    if Path(code).suffix.lower() in _SPECS:
        model = load(code, settings)
        show_warnings(model)
        report = optimizations(model, entry)
        machine = None
        if tuning is not None:
            target = host_target()
            machine = tuned_machine(describe(target), plans_for(read_tuning(tuning), target, str(tuning)))
        plans, loops = layer_plans(model, measure_speed(), entry, machine)
        if form == "json":
            data = report.to_json() | {
                "plans": [plan.to_json() for plan in plans],
                "loops": [loop.to_json() for loop in loops],
            }
            click.echo(json.dumps(data, indent=2, ensure_ascii=False))
            return
        out = console()
        for line in report.to_text().splitlines():
            paragraph(out, line, 4)
        if plans:
            paragraph(out, "", 4)
            paragraph(out, "Plans of products, and the time of one run on one core of this computer:", 4)
        for line in [line for plan in plans for line in plan.lines()]:
            paragraph(out, f"  {line}", 6)
        if loops:
            paragraph(out, "", 4)
            paragraph(out, "Loops over steps, how threads divide them, and why:", 4)
        for loop in loops:
            paragraph(out, f"  {loop}", 6)
        return
    page = pages().get(_normal(code))
    if page is None:
        raise click.UsageError(f"there is no code {code}; netwright explain lists them all")
    if markdown:
        click.echo(page.to_markdown(), nl=False)
    else:
        _print(page)


def _normal(code: str) -> str:
    """The code in its full form: `304`, `nw0304` and `NW0304` are the same."""
    digits = code.upper().removeprefix("NW")
    return f"NW{digits.zfill(4)}"


def _print(page: Page) -> None:
    out = console()
    out.print(Text(f"{page.code}: {page.title}", style="bold"))
    out.print()
    out.print(Text(page.text.replace("`", "")), soft_wrap=not out.is_terminal)
    if page.example:
        out.print()
        if out.is_terminal and not out.no_color:
            out.print(Syntax(page.example.rstrip("\n"), "diff", background_color="default"))
        else:
            out.print(Text(page.example.rstrip("\n")), soft_wrap=True)
