"""`netwright report`: shows a network, a run or several runs on one page for a browser."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from netwright.runtime.errors import DataError
from netwright.runtime.training.checkpoint import read_history
from netwright.runtime.training.metrics.records import epoch_record
from netwright.specs.diagnostics.visible import visible
from netwright.specs.files import write_file

from ..errors import RequestError
from ..model import load
from ..report.curves import Course
from ..report.page import report
from ..report.runs import course_of, run_report, runs_page
from ..trainings.info import REPORT, RUNS, is_run
from ..trainings.reading import Run
from ..weights.network import read_weights
from .options import PATH, check_outputs, dim_option, settings_option
from .output import show_warnings, written


@click.command("report")
@click.argument("sources", type=PATH, nargs=-1, required=True, metavar="SPEC|RUN...")
@click.option(
    "-o",
    "--output",
    type=PATH,
    metavar="FILE",
    help="Where to write it: report.html. By default into the folder of the run.",
)
@click.option(
    "--run",
    type=PATH,
    metavar="DIR",
    help="With a SPEC: a training's folder (its newest .checkpoint) or its checkpoint: show its curves.",
)
@dim_option("Through how many steps gradients flow: T=400.")
@settings_option
def command(
    sources: tuple[Path, ...],
    output: Path | None,
    run: Path | None,
    dims: dict[str, Any],
    settings: tuple[str, ...],
) -> None:
    """Write one page for a browser. It works offline.

    Of a RUN: its curves, confusion matrices, the worst samples, how gradients flow, weights before and after, the
    activity of layers, filters; and all that the page of a SPEC has: the network to pan, zoom and search, each layer's
    line in the spec, its shape, parameters and cost, memory, how outputs respond to shifts, warnings. Of several runs:
    their curves in the same charts, and what they differ in.
    """
    folders = [_run_folder(source) for source in sources]
    if len(sources) == 1 and folders[0] is None:
        page, output = _of_spec(sources[0], output, run, dims, settings), output
    else:
        if run is not None or dims or settings:
            raise click.UsageError("--run, --dim and --set are for the report of a spec")
        missing = [source for source, folder in zip(sources, folders, strict=True) if folder is None]
        if missing:
            raise RequestError(f"{missing[0]} is no run: a page is about one spec, or about runs")
        page, output = _of_runs([Run(folder) for folder in folders if folder is not None], output)
    assert output is not None
    write_file(output, page.encode())
    written(output, sized=True)


def _run_folder(source: Path) -> Path | None:
    """The folder of a run, by its path or by its name in `runs`; None if there is none."""
    for path in (source, Path(RUNS) / source):
        if is_run(path):
            return path
    return None


def _of_spec(
    spec: Path, output: Path | None, run: Path | None, dims: dict[str, Any], settings: Sequence[str]
) -> str:
    if output is None:
        raise click.UsageError("Missing option '-o' / '--output': where to write the page")
    model = load(spec, settings)
    check_outputs({"-o": output}, model.files)
    show_warnings(model)
    name = model.name
    if run is None:
        return report(model, dims=dims)
    if is_run(run):
        trained = Run(run)
        weights = read_weights(model.network, trained.weights) if trained.weights.exists() else None
        return report(model, [course_of(trained)], weights, dims=dims)
    path = _checkpoint(run)
    of, history = read_history(path)
    if of != name:
        raise RequestError(f"{path} is of the model {of}, not of {name}")
    course = Course(path.stem, [epoch_record(record, False, 0.0) for record in history])
    return report(model, [course], read_weights(model.network, path), dims=dims)


def _of_runs(runs: Sequence[Run], output: Path | None) -> tuple[str, Path]:
    if len(runs) > 1:
        if output is None:
            raise click.UsageError(
                "Missing option '-o' / '--output': where to write the page about several runs"
            )
        check_outputs({"-o": output})
        return runs_page(runs), output
    (run,) = runs
    output = output or run.path / REPORT
    check_outputs({"-o": output}, [run.spec, run.weights])
    try:
        return run_report(run), output
    except DataError as error:
        click.echo(f"note: {visible(str(error))}; the page is without what needs data", err=True)
        model = load(run.spec)
        return report(model, [course_of(run)], read_weights(model.network, run.weights)), output


def _checkpoint(run: Path) -> Path:
    if not run.is_dir():
        return run
    checkpoints = sorted(run.glob("*.checkpoint"), key=lambda path: path.stat().st_mtime)
    if not checkpoints:
        raise RequestError(f"there is no .checkpoint in {run}: netwright train leaves one beside the weights")
    return checkpoints[-1]
