"""The folder of a run while it is trained: it is made, told about, and gone on with.

`run.json` says what the training is of and how far it came; it is written anew when that changes. Beside it are the
spec, the metrics, the checkpoint and the weights (see docs/runs.md).
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from netwright.specs.files import new_folder, write_file
from netwright.specs.load import LoadResult

from ..data.sets import DataSets
from .info import CHECKPOINT, FORMAT, INFO, REPORT, WEIGHTS, read_info
from .machine import machine, versions
from .spec_copy import spec_copy

State = Literal["running", "finished", "stopped", "failed"]


class RunFolder:
    """A run that is trained. ``info`` is what its `run.json` holds."""

    def __init__(self, path: Path, info: dict[str, Any]):
        self.path, self.info = path, info

    @classmethod
    def create(
        cls,
        path: Path,
        load: LoadResult,
        sets: DataSets,
        *,
        options: Mapping[str, Any] | None = None,
        command: Sequence[str] | None = None,
        monitor: Mapping[str, Any] | None = None,
        epochs: int | None = None,
    ) -> RunFolder:
        """Makes the folder of a new run at ``path``, which nothing may be at.

        ``options`` are what it takes to go on with it, ``monitor`` the number that decides the best epoch, ``epochs``
        how many are planned. Raises OSError (FileExistsError if something is there).
        """
        assert load.model is not None
        model, train = load.model, load.model.train
        assert train is not None
        path.parent.mkdir(parents=True, exist_ok=True)
        with new_folder(path) as made:
            name, text = spec_copy(load, sets, path)
            write_file(made / name, text.encode(), durable=False)
            now = _now()
            info = {
                "format": FORMAT,
                "name": path.name,
                "model": model.model,
                "state": "running",
                "started": now,
                "resumed": [],
                "ended": None,
                "ending": None,
                "error": None,
                "spec": name,
                "spec_file": load.file,
                "spec_hash": hashlib.sha256(text.encode()).hexdigest(),
                "seed": train.seed,
                "epochs": epochs or train.epochs,
                "monitor": dict(monitor) if monitor else None,
                "options": dict(options or {}),
                "command": list(sys.argv if command is None else command),
                "versions": versions(),
                "machine": machine(),
                "process": os.getpid(),
                "weights": WEIGHTS,
                "checkpoint": CHECKPOINT,
                "report": REPORT,
            }
            folder = cls(made, info)
            folder._write()
        return cls(path, info)

    @classmethod
    def open(cls, path: str | Path) -> RunFolder:
        """A run to go on with. Raises RequestError if there is none."""
        return cls(Path(path), read_info(path))

    @property
    def checkpoint(self) -> Path:
        """Where the checkpoint is written."""
        return self.path / CHECKPOINT

    @property
    def weights(self) -> Path:
        """Where the weights are written."""
        return self.path / WEIGHTS

    def resumed(self, load: LoadResult, sets: DataSets, epochs: int) -> None:
        """The training goes on, for so many epochs in all, by a spec that may have changed. Raises OSError."""
        name, text = spec_copy(load, sets, self.path)
        write_file(self.path / name, text.encode(), durable=False)
        self.info |= {
            "spec": name,
            "spec_hash": hashlib.sha256(text.encode()).hexdigest(),
            "state": "running",
            "resumed": [*self.info.get("resumed", ()), _now()],
            "ended": None,
            "ending": None,
            "error": None,
            "epochs": epochs,
            "process": os.getpid(),
        }
        self._write()

    def ended(self, state: State, ending: str, error: str | None = None) -> None:
        """The training is over. Raises OSError."""
        self.info |= {"state": state, "ended": _now(), "ending": ending, "error": error}
        self._write()

    def given_up(self) -> None:
        """The process ends before the training is over, or has begun. Raises OSError."""
        if self.info["state"] == "running":
            self.ended("stopped", "aborted")

    def _write(self) -> None:
        text = json.dumps(self.info, indent=2, ensure_ascii=False) + "\n"
        write_file(self.path / INFO, text.encode(), durable=False)


def _now() -> str:
    """To the millisecond, since runs are told apart by when they began."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
