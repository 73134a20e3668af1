"""How `netwright train` begins: the options that a resumed training was begun with, and what must not be lost."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from netwright.runtime.errors import CheckpointError
from netwright.runtime.files.weights_file import WeightsFile
from netwright.runtime.training.checkpoint import read_origin
from netwright.specs.files import is_stream

from ..program import EngineName


@dataclass(frozen=True)
class Options:
    """The options that decide what a training computes, and where the weights go."""

    weights: Path | None
    settings: tuple[str, ...]
    data: Mapping[str, Path]
    engine: EngineName

    def origin(self, checkpoint: Path | None) -> dict[str, Any]:
        """What the checkpoint keeps of them. Data are found from any folder, weights beside the checkpoint alone: a
        checkpoint of somebody else must not say which files are written over.
        """
        weights = self.weights
        beside = (
            weights is not None
            and checkpoint is not None
            and not is_stream(weights)
            and weights.absolute().parent == checkpoint.absolute().parent
        )
        return {
            "weights": weights.name if beside and weights else "",
            "settings": list(self.settings),
            "data": {name: os.path.abspath(path) for name, path in self.data.items()},
            "engine": self.engine,
        }


def options_of(
    weights: Path | None,
    settings: Sequence[str],
    data: Mapping[str, Path],
    engine: EngineName | None,
    resume: Path | None,
    run: Mapping[str, Any] | None = None,
) -> Options:
    """The options given, and for those that are not, what the training to ``resume`` was begun with. ``run`` are those
    that a run was begun with, for one without a checkpoint; a run needs no weights, since it has its own.

    Raises UsageError if there are no weights to write, and CheckpointError for a file that can't be resumed from.
    """
    before: Mapping[str, Any] = {}
    if resume is not None:
        before = run if run is not None and not resume.exists() else read_origin(resume)
    if weights is None and run is None:
        weights = None if resume is None else _weights_beside(resume, before)
        if weights is None:
            raise click.UsageError("Missing option '--weights': where to write the trained weights")
    try:
        known = {_key(setting): str(setting) for setting in before.get("settings", ())}
        files = {str(name): Path(path) for name, path in before.get("data", {}).items()}
    except (TypeError, AttributeError, ValueError) as error:
        raise CheckpointError(f"{resume} can't be resumed from: {error}") from error
    now = {_key(setting): setting for setting in settings}
    kept = [f"--set {setting}" for key, setting in known.items() if key not in now]
    kept += [f"--data {name}={path}" for name, path in files.items() if name not in data]
    if kept:
        click.echo(f"as before: {' '.join(kept)}", err=True)
    old_engine: EngineName = "reference" if before.get("engine") == "reference" else "native"
    return Options(
        weights,
        (*(setting for key, setting in known.items() if key not in now), *settings),
        {**files, **data},
        engine or old_engine,
    )


def keep_existing(weights: Path | None, checkpoint: Path | None) -> None:
    """Raises UsageError if a new training would write over weights, or over the checkpoint of another training."""
    if checkpoint is not None and checkpoint.exists() and not is_stream(checkpoint):
        raise click.UsageError(
            f"{checkpoint} is there already: --resume {checkpoint} goes on with that training, --force writes over it"
        )
    if weights is not None and weights.exists() and not is_stream(weights):
        raise click.UsageError(f"{weights} is there already: --force writes over it")


def _weights_beside(checkpoint: Path, origin: Mapping[str, Any]) -> Path | None:
    """The weights file that a training wrote, or would have written, beside its checkpoint; None if it is unknown."""
    name = origin.get("weights")
    if not isinstance(name, str) or name != Path(name).name or not name or is_stream(name):
        return None
    path = checkpoint.parent / name
    if path.exists():
        WeightsFile(path)  # anything else is not to be written over
    return path


def _key(setting: str) -> str:
    return setting.partition("=")[0].strip()
