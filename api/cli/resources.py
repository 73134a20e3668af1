"""`netwright resources`: shows the memory that a network takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from netwright.specs.diagnostics.diagnostic import Diagnostics

from ..analysis.limits import latency_exceeded, memory_exceeded
from ..analysis.measure import measure
from ..analysis.resources import Resources
from ..describe import bytes_text
from ..errors import RequestError
from ..model import load
from .findings import show_diagnostics
from .options import dim_option, format_option, settings_option, spec_argument
from .output import console, paragraph, show_warnings


@click.command("resources")
@spec_argument
@dim_option("The sizes to show it for: N=1, T=64.")
@click.option(
    "--entry",
    "entries",
    multiple=True,
    type=click.Choice(["predict", "loss", "train_step"]),
    help="Which entries; predict and train_step by default.",
)
@click.option("--measure", "measured", is_flag=True, help="Also run it: time, machine code, stack.")
@format_option
@settings_option
@click.pass_context
def command(
    ctx: click.Context,
    spec: Path,
    dims: dict[str, Any],
    entries: tuple[str, ...],
    measured: bool,
    form: str,
    settings: tuple[str, ...],
) -> None:
    """Print the exact memory that a network needs: what the compiled program's own planner lays out for the sizes
    given, and how it grows with the open ones.

    Exit code 1 if the spec's budget is exceeded.
    """
    if ranges := [name for name, size in dims.items() if not isinstance(size, int)]:
        raise RequestError(f"resources are for one size: {ranges[0]}=64, not a range")
    model = load(spec, settings)
    show_warnings(model)
    resources = Resources(model.load, model.network, entries or None)
    timing = measure(model.load, model.network, resources.dims("predict", dims)) if measured else None
    if form == "json":
        needs = resources.to_json(dims)
        if timing:
            size = {"code": timing.size.code, "stack": timing.size.stack}
            needs["measured"] = {"latency_ms": timing.latency_ms, "calls": timing.calls, **size}
            if timing.step:
                needs["measured"] |= {"step_ms": timing.step.latency_ms, "steps": timing.step.steps}
        click.echo(json.dumps(needs, indent=2, ensure_ascii=False))
    else:
        out = console()
        out.print(resources.table(dims))
        for line in resources.growth(dims):
            paragraph(out, line, 4)
        if timing:
            stack = "" if timing.size.stack is None else f", stack {timing.size.stack:,} bytes"
            paragraph(
                out,
                f"measured: predict {timing.latency_ms:.3g} ms (median of {timing.calls}, one thread), machine code "
                f"{bytes_text(timing.size.code)}{stack}",
            )
        if timing and timing.step:
            steps = "a step" if timing.step.steps == 1 else f"{timing.step.steps} steps"
            out.print(f"measured: {steps} of a stream in {timing.step.latency_ms:.3g} ms", soft_wrap=True)
    over = memory_exceeded(resources) + (latency_exceeded(model.load, model.network) if measured else [])
    if over:
        show_diagnostics(Diagnostics(over, model.diagnostics.sources.values()), err=True)
        ctx.exit(1)
