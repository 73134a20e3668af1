"""English to French: from translation catalogues to an executable that writes French."""

from __future__ import annotations

import json
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

from .running import netwright, run_example

PACKAGES = ("polib", "django", "django-allauth", "django-cms", "django-oscar", "wagtail")


def installed(package: str) -> bool:
    """Whether a package is there; they are not imported, since they would want settings."""
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


MISSING = [package for package in PACKAGES if not installed(package)]
pytestmark = [
    pytest.mark.examples,
    pytest.mark.skipif(
        bool(MISSING), reason=f"not installed: {', '.join(MISSING)} (see the example's README)"
    ),
]


def test_translate(tmp_path: Path) -> None:
    folder = run_example("translate", tmp_path)
    weights, length = folder / "build" / "translate.safetensors", ("--length", 20)
    command = ("--weights", weights, *length, "--beam", 4, "--format", "json")
    printed = netwright("evaluate", folder / "translate.yaml", *command, "--generate")
    scores = json.loads(printed)["valid"]["scores"]
    assert scores["chrf"] >= 40
    assert scores["exact"] >= 0.07
    texts = ("Select a category", "Delete this page", "Enter your new password")
    given = [word for text in texts for word in ("--text", text)]
    lines = netwright("generate", folder / "translate.yaml", *command, *given).splitlines()
    inputs = folder / "build" / "inputs"
    arrays = [f"{name}={inputs / name}.npy" for name in ("english", "english_words")]
    program = [folder / "build" / "translate", "-i", arrays[0], "-i", arrays[1], "--print"]
    printed = subprocess.run(program, check=True, capture_output=True, text=True).stdout
    assert printed.splitlines()[1:4] == [json.loads(line)["outputs"]["answer"] for line in lines]
