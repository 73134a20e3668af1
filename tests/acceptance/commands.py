"""The command line in this process, and examples trained with it."""

from __future__ import annotations

import shutil
from pathlib import Path

from click.testing import CliRunner

from netwright.cli import main

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(*arguments: object) -> str:
    result = CliRunner().invoke(main, [str(a) for a in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def train_example(name: str, folder: Path) -> Path:
    """`folder`, with a copy of an example in it and its trained weights, `weights.safetensors`."""
    for file in (f"{name}.yaml", f"{name}-train.npz", f"{name}-valid.npz"):
        shutil.copy(EXAMPLES / name / file, folder / file)
    run("train", folder / f"{name}.yaml", "--weights", folder / "weights.safetensors")
    return folder
