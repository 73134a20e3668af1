"""`netwright data`: shows what is in the data sets."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
from rich import box
from rich.table import Table

from netwright.runtime.data.archives import write_set
from netwright.runtime.data.samples import Samples
from netwright.runtime.data.summary import ArraySummary, SetSummary, summarize
from netwright.specs.diagnostics.visible import visible
from netwright.specs.files import write_file

from ..data.needs import expected_arrays, ranged_arrays, wanted, windows
from ..data.sets import DataSets
from ..data.words import number_text, vocabulary_text
from ..describe import count_text, shape_text
from ..errors import RequestError
from ..model import Model, load
from ..report.data_page import ShownSet, data_report
from .options import PATH, check_outputs, data_option, format_option, settings_option, spec_argument
from .output import console, show_warnings, written

#: How many classes are listed.
_MOST_CLASSES = 20


@click.command("data")
@spec_argument
@data_option("train=other.npz")
@click.option(
    "--report",
    "page",
    type=PATH,
    metavar="FILE",
    help="Also write a page for a browser, with a sheet of samples: data.html.",
)
@click.option(
    "-o",
    "--output",
    type=PATH,
    metavar="FOLDER",
    help="Also write each set as FOLDER/NAME.npz, with the arrays that the network takes.",
)
@format_option
@settings_option
@click.pass_context
def command(
    ctx: click.Context,
    spec: Path,
    data: dict[str, Path],
    page: Path | None,
    output: Path | None,
    form: str,
    settings: tuple[str, ...],
) -> None:
    """Read the data sets (those given, or the spec's) and show each array's type, range, numbers that are not finite,
    and how often each class occurs. Exit code 1 if a set does not fit the model.

    With -o, tables, images, sound and text become arrays, which executables that train read.
    """
    model = load(spec, settings)
    show_warnings(model)
    sets = model.data(data)
    names = list(data or sets)
    if not names:
        raise RequestError(f"{model.name} names no data: give some with --data train=FILE")
    inputs = [*model.files, *(file for name in names for file in sets.files(name))]
    check_outputs({"--report": page}, inputs)
    classes = wanted(model.load, model.network).classes
    summaries = {name: summarize(sets[name], classes) for name in names}
    problems = {name: _problems(model, sets, name) for name in names}
    if form == "json":
        shown = {name: {**summaries[name].to_json(), "problems": problems[name]} for name in names}
        click.echo(json.dumps(shown, indent=2, ensure_ascii=False))
    else:
        used = {info.name for info in expected_arrays(model.network)}
        for name, summary in summaries.items():
            click.echo(visible(f"{name}: {count_text(summary.samples, 'sample')} of {summary.source}"))
            console().print(_table(summary, used))
            for line in (
                *_class_lines(summary),
                *(vocabulary_text(*text) for text in summary.texts.items()),
            ):
                click.echo(visible(line))
            for problem in problems[name]:
                click.echo(f"error: {visible(problem)}", err=True)
            click.echo()
    if page is not None:
        shown_sets = {name: ShownSet(sets[name], summaries[name], problems[name]) for name in names}
        write_file(page, data_report(model, shown_sets).encode())
        written(page, sized=True)
    if any(problems.values()):
        ctx.exit(1)
    if output is not None:
        _write(output, sets.to_write(names), [info.name for info in expected_arrays(model.network)], inputs)


def _write(folder: Path, sets: Mapping[str, Samples], arrays: Sequence[str], inputs: Sequence[Path]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise RequestError(f"{folder} is a file: name a folder for a NAME.npz per data set") from None
    paths = {name: folder / f"{name}.npz" for name in sets}
    check_outputs({f"-o, {name}": path for name, path in paths.items()}, inputs)
    for name, samples in sets.items():
        write_set(paths[name], samples, arrays)
        written(paths[name], count_text(len(samples), "sample"), sized=True)


def _problems(model: Model, sets: DataSets, name: str) -> list[str]:
    """Why a data set does not fit."""
    load, network = model.load, model.network
    counts, dims = wanted(load, network).counts, list(network.dims.values())
    return sets[name].misfits(ranged_arrays(network), dims, counts, windows(load, network))


def _table(summary: SetSummary, used: set[str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("array", style="bold", no_wrap=True)
    table.add_column("type", no_wrap=True)
    table.add_column("sample", no_wrap=True)
    table.add_column("least", justify="right", no_wrap=True)
    table.add_column("greatest", justify="right", no_wrap=True)
    table.add_column("")
    for array in summary.arrays:
        name = visible(array.name)
        table.add_row(
            name,
            array.dtype,
            shape_text(array.shape),
            number_text(array.least),
            number_text(array.greatest),
            _remarks(array, used),
        )
    return table


def _remarks(array: ArraySummary, used: set[str]) -> str:
    remarks = [f"{array.nans:,} NaN"] if array.nans else []
    remarks += [f"{array.infinities:,} infinite"] if array.infinities else []
    remarks += ["constant"] if array.least is not None and array.least == array.greatest else []
    remarks += [] if array.name in used else ["not used"]
    return ", ".join(remarks)


def _class_lines(summary: SetSummary) -> list[str]:
    lines = []
    for array in summary.arrays:
        counts = summary.class_counts(array)
        if not counts:
            continue
        shown = [f"{name} {count:,}" for name, count in counts.items()]
        more = [f"… ({len(shown)} classes)"] if len(shown) > _MOST_CLASSES else []
        lines.append(f"{array.name}: {', '.join([*shown[:_MOST_CLASSES], *more])}")
    return lines
