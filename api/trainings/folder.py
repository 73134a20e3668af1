"""The folder of a run while it is trained: it is made, told about, and gone on with.

`run.json` says what the training is of and how far it came; it is written anew when that changes. Beside it are the
spec, the metrics, the checkpoint and the weights (see docs/runs.md).
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from netwright.runtime.metrics.writer import is_recorded
from netwright.specs.files import check_writable, new_folder, write_file
from netwright.specs.load import LoadResult

from ..data.sets import DataSets
from ..errors import RequestError
from .machine import machine, versions
from .spec_copy import spec_copy

RUNS = "runs"
"""The folder that runs are in if nobody says another."""
INFO, WEIGHTS, CHECKPOINT, REPORT = "run.json", "weights.safetensors", "weights.checkpoint", "report.html"
FORMAT = "netwright-run-1"
State = Literal["running", "finished", "stopped", "failed"]
#: Names that are the same on every system: no separators, no leading dot.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+=-]{0,99}")


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

    def resumed(self, epochs: int) -> None:
        """The training goes on, for so many epochs in all. Raises OSError."""
        self.info |= {
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

    def _write(self) -> None:
        text = json.dumps(self.info, indent=2, ensure_ascii=False) + "\n"
        write_file(self.path / INFO, text.encode(), durable=False)


def read_info(path: str | Path) -> dict[str, Any]:
    """What the `run.json` of a folder holds. Raises RequestError if it is no run that this version can read."""
    file = Path(path) / INFO
    try:
        info = json.loads(file.read_bytes())
    except OSError as error:
        raise RequestError(f"{path} is no run: {file}: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise RequestError(f"{path} is no run: {file} is damaged") from None
    if not isinstance(info, dict) or info.get("format") != FORMAT:
        raise RequestError(f"{path} is no run that this version of netwright can read")
    return info


def is_run(path: str | Path) -> bool:
    """Whether a folder is that of a run."""
    return (Path(path) / INFO).is_file()


def is_running(path: str | Path) -> bool:
    """Whether a run is trained at this moment, on this computer."""
    return is_recorded(path)


def next_path(runs: Path, name: str) -> Path:
    """The first of `NAME-001`, `NAME-002`, … after all that are there."""
    pattern = re.compile(re.escape(name) + r"-(\d{3,9})")
    there = [int(match[1]) for match in map(pattern.fullmatch, _names(runs)) if match]
    return runs / f"{name}-{max(there, default=0) + 1:03}"


def check_name(name: str) -> None:
    """Raises RequestError if a run can't have this name."""
    if not _NAME.fullmatch(name):
        raise RequestError(f"a run can't be called {name!r}: letters, digits and _ . + = - make a name")


def check_place(path: Path) -> None:
    """Raises OSError if a folder can't be made at ``path``; called before long work."""
    parent = path.parent
    while not parent.exists() and parent != parent.parent:
        parent = parent.parent
    if not parent.is_dir():
        raise OSError(errno.ENOTDIR, "it is no directory", str(parent))
    check_writable(parent / f".{path.name}")


def remove_run(path: Path) -> None:
    """Removes a run to make room for another one. Raises RequestError if it is no run, or is being trained."""
    if not is_run(path):
        raise RequestError(f"{path} is no run, it stays")
    if is_running(path):
        raise RequestError(f"{path} is being trained by another process, it stays")
    shutil.rmtree(path)


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
