"""A word in a recording: the network with shared weights finds it where it never was in training, the other does not."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from .running import run_example, scores

pytestmark = [
    pytest.mark.examples,
    pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="no espeak-ng (apt-get install espeak-ng)"),
]


def test_welcome(tmp_path: Path) -> None:
    folder = run_example("welcome", tmp_path)
    perceptron, scan, convolutions = (scores(folder, name) for name in ("mlp", "scan", "cnn"))
    assert convolutions["new"]["accuracy"] >= 0.95
    assert scan["new"]["accuracy"] >= 0.9
    assert perceptron["seen"]["accuracy"] >= 0.7
    assert 0.4 <= perceptron["new"]["accuracy"] <= 0.6
    for text, answer in (("You are welcome to stay.", "yes"), ("You can come, as well.", "no")):
        spoken = subprocess.run(["espeak-ng", "--stdout", text], check=True, capture_output=True).stdout
        assert heard(folder, spoken) == answer
    # Raw samples are the same sound without a header.
    samples = np.frombuffer(spoken[44:], "<i2").astype("<f4") / 32768
    assert heard(folder, samples.tobytes(), "--raw") == "no"


def heard(folder: Path, sound: bytes, *options: str) -> str:
    """The last line that the executable prints."""
    program = [folder / "build" / "welcome", "--print", *options]
    return (
        subprocess.run(program, input=sound, check=True, capture_output=True).stdout.decode().splitlines()[-1]
    )
