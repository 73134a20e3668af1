"""Runs a whole example in a copy, as its README says, and reads what came out."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).parents[2] / "examples"
#: No example may take longer than this, in seconds, on a machine that does other things, too.
PATIENCE = 3600


def run_example(name: str, folder: Path) -> Path:
    """The folder of the example in a copy below ``folder``, after `python run.py NAME`."""
    ignored = shutil.ignore_patterns("build", "__pycache__")
    shutil.copytree(EXAMPLES / name, folder / name, ignore=ignored)
    shutil.copy(EXAMPLES / "run.py", folder)
    done = subprocess.run(
        [sys.executable, folder / "run.py", name],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stdout
    return folder / name


def netwright(*arguments: object) -> str:
    """What a command prints."""
    command = [sys.executable, "-m", "netwright", *map(str, arguments)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=PATIENCE).stdout


def scores(folder: Path, name: str) -> dict[str, dict[str, Any]]:
    """The losses and metrics of the trained spec ``name`` of an example, by data set."""
    weights = folder / "build" / f"{name}.safetensors"
    printed = netwright("evaluate", folder / f"{name}.yaml", "--weights", weights, "--format", "json")
    return {set: values["scores"] for set, values in json.loads(printed).items()}
