"""`netwright profile`: where the time of a network goes, layer by layer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from netwright.compiler.codegen.speed import Speed, measure_speed
from netwright.runtime.engines.processors import processor_count

from ..describe import bytes_text
from ..errors import RequestError
from ..inspection.profile import Profile, Row, profile
from ..model import load
from ..verification.programs import Program
from .options import PATH, dim_option, settings_option, weights_option
from .output import show_warnings

_SPECS = (".yaml", ".yml", ".json")
#: The width of the column of layers, and of lines that are broken.
_NAMES, _WIDTH = 19, 80


@click.command("profile")
@click.argument("subject", type=PATH, metavar="SPEC|EXE")
@weights_option(required=False, help="Trained weights for a spec; initial ones by default.")
@click.option(
    "--entry",
    type=click.Choice(["predict", "loss", "train_step"]),
    default="predict",
    show_default=True,
    help="Which entry of a spec.",
)
@click.option(
    "--calls", type=click.IntRange(1, 100_000), default=100, show_default=True, help="How often to call it."
)
@click.option(
    "--threads", type=click.IntRange(1), default=1, show_default=True, help="The most threads to use."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "trace"]),
    default="text",
    show_default=True,
    help="How to print; trace: Chrome's trace events, for chrome://tracing and Perfetto.",
)
@dim_option("An open size of the random inputs; the least by default: N=32.")
@settings_option
def command(
    subject: Path,
    weights: Path | None,
    entry: str,
    calls: int,
    threads: int,
    form: str,
    dims: dict[str, Any],
    settings: tuple[str, ...],
) -> None:
    """Measure a network kernel by kernel: time, arithmetic and the share of what one core can do, bytes, and how each
    kernel is made.

    Beside each time is the one that the compiler's cost model predicts for one thread. SPEC is compiled into this
    process. An executable measures itself; it can be for another CPU, if there is an emulator.
    """
    if ranges := [name for name, size in dims.items() if not isinstance(size, int)]:
        raise RequestError(f"a profile is for one size: {ranges[0]}=64, not a range")
    if subject.suffix.lower() in _SPECS:
        model = load(subject, settings)
        show_warnings(model)
        made = profile(
            model,
            entry,
            weights=weights,
            dims=dims,
            threads=min(threads, processor_count()),
            runs=calls,
        )
    else:
        if weights is not None or settings or entry != "predict":
            raise click.UsageError("--weights, --entry and --set are for specs: an executable has its own")
        made = Program(subject).profile(calls, threads, dims)
    if form == "trace":
        click.echo(json.dumps(made.to_trace(), ensure_ascii=False))
        return
    speed = measure_speed()
    if form == "json":
        click.echo(json.dumps(made.to_json(speed), indent=2, ensure_ascii=False))
        return
    for line in lines(made, speed):
        click.echo(line)


def lines(made: Profile, speed: Speed) -> list[str]:
    """The profile as text, at most 80 columns wide."""
    sizes = "".join(f", {name}={size}" for name, size in made.dims.items())
    threads = f"{made.threads} thread{'s' * (made.threads > 1)}"
    peak = speed.flops_per_second["float32"] * made.threads / 1e9
    text = [
        f"{made.model}{sizes}, {threads}: {made.ns / 1e3:,.1f} µs in kernels, the median of {made.runs} calls",
        f"peak: {peak:,.0f} GFLOP/s of float32",
        "",
        f"{'layers':<{_NAMES}} {'µs':>9} {'predicted':>9} {'time':>5} {'GFLOP/s':>8} {'peak':>6} "
        f"{'bytes':>9} {'runs':>4}",
    ]
    rows = made.rows()
    planned = any(call.units for call in made.calls)
    text += [_row(row, made, speed, planned) for row in rows]
    text += ["", "kernels:"]
    for row in rows:
        text += _kernel(row, speed)
    return text


def _row(row: Row, made: Profile, speed: Speed, planned: bool) -> str:
    """A line of the table; ``planned``: whether the kernels' plans are known, from which their times are predicted."""
    name = row.layers if len(row.layers) <= _NAMES else row.layers[: _NAMES - 1] + "…"
    has = row.flops > 0
    predicted = f"{row.predicted(speed) / 1e3:,.2f}" if planned else "-"
    rate = f"{row.gflops:,.1f}" if has else "-"
    share = f"{row.share(speed, made.threads):.0%}" if has else "-"
    time = f"{row.ns / max(made.ns, 1):.0%}"
    runs = max(call.count for call in row.calls)
    return (
        f"{name:<{_NAMES}} {row.ns / 1e3:>9,.2f} {predicted:>9} {time:>5} {rate:>8} {share:>6} "
        f"{bytes_text(row.bytes):>9} {runs:>4,}"
    )


def _kernel(row: Row, speed: Speed) -> list[str]:
    """What the slowest kernel of some layers does, and why it is made so."""
    call = row.main
    several = call.operations.count(", ") + 1
    parts = [f"{call.operations} in one kernel" if several > 1 else call.operations or "a copy"]
    parts += [call.tiles] if call.tiles else []
    parts += [f"limited by {row.bound(speed)}" if call.flops else "moves data"]
    extra = len(row.calls) - 1
    parts += [f"and {extra} more kernel{'s' * (extra > 1)}"] if extra else []
    return _broken(f"  {row.layers}: ", "; ".join(parts))


def _broken(head: str, text: str) -> list[str]:
    made, line = [], head
    for word in text.split(" "):
        if len(line) + len(word) > _WIDTH and line.strip():
            made.append(line.rstrip())
            line = "    "
        line += word + " "
    return [*made, line.rstrip()]
