"""Runs entries in processes of their own, with limits of time and memory."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from .entries import Entry
from .exporting import REVISION

ROOT = Path(__file__).parents[2]
#: Seconds that an export and a check may take on a quiet machine with one core for it.
EXPORT_SECONDS = 600
CHECK_SECONDS = 600
MEGABYTES = 12_000
#: What torchvision says where its C++ operators are not there, or were made for another PyTorch.
UNLOADED = "Couldn't load custom C++ ops"


def run(
    entry: Entry, folder: Path, *, flags: tuple[str, ...] = (), seconds: int = CHECK_SECONDS
) -> dict[str, Any]:
    """The report on an entry; its ONNX file is made in ``folder`` unless it is there."""
    missing = [name for name in entry.requires if importlib.util.find_spec(name) is None]
    if missing:
        return {"verdict": "skipped", "reason": f"{', '.join(missing)} not installed"}
    path = file_of(entry, folder)
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        start = time.perf_counter()
        code, _, said = _child(["export_entry", entry.name, str(path)], EXPORT_SECONDS)
        if code and UNLOADED in said:
            return {"verdict": "skipped", "reason": "torchvision's C++ operators do not load here"}
        if code:
            return {"verdict": "failed", "reason": f"not exported: {_last_line(said) or code}"}
        exporting = {"export": time.perf_counter() - start}
    else:
        exporting = {}
    code, printed, said = _child(["check", entry.name, str(path), str(MEGABYTES), *flags], seconds)
    if code is None:
        return exporting | {"verdict": "failed", "reason": f"took longer than {seconds} s"}
    if code:
        return exporting | {
            "verdict": "failed",
            "reason": f"the process ended with {code}: {_last_line(said)}",
        }
    return exporting | json.loads(printed.splitlines()[-1])


def file_of(entry: Entry, folder: Path) -> Path:
    """Where the ONNX file of an entry is kept: another one for another version of what makes it."""
    made_by = "".join(f"-{name}{version(_DISTRIBUTIONS.get(name, name))}" for name in entry.requires)
    if "torch" in entry.requires:
        made_by += f"-{REVISION}"
    return folder / (
        re.sub(r"[^\w.-]+", "_", f"{entry.source}_{entry.model}_{entry.exporter}_{entry.shape}{made_by}")
        + ".onnx"
    )


_DISTRIBUTIONS = {"tensorflow": "keras"}


def _child(arguments: list[str], seconds: int) -> tuple[int | None, str, str]:
    """Exit code (None: too late), standard output and standard error of a module of the zoo."""
    command = [sys.executable, "-W", "ignore", "-m", f"tests.zoo.{arguments[0]}", *arguments[1:]]
    environment = os.environ | {
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
    }
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, text=True, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as child:  # fmt: skip
        try:
            printed, said = child.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.communicate()
            return None, "", ""
        except BaseException:
            os.killpg(child.pid, signal.SIGKILL)
            raise
        return child.returncode, printed, said


def _last_line(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""
