"""`netwright sweep`: trains a network with many values of its spec, and compares the results."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import yaml

from netwright.specs.diagnostics.visible import visible
from netwright.specs.files import new_folder, open_regular, write_file

from ..errors import RequestError
from ..model import load
from ..program import EngineName
from ..sweeps.definition import FILE, Method, Sweep, points
from ..sweeps.report import short_keys, sweep_lines, sweep_page, sweep_to_json
from ..sweeps.search import Trial, ranked, run_sweep, trials_of
from ..sweeps.space import Range, Values, read_space, read_values
from ..training.run import monitor_of, training_plan
from ..trainings.info import REPORT, RUNS, check_name, check_place, next_path
from ..trainings.spec_copy import spec_copy
from ..trainings.table import number_text
from .options import PATH, data_option, format_option, settings_option, spec_argument
from .output import console, show_warnings
from .places import NEWEST

_METHODS = ("grid", "random", "halving")
_FILE_KEYS = ("set", "method", "trials", "metric", "seed")


@click.command("sweep")
@spec_argument
@click.argument("file", type=PATH, required=False, metavar="[SWEEP.yaml]")
@settings_option
@click.option(
    "--method",
    type=click.Choice(_METHODS),
    help="All combinations; random ones; or many for few epochs, of which the best third goes on. By default grid, or "
    "random with ranges.",
)
@click.option(
    "--trials", type=click.IntRange(1, 10_000), metavar="N", help="How many points are drawn at random."
)
@click.option(
    "--metric", metavar="NAME", help="The number to judge by: valid_accuracy; by default as train does."
)
@click.option(
    "--epochs", type=click.IntRange(1), help="The epochs of a whole training; by default as in the spec."
)
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="Another seed for the points that are drawn.")
@click.option(
    "--jobs", type=click.IntRange(1, 256), default=1, show_default=True, help="How many trainings at once."
)
@click.option(
    "--runs",
    "folder",
    type=PATH,
    metavar="DIR",
    help=f"The folder to make the sweep's in; by default {RUNS}.",
)
@click.option(
    "--name", metavar="NAME", help="The sweep's name; by default the network's, with -sweep and a number."
)
@click.option(
    "--resume",
    is_flag=False,
    flag_value=NEWEST,
    metavar="[SWEEP]",
    help="Go on with a sweep, by default the newest of this network.",
)
@data_option("train=other.npz")
@click.option("--engine", type=click.Choice(["native", "reference"]), default="native", show_default=True)
@format_option
@click.pass_context
def command(
    ctx: click.Context,
    spec: Path,
    file: Path | None,
    settings: tuple[str, ...],
    method: Method | None,
    trials: int | None,
    metric: str | None,
    epochs: int | None,
    seed: int | None,
    jobs: int,
    folder: Path | None,
    name: str | None,
    resume: str | None,
    data: dict[str, Path],
    engine: EngineName,
    form: str,
) -> None:
    """Train with many values of the spec, and compare the results. --set KEY=A,B tries A and B, --set KEY=LOW..HIGH
    draws numbers between LOW and HIGH; other settings hold for all trials.

    Every trial is a run in the sweep's folder, runs/NAME-sweep-001, beside report.html. The results are the same for
    any number of --jobs. Ctrl-C and SIGTERM let the trials write their checkpoints; --resume goes on.
    """
    base = folder or Path(RUNS)
    if resume is not None:
        place = _resumed(load(spec).name, base, resume, name)
        sweep = Sweep.read(place)
        if sweep.method == "folds":
            raise click.UsageError(
                f"{place} is a cross-validation: netwright train {spec} --resume {place} goes on"
            )
    else:
        written = _read_file(file) if file is not None else {}
        space: dict[str, Values] = read_space(written.get("set", {}))
        fixed = []
        for setting in settings:
            key, _, text = setting.partition("=")
            values = read_values(key.strip(), text)
            if isinstance(values, Range) or len(values) > 1:
                space[key.strip()] = values
            else:
                fixed.append(setting)
        sweep, place = _begun(
            spec,
            [*fixed, *([f"train.epochs={epochs}"] if epochs else [])],
            space,
            method or written.get("method"),
            trials or written.get("trials"),
            metric or written.get("metric"),
            seed if seed is not None else written.get("seed", 0),
            base,
            name,
            data,
            engine,
        )
    quiet = form == "json"
    click.echo(f"sweep {place}: {len(sweep.trials)} trials, {sweep.method}, by {sweep.metric}", err=quiet)
    short = short_keys(sweep.keys)

    def told(trial: Trial, done: int, count: int) -> None:
        values = " ".join(f"{short[key]}={value}" for key, value in trial.values.items())
        line = f"[{done}/{count}] {trial.name}  {sweep.metric} {number_text(trial.value)}  {values}  {trial.state}"
        click.echo(visible(line), err=quiet)

    outcome = run_sweep(sweep, place, _spec_in(place), jobs, told)
    listed = trials_of(sweep, place)
    write_file(place / REPORT, sweep_page(sweep, listed).encode(), durable=False)
    for failed, message in outcome.errors.items():
        click.echo(visible(f"{failed} failed: {message}"), err=True)
    if outcome.signal is not None:
        click.echo(visible(f"stopped; add  --resume {place}  to go on"), err=True)
        ctx.exit(128 + outcome.signal)
    if quiet:
        click.echo(json.dumps(sweep_to_json(sweep, listed), indent=2, ensure_ascii=False))
    else:
        for line in ["", *sweep_lines(sweep, listed, console().width)]:
            click.echo(line)
        best = ranked(sweep, listed)[0]
        if best.run is not None and best.value is not None:
            click.echo(visible(f"\nbest: {best.run.path}; wrote {place / REPORT}", keep="\n"))
    if outcome.errors:
        ctx.exit(1)


def _begun(
    spec: Path,
    settings: list[str],
    space: dict[str, Values],
    method: str | None,
    trials: int | None,
    metric: str | None,
    seed: int,
    base: Path,
    name: str | None,
    data: dict[str, Path],
    engine: EngineName,
) -> tuple[Sweep, Path]:
    """Makes the folder of a new sweep, once its values have been tried on the spec."""
    if method is None:
        method = "random" if any(isinstance(values, Range) for values in space.values()) else "grid"
    if method not in _METHODS:
        raise RequestError(f"the method is {', '.join(_METHODS[:-1])} or {_METHODS[-1]}, not {method}")
    model = load(spec, settings)
    show_warnings(model)
    plan = training_plan(model.load, model.network)
    sets = model.data(data)
    validated = "valid" in sets
    monitor = monitor_of(plan, model.network.scores, validated=validated)
    judged = metric or (str(monitor["name"]) if monitor else "train_loss")
    part, _, number = judged.partition("_")
    rises = {score.name: score.rises for score in model.network.scores}
    if part not in (("train", "valid") if validated else ("train",)) or number not in rises:
        known = [
            f"{where}_{key}" for where in (("valid", "train") if validated else ("train",)) for key in rises
        ]
        raise RequestError(f"there is no number {judged} to judge by; there is {', '.join(known)}")
    chosen = tuple(points(space, method, trials, seed))  # type: ignore[arg-type]
    for point in _corners(chosen):
        model.changed([*settings, *(f"{key}={value}" for key, value in point.items())]).network  # noqa: B018
    place = base / name if name is not None else next_path(base, f"{model.name}-sweep")
    if name is not None:
        check_name(name)
        if os.path.lexists(place):
            raise click.UsageError(f"{place} is there already: --resume {place} goes on with that sweep")
    check_place(place)
    for dataset in (sets["train"], sets.find("valid")):
        if dataset is not None:
            dataset.load()
    sweep = Sweep(
        str(spec),
        model.name,
        method,  # type: ignore[arg-type]
        tuple(space),
        chosen,
        judged,
        rises[number],
        plan.epochs,
        seed,
        ("--engine", engine) if engine != "native" else (),
    )
    base.mkdir(parents=True, exist_ok=True)
    with new_folder(place) as made:
        file, text = spec_copy(model.load, sets, place)
        write_file(made / file, text.encode(), durable=False)
        sweep.write(made)
    return sweep, place


def _corners(chosen: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    """Trials that between them have each value at least once: mistakes are found before hours of training."""
    seen: set[tuple[str, str]] = set()
    corners = []
    for point in chosen:
        if new := set(point.items()) - seen:
            seen |= new
            if len(corners) < 20:
                corners.append(dict(point))
    return corners


def _resumed(model: str, base: Path, resume: str, name: str | None) -> Path:
    if resume != NEWEST:
        path = Path(resume)
        return path if (path / FILE).exists() else base / resume if (base / resume / FILE).exists() else path
    if name is not None:
        return base / name
    every = [path.parent for path in base.glob(f"*/{FILE}")]
    there = [path for path in every if (known := Sweep.read(path)).model == model and known.method != "folds"]
    if not there:
        raise click.UsageError(f"there is no sweep of {model} in {base} to go on with")
    return max(there, key=lambda path: (path / FILE).stat().st_mtime)


def _spec_in(place: Path) -> Path:
    return next(
        (place / name for name in ("spec.yaml", "spec.json") if (place / name).exists()), place / "spec.yaml"
    )


def _read_file(path: Path) -> dict[str, Any]:
    """A sweep file: `set` with values by key, and `method`, `trials`, `metric` and `seed`. Raises RequestError."""
    try:
        with open_regular(path) as file:
            written = yaml.safe_load(file.read(2**20).decode())
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise RequestError(f"{path}: {str(error).splitlines()[0]}") from None
    if not isinstance(written, dict) or not isinstance(written.get("set"), dict):
        raise RequestError(
            f"{path}: a sweep file has set with the values to try by key: set: {{KEY: [A, B]}}"
        )
    if unknown := [str(key) for key in written if key not in _FILE_KEYS]:
        raise RequestError(f"{path}: unknown key {unknown[0]}; there is {', '.join(_FILE_KEYS)}")
    for key, kind in (("trials", int), ("seed", int), ("method", str), ("metric", str)):
        if key in written and type(written[key]) is not kind:
            raise RequestError(
                f"{path}: {key} is {written[key]!r}, not {'a number' if kind is int else 'a text'}"
            )
    return {**written, "set": {str(key): value for key, value in written["set"].items()}}
