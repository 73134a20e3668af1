"""Spoken digits: from recordings with transcripts to an executable that writes down what it hears."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from .running import run_example, scores

pytestmark = [
    pytest.mark.examples,
    pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="no espeak-ng (apt-get install espeak-ng)"),
]


def test_speech(tmp_path: Path) -> None:
    folder = run_example("speech", tmp_path)
    assert scores(folder, "speech")["valid"]["label_error_rate"] <= 0.05
    lines = (folder / "build" / "valid.tsv").read_text().splitlines()[:40]
    right = 0
    for line in lines:
        name, digits = line.split("\t")
        with (folder / "build" / "valid" / name).open("rb") as sound:
            program = [folder / "build" / "speech", "--print"]
            printed = subprocess.run(program, stdin=sound, check=True, capture_output=True).stdout.decode()
        right += printed.splitlines()[-1].split() == list(digits)
    assert right >= 0.8 * len(lines)
