"""The folders of runs from outside: what they are called, whether they are there, and what their `run.json` holds."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

from netwright.runtime.files.weights_file import RUN_CHECKPOINT, RUN_WEIGHTS
from netwright.runtime.training.metrics.writer import is_recorded
from netwright.specs.files import check_writable

from ..errors import RequestError

RUNS = "runs"
"""The folder that runs are in if nobody says another."""
INFO, WEIGHTS, CHECKPOINT, REPORT = "run.json", RUN_WEIGHTS, RUN_CHECKPOINT, "report.html"
FORMAT = "netwright-run-1"
#: Names that are the same on every system: no separators, no leading dot.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+=-]{0,99}")


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
