"""`netwright train --folds`: a cross-validation."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import click

from netwright.specs.diagnostics.visible import visible
from netwright.specs.files import new_folder, write_file

from ..errors import RequestError
from ..model import load
from ..sweeps.definition import FILE, Sweep
from ..sweeps.folds import KEY, fold_lines, fold_settings, write_results
from ..sweeps.search import Trial, run_sweep, trials_of
from ..training.run import monitor_of, training_plan
from ..trainings.info import RUNS, check_name, check_place, next_path
from ..trainings.spec_copy import spec_copy
from ..trainings.table import number_text
from .output import console, show_warnings
from .places import NEWEST


def is_group(path: str) -> bool:
    """Whether a path is the folder of a cross-validation."""
    return bool(path) and (Path(path) / FILE).is_file() and Sweep.read(Path(path)).method == "folds"


def train_folds(
    spec: Path,
    settings: list[str],
    folds: int | None,
    resume: str | None,
    folder: Path | None,
    name: str | None,
    data: Mapping[str, Path],
    options: tuple[str, ...],
    jobs: int,
) -> int:
    """Trains a run per fold, up to ``jobs`` at once, and prints their numbers. Returns the exit code.

    Raises UsageError and RequestError, and what loading the spec and its data raises.
    """
    base = folder or Path(RUNS)
    if resume is None:
        assert folds is not None
        sweep, place = _begun(spec, settings, folds, base, name, data, options)
    else:
        place = _place(load(spec).name, base, resume, name)
        sweep = Sweep.read(place)
        if folds not in (None, len(sweep.trials)):
            raise click.UsageError(f"{place} has {len(sweep.trials)} folds, not {folds}")
    click.echo(visible(f"folds {place}: {len(sweep.trials)} runs, by {sweep.metric}"))

    def told(trial: Trial, done: int, count: int) -> None:
        click.echo(f"[{done}/{count}] {trial.name}  {sweep.metric} {number_text(trial.value)}  {trial.state}")

    text = next(place / name for name in ("spec.yaml", "spec.json") if (place / name).exists())
    outcome = run_sweep(sweep, place, text, jobs, told)
    for failed, message in outcome.errors.items():
        click.echo(visible(f"{failed} failed: {message}"), err=True)
    if outcome.signal is not None:
        click.echo(visible(f"stopped; add  --resume {place}  to go on"), err=True)
        return 128 + outcome.signal
    trials = trials_of(sweep, place)
    write_results(place, trials)
    for line in ["", *fold_lines(trials, console().width)]:
        click.echo(line)
    return 1 if outcome.errors else 0


def _begun(
    spec: Path,
    settings: list[str],
    folds: int,
    base: Path,
    name: str | None,
    data: Mapping[str, Path],
    options: tuple[str, ...],
) -> tuple[Sweep, Path]:
    """Makes the folder of a new cross-validation."""
    if "valid" in data:
        raise click.UsageError("--data valid is not read: each fold validates by a part of the training data")
    model = load(spec, settings)
    show_warnings(model)
    plan = training_plan(model.load, model.network)
    train = model.spec.train
    assert train is not None
    trials = fold_settings(train, folds)
    first = model.changed([*settings, *(f"{KEY}={trials[0][KEY]}",)])
    sets = first.data(data)
    sets["train"].load()
    if (count := len(sets["train"]) + len(sets["valid"])) < folds:
        raise RequestError(f"{count} samples make no {folds} folds")
    monitor = monitor_of(plan, model.network.scores, validated=True) or {"name": "valid_loss", "rises": False}
    if name is not None:
        check_name(name)
    place = base / name if name is not None else next_path(base, f"{model.name}-folds")
    if os.path.lexists(place):
        raise click.UsageError(f"{place} is there already: --resume {place} goes on with it")
    check_place(place)
    sweep = Sweep(
        str(spec),
        model.name,
        "folds",
        (KEY,),
        tuple(trials),
        monitor["name"],
        monitor["rises"],
        plan.epochs,
        train.seed,
        options,
    )
    base.mkdir(parents=True, exist_ok=True)
    with new_folder(place) as made:
        file, text = spec_copy(first.load, sets, place)
        write_file(made / file, text.encode(), durable=False)
        sweep.write(made)
    return sweep, place


def _place(model: str, base: Path, resume: str, name: str | None) -> Path:
    if resume != NEWEST:
        return Path(resume)
    if name is not None:
        return base / name
    groups = [path.parent for path in base.glob(f"*/{FILE}")]
    there = [
        path for path in groups if (known := Sweep.read(path)).model == model and known.method == "folds"
    ]
    if not there:
        raise click.UsageError(f"there are no folds of {model} in {base} to go on with")
    return max(there, key=lambda path: (path / FILE).stat().st_mtime)
