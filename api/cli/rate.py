"""`netwright rate`: which learning rates the loss falls at."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from netwright.runtime.training.rates import LEAST_STEPS, RateCurve
from netwright.specs.files import is_stream, write_file
from netwright.specs.models.train import ConstantRate

from ..drawing.plot import curve_lines
from ..inspection.rates import advice, curve_to_json, find_rates
from ..model import Model, load
from ..program import EngineName
from ..report.rate_chart import rate_chart, rate_page, shown_range
from .options import PATH, check_outputs, data_option, engine_options, settings_option, spec_argument
from .output import console, show_warnings, to_standard_output, written

_ENDINGS = (".svg", ".html", ".json")
_ROWS, _WIDEST = 14, 100


@click.command("rate")
@spec_argument
@click.option(
    "--from", "first", type=float, default=1e-6, show_default=True, metavar="RATE", help="The first rate."
)
@click.option(
    "--to", "last", type=float, default=1.0, show_default=True, metavar="RATE", help="The last rate."
)
@click.option(
    "--steps",
    type=click.IntRange(LEAST_STEPS, 100_000),
    default=100,
    show_default=True,
    help="How many updates to make; more for small batches.",
)
@click.option(
    "-o", "--output", type=PATH, metavar="FILE", help="Also write the curve: a .svg, .html or .json file."
)
@click.option(
    "--format",
    "form",
    type=click.Choice([ending.removeprefix(".") for ending in _ENDINGS]),
    help="The format if the file's extension does not say it; json by default.",
)
@data_option("train=other.npz")
@click.option(
    "--seed", type=click.IntRange(0, 2**63 - 1), help="Another seed for weights, order and dropout."
)
@settings_option
@engine_options
def command(
    spec: Path,
    first: float,
    last: float,
    steps: int,
    output: Path | None,
    form: str | None,
    data: dict[str, Path],
    seed: int | None,
    settings: tuple[str, ...],
    engine: EngineName,
    threads: int | None,
    pin: bool,
) -> None:
    """Find a learning rate: train new weights for some updates while the rate rises, and show where the loss falls.

    Everything else is as the spec's train section says, which is not changed; the weights are not kept. It ends early
    when the loss diverges.
    """
    ending = _ending(output, form)
    model = load(spec, [*settings, *([f"train.seed={seed}"] if seed is not None else [])])
    show_warnings(model)
    sets = model.data(data)
    check_outputs({"-o": output}, [*model.files, *(file for name in sets for file in sets.files(name))])
    aside = output is not None and to_standard_output(output)
    messages = console(err=True)
    with _progress(messages) as progress:
        task = progress.add_task("rate", total=steps)
        curve = find_rates(
            model,
            sets,
            first=first,
            last=last,
            steps=steps,
            engine=engine,
            threads=threads,
            pin=pin,
            told=lambda done, loss: progress.update(task, completed=done),
        )
    shown = messages if aside else console()
    for line in [*_plot(curve, min(shown.width, _WIDEST)), "", *_lines(model, curve)]:
        click.echo(line, err=aside)
    for line in advice(curve):
        click.echo(f"note: {line}", err=True)
    if output is not None:
        write_file(output, _text(model, curve, ending).encode())
        written(output, sized=True)


def _ending(output: Path | None, form: str | None) -> str:
    """What is written. Raises UsageError if neither the file's name nor ``form`` says it."""
    if form is not None:
        return f".{form}"
    if output is None or is_stream(output):
        return ".json"
    if output.suffix not in _ENDINGS:
        raise click.UsageError(f"-o: {output} has to end in {', '.join(_ENDINGS[:-1])} or {_ENDINGS[-1]}")
    return output.suffix


def _text(model: Model, curve: RateCurve, ending: str) -> str:
    if ending == ".json":
        return curve_to_json(model, curve)
    return rate_chart(curve) + "\n" if ending == ".svg" else rate_page(model, curve)


def _progress(messages: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, console=messages, transient=True, disable=not messages.is_terminal)


def _plot(curve: RateCurve, width: int) -> list[str]:
    """The smoothed loss over rates, with axes; a mark below is at the steepest fall."""
    low, high = shown_range(curve)
    ticks = {0: f"{high:.3g}", _ROWS // 2: f"{(low + high) / 2:.3g}", _ROWS - 1: f"{low:.3g}"}
    left = max(map(len, ticks.values()))
    columns = max(width - left - 3, 10)
    rows = curve_lines(curve.smoothed.tolist(), low, high, columns, _ROWS)
    lines = [f"{ticks.get(number, ''):>{left}} │{row}" for number, row in enumerate(rows)]
    axis = ["─"] * columns
    if curve.steepest is not None:
        last = max(len(curve.rates) - 1, 1)
        axis[round(curve.rates.index(curve.steepest) / last * (columns - 1))] = "▲"
    ends = f"{curve.rates[0]:.2g}", f"{curve.rates[-1]:.2g}"
    between = "learning rate".center(columns - len(ends[0]) - len(ends[1]))
    return [*lines, f"{'':>{left}} └{''.join(axis)}", f"{'':>{left}}  {ends[0]}{between}{ends[1]}".rstrip()]


def _lines(model: Model, curve: RateCurve) -> list[str]:
    """What the curve says, aligned."""
    done = f"{len(curve.losses)} of {curve.planned} steps"
    ended = f"the loss diverged after {done}" if curve.diverged else f"{done}, the loss did not diverge"
    least = f"{curve.rates[curve.least]:.2g}, where the loss is {curve.smoothed[curve.least]:.4g}"
    rows = [("ending", ended), ("least loss", least)]
    if curve.steepest is not None and curve.tenth is not None:
        rows += [("a tenth of that", f"{curve.tenth:.2g}")]
        rows += [("steepest fall", f"{curve.steepest:.2g} ▲")]
        rows += [("to train with", f"--set {_key(model)}={curve.steepest:.2g}")]
    width = max(len(name) for name, _ in rows)
    return [f"{name:<{width}}  {text}" for name, text in rows]


def _key(model: Model) -> str:
    """The key of the rate in the spec: in a schedule, the rate that it starts from."""
    train = model.spec.train
    key = "train.optimizer.learning_rate"
    plain = train is None or isinstance(train.optimizer.learning_rate, ConstantRate)
    return key if plain else f"{key}.initial"
