"""An imported network with a new head learns from five images each, better than from scratch."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from .running import netwright, run_example

pytest.importorskip("mlxtend", reason="mlxtend is not installed (extra: examples)")
pytest.importorskip("onnx", reason="onnx is not installed (extra: onnx)")


@pytest.mark.examples
@pytest.mark.torch
def test_finetune(tmp_path: Path) -> None:
    folder = run_example("finetune", tmp_path)
    accuracy = {}
    for name in ("finetune", "scratch"):
        weights = folder / "build" / f"{name}.safetensors"
        printed = netwright("evaluate", folder / "finetune.yaml", "--weights", weights, "--format", "json")
        accuracy[name] = json.loads(printed)["test"]["scores"]["accuracy"]
    assert accuracy["finetune"] >= 0.87
    assert accuracy["finetune"] > accuracy["scratch"]
    printed = subprocess.run(
        [folder / "build" / "finetune", "-i", folder / "build" / "digits.npy", "--print"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    answers = printed.partition("digit int64 [3]\n")[2].split()
    assert sum(answer == digit for answer, digit in zip(answers, "789", strict=True)) >= 2
