"""Topics of sayings: two networks, and an executable that says what a text is about."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from .running import run_example, scores

pytestmark = [
    pytest.mark.examples,
    pytest.mark.skipif(
        not Path("/usr/share/games/fortunes/computers").exists(),
        reason="no fortunes (apt-get install fortunes)",
    ),
]


def test_topic(tmp_path: Path) -> None:
    folder = run_example("topic", tmp_path)
    assert scores(folder, "cnn")["valid"]["accuracy"] >= 0.57
    assert scores(folder, "lstm")["valid"]["accuracy"] >= 0.52
    program = [folder / "build" / "topic", "-i", folder / "build" / "text.npy", "--print"]
    printed = subprocess.run(program, check=True, capture_output=True, text=True).stdout
    assert printed.splitlines()[-1] == "computers"
