"""`netwright validate`: reports everything that is wrong with specs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import click

from netwright.compiler.frontend.build import build_network
from netwright.specs.diagnostics.diagnostic import Diagnostics
from netwright.specs.diagnostics.pages import pages
from netwright.specs.diagnostics.sarif import to_sarif
from netwright.specs.diagnostics.visible import visible
from netwright.specs.load import load_spec

from ..data.checks import check_data
from ..fixing import check_fixes
from ..version import VERSION
from .findings import show_diagnostics
from .options import PATH, settings_option


@click.command("validate")
@click.argument("specs", nargs=-1, required=True, type=PATH, metavar="SPEC...")
@click.option("--data", is_flag=True, help="Also compare the data files with the inputs and targets.")
@click.option("--stream", is_flag=True, help="Also check that it can be computed step by step.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "sarif"]),
    default="text",
    show_default=True,
    help="How to print.",
)
@settings_option
@click.pass_context
def command(
    ctx: click.Context,
    specs: tuple[Path, ...],
    data: bool,
    stream: bool,
    form: str,
    settings: tuple[str, ...],
) -> None:
    """Check specs: keys, wiring, shapes, losses, and (with --data) the data files' headers.

    With --stream, name the layers that need steps that have not come yet, or tell when answers come.

    Exit code: 0 if all are valid, 1 if one has errors, 2 for wrong usage.
    """
    told: dict[Path, str] = {}
    checked = [(path, _checked(path, settings, data, told if stream else None)) for path in specs]
    if form in ("json", "sarif"):
        everything = Diagnostics(item for _, diagnostics in checked for item in diagnostics)
        texts = {code: page.to_markdown() for code, page in pages().items()} if form == "sarif" else {}
        shown = everything.to_json() if form == "json" else to_sarif(everything, VERSION, texts)
        click.echo(json.dumps(shown, indent=2, ensure_ascii=False))
    else:
        for position, (path, diagnostics) in enumerate(checked):
            if position and (diagnostics.items or checked[position - 1][1].items):
                click.echo()
            show_diagnostics(diagnostics)
            if not diagnostics.has_errors:
                click.echo(visible(f"{path}: valid"))
                if path in told:
                    click.echo(f"step by step: {told[path]}")
            elif safe := sum(any(fix.safe for fix in item.fixes) for item in diagnostics):
                click.echo(f"\n{safe} of these can be fixed by: netwright fix {visible(str(path))}", err=True)
    ctx.exit(1 if any(diagnostics.has_errors for _, diagnostics in checked) else 0)


def _checked(
    path: Path, settings: tuple[str, ...], data: bool, streams: dict[Path, str] | None
) -> Diagnostics:
    """Everything wrong with a spec. How it is computed step by step goes to ``streams``, if that is asked for."""
    # The compiler is not imported here: that would take longer than all checks of most specs.
    load = load_spec(path, settings)
    network, diagnostics = build_network(load)
    diagnostics = check_fixes(replace(load, diagnostics=diagnostics))
    if network is not None and load.model and load.model.budget and load.model.budget.memory is not None:
        from ..analysis.limits import beyond_memory

        diagnostics = Diagnostics([*diagnostics, *beyond_memory(load, network)], diagnostics.sources.values())
    if data and network is not None:
        diagnostics = Diagnostics([*diagnostics, *check_data(load, network)], diagnostics.sources.values())
    if streams is not None and network is not None:
        from ..analysis.streaming import Streaming, streaming

        answer = streaming(load, network)
        if isinstance(answer, Streaming):
            streams[path] = str(answer)
        else:
            diagnostics = Diagnostics([*diagnostics, *answer], diagnostics.sources.values())
    return diagnostics
