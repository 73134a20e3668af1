"""`netwright resources`: shows the memory that a network takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from netwright.compiler.codegen.files.platforms import NAMES, chosen_target
from netwright.specs.diagnostics.diagnostic import Diagnostics

from ..analysis.limits import memory_exceeded
from ..analysis.resources import Resources
from ..describe import bytes_text
from ..errors import RequestError
from ..inspection.measure import latency_exceeded, measure
from ..model import Model, load
from ..weights.network import weights_or_first
from .findings import show_diagnostics
from .options import PATH, dim_option, format_option, settings_option, spec_argument, weights_option
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
@click.option(
    "--target",
    type=click.Choice(NAMES),
    metavar="NAME",
    help="A microcontroller, thumbv7em-none-eabi: also flash, RAM and stack of predict.",
)
@weights_option(required=False, help="With --target: the weights that the flash holds; zeros take as much.")
@click.option(
    "--quantize",
    "calibration",
    type=PATH,
    metavar="DATA",
    help="With --target and --weights: the resources of the network that compile --quantize makes.",
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
    target: str | None,
    weights: Path | None,
    calibration: Path | None,
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
    if target is None and (weights is not None or calibration is not None):
        raise click.UsageError("--weights and --quantize are for flash: give --target, too")
    if calibration is not None and weights is None:
        raise click.UsageError("--quantize needs --weights")
    model = load(spec, settings)
    show_warnings(model)
    if target is not None:
        ctx.exit(_show_card(model, target, weights, calibration, dims, form))
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


def _show_card(
    model: Model, target: str, weights: Path | None, calibration: Path | None, dims: dict[str, Any], form: str
) -> int:
    """Prints flash, RAM and stack of `predict` on a microcontroller; returns the exit code."""
    # Links a program, for which others need not wait.
    from ..inspection.bare import bare_exceeded, bare_footprint

    settled = Model(model.load, Resources(model.load, model.network, ("predict",)).dims("predict", dims))
    network = settled.network
    values = weights_or_first(network, weights)
    if calibration is not None:
        from ..quantization import quantize

        data = model.data({"calibration": calibration})["calibration"]
        made = quantize(network, values, data, target=chosen_target(target, None))
        network, values = made.network, dict(made.weights)
    card = bare_footprint(network, values, target)
    if form == "json":
        numbers = {"flash": card.flash, "code": card.code, "ram": card.ram, "stack": card.stack}
        click.echo(json.dumps({"model": model.name, "target": target, **numbers}, indent=2))
    else:
        stack = "unknown" if card.stack is None else f"{card.stack:>9,} bytes"
        click.echo(
            f"flash {card.flash:>9,} bytes: code {card.code:,}, weights and constants {card.constants:,}"
        )
        click.echo(f"RAM   {card.ram:>9,} bytes: inputs, outputs and arena")
        click.echo(f"stack {stack}")
    over = bare_exceeded(settled.load, card)
    if over:
        show_diagnostics(Diagnostics(over, model.diagnostics.sources.values()), err=True)
    return 1 if over else 0
