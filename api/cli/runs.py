"""`netwright runs`: the runs of trainings, how they went, and how they differ."""

from __future__ import annotations

import json
from pathlib import Path

import click

from netwright.specs.files import write_file

from ..errors import RequestError
from ..trainings.chart import runs_chart
from ..trainings.describing import compare_lines, compared, list_lines, run_to_json, show_lines
from ..trainings.info import RUNS, is_run
from ..trainings.reading import Run, runs
from .options import PATH, check_outputs, format_option
from .output import console, written

_folder = click.option(
    "--runs",
    "folder",
    type=PATH,
    metavar="DIR",
    default=RUNS,
    show_default=True,
    help="The folder of the runs.",
)


@click.group("runs", invoke_without_command=True)
@_folder
@format_option
@click.pass_context
def command(ctx: click.Context, folder: Path, form: str) -> None:
    """List the runs of trainings: their state, epochs, the number each is judged by, when it began, and its spec.

    A run is named by its folder, or by its name in the folder of runs.
    """
    ctx.obj = folder
    if ctx.invoked_subcommand is not None:
        return
    listed = runs(folder)
    if form == "json":
        click.echo(json.dumps([run_to_json(run) for run in listed], indent=2, ensure_ascii=False))
    elif not listed:
        click.echo(f"there are no runs in {folder}; netwright train SPEC makes one", err=True)
    else:
        _print(list_lines(listed, console().width))


@command.command("show")
@click.argument("run")
@format_option
@click.pass_context
def show(ctx: click.Context, run: str, form: str) -> None:
    """Show a run: its state and numbers, what it ran on, and the curve that it is judged by."""
    shown = _run(ctx, run)
    if form == "json":
        numbers = {**run_to_json(shown), "run": shown.info, "history": shown.history}
        click.echo(json.dumps(numbers, indent=2, ensure_ascii=False))
    else:
        _print(show_lines(shown, console().width))


@command.command("compare")
@click.argument("names", metavar="RUN RUN…", nargs=-1, required=True)
@format_option
@click.pass_context
def compare(ctx: click.Context, names: tuple[str, ...], form: str) -> None:
    """Compare runs: the values in which their specs differ, and their results."""
    if len(names) < 2:
        raise click.UsageError("runs are compared with each other: name two or more")
    listed = [_run(ctx, name) for name in names]
    if form == "json":
        sections = {"runs": [run.name for run in listed], **compared(listed)}
        click.echo(json.dumps(sections, indent=2, ensure_ascii=False))
    else:
        _print(compare_lines(listed, console().width))


@command.command("plot")
@click.argument("names", metavar="RUN…", nargs=-1, required=True)
@click.option("-o", "--output", type=PATH, required=True, metavar="FILE.svg", help="Where to draw them.")
@click.option("--metric", "metrics", multiple=True, metavar="NAME", help="Only this number, such as loss.")
@click.pass_context
def plot(ctx: click.Context, names: tuple[str, ...], output: Path, metrics: tuple[str, ...]) -> None:
    """Draw the curves of runs over epochs, a chart per number, as an SVG picture."""
    listed = [_run(ctx, name) for name in names]
    check_outputs({"-o": output}, [run.path / "metrics.jsonl" for run in listed])
    try:
        text = runs_chart(listed, metrics)
    except ValueError as error:
        raise RequestError(str(error)) from None
    write_file(output, text.encode())
    written(output, sized=True)


def _run(ctx: click.Context, name: str) -> Run:
    """A run by its folder, or by its name. Raises RequestError."""
    path = ctx.obj / name
    if is_run(path):
        return Run(path, name)
    if is_run(name):
        return Run(name)
    known = [run.name for run in runs(ctx.obj)]
    there = f"; there is {', '.join(known[-8:])}" if known else ""
    raise RequestError(f"there is no run {name}, neither as a folder nor in {ctx.obj}{there}")


def _print(lines: list[str]) -> None:
    for line in lines:
        click.echo(line)
