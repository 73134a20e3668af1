"""Where `netwright train` writes: into the folder of a run, or to a weights file with its checkpoint beside it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

from netwright.specs.files import is_stream

from ..errors import RequestError
from ..trainings.folder import RunFolder
from ..trainings.info import (
    CHECKPOINT,
    RUNS,
    check_name,
    check_place,
    is_run,
    is_running,
    next_path,
    remove_run,
)
from ..trainings.reading import runs

#: What `--resume` is without a value.
NEWEST = ""


@dataclass(frozen=True)
class Place:
    """Where a training's files go, and what it goes on with.

    ``folder`` is the run's, if it has one; ``resume`` is a checkpoint to go on with, which may not be there yet in the
    folder of a run that was killed early.
    """

    folder: Path | None
    resume: Path | None
    model: str = ""
    """The model that a new run without a name of its own is called after."""

    def open(self) -> RunFolder | None:
        """The run to go on with, if that is what was asked for. Raises RequestError if somebody else trains it."""
        if self.folder is None or self.resume is None:
            return None
        if is_running(self.folder):
            raise RequestError(f"{self.folder} is being trained by another process")
        return RunFolder.open(self.folder)


def place_of(
    model: str,
    weights: Path | None,
    checkpoint: Path | None,
    resume: str | None,
    folder: Path | None,
    name: str | None,
    *,
    force: bool,
) -> Place:
    """Decides where the training of a ``model`` writes. ``folder`` is that of runs (`--runs`), ``name`` a run's.

    Without weights, a training is a run; with weights, it is one if `--runs` or `--name` says so. Raises UsageError and
    RequestError, and OSError if a folder can't be made.
    """
    named = folder is not None or name is not None
    place = _resumed(model, weights, checkpoint, resume, folder, name) if resume is not None else None
    if place is None:
        if weights is not None and not named:
            return Place(None, None)
        place = Place(
            _new(model, folder or Path(RUNS), name, force=force), None, model if name is None else ""
        )
    if place.folder is not None and checkpoint is not None:
        raise click.UsageError(
            f"a run keeps its checkpoint in its folder, {place.folder}: leave --checkpoint out, or give --weights and "
            "neither --runs nor --name for a training without a folder"
        )
    return place


def _new(model: str, runs: Path, name: str | None, *, force: bool) -> Path:
    if name is None:
        path = next_path(runs, model)
    else:
        check_name(name)
        path = runs / name
        if os.path.lexists(path) and not force:
            raise click.UsageError(
                f"{path} is there already: --resume {path} goes on with that run, --force replaces it"
            )
        if os.path.lexists(path) and not is_run(path):
            raise click.UsageError(f"{path} is there already, and no run: choose another name")
    check_place(path)
    return path


def _resumed(
    model: str,
    weights: Path | None,
    checkpoint: Path | None,
    resume: str,
    folder: Path | None,
    name: str | None,
) -> Place:
    """What `--resume` goes on with: a run's folder, a checkpoint, or what is newest."""
    if resume == NEWEST:
        if name is not None:
            path = (folder or Path(RUNS)) / name
        elif weights is not None and folder is None:
            path = checkpoint or beside(weights, model)
            if not path.exists():
                raise click.UsageError(f"there is no checkpoint {path} to go on with")
        else:
            path = _newest(model, folder or Path(RUNS))
    else:
        path = Path(resume)
    if path.is_dir():
        if not is_run(path):
            raise click.UsageError(f"{path} is no run to go on with: it has no run.json")
        return Place(path, path / CHECKPOINT)
    if path.name == CHECKPOINT and is_run(path.parent):
        return Place(path.parent, path)
    if resume == NEWEST and name is not None:
        raise click.UsageError(f"there is no run {path} to go on with")
    return Place(None, path)


def _newest(model: str, folder: Path) -> Path:
    """The newest run of a model that has not finished, but no trial of a sweep. Raises UsageError if there is none."""
    those = [run for run in runs(folder) if run.info.get("model") == model and run.path.parent == folder]
    for run in reversed(those):
        if run.state not in ("finished", "running"):
            return run.path
    if those:
        last = those[-1].path
        raise click.UsageError(
            f"all runs of {model} in {folder} are finished, or running: --resume {last} --epochs MORE goes on"
        )
    raise click.UsageError(f"there is no run of {model} in {folder} to go on with")


def beside(weights: Path, model: str) -> Path:
    """The path of the checkpoint: next to the weights, or in the current folder if the weights go to a pipe or a
    device.
    """
    if is_stream(weights):
        return Path(f"{model}.checkpoint")
    return weights.parent / f"{weights.stem}.checkpoint"


def begin_run(place: Place, make: Callable[[Path], RunFolder]) -> RunFolder:
    """Makes the folder of a new run; of several trainings that begin at once, each takes a number of its own. A run
    that is to be replaced is removed.
    """
    assert place.folder is not None
    path = place.folder
    if not place.model and os.path.lexists(path):
        remove_run(path)
    while True:
        try:
            return make(path)
        except FileExistsError:
            if not place.model:
                raise
            path = next_path(path.parent, place.model)
