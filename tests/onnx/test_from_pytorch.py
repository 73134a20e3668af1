"""The example from PyTorch: exported, imported, compiled, and the same answers."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed (extra: onnx)")

import netwright
from netwright.onnx import import_model

EXAMPLE = Path(__file__).parents[2] / "examples" / "from-pytorch"


@pytest.mark.torch
def test_a_pytorch_model_gives_the_same_answers(tmp_path: Path) -> None:
    shutil.copy(EXAMPLE / "make_model.py", tmp_path)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "make_model.py"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    imported = import_model(tmp_path / "network.onnx")
    shown = (EXAMPLE / "README.md").read_text(encoding="utf-8")
    layers = imported.spec[imported.spec.index("inputs:") :]
    assert layers in shown
    imported.save(tmp_path / "network.yaml", tmp_path / "network.safetensors")
    program = netwright.load(tmp_path / "network.yaml").compile(tmp_path / "network.safetensors")
    images, expected = np.load(tmp_path / "images.npy"), np.load(tmp_path / "expected.npy")
    np.testing.assert_allclose(program.predict(image=images)["logits"], expected, rtol=1e-4, atol=1e-6)
    program.save(tmp_path / "network")
    with open(tmp_path / "images.npy", "rb") as given, open(tmp_path / "answers.npy", "wb") as answers:
        subprocess.run([tmp_path / "network"], stdin=given, stdout=answers, check=True)
    np.testing.assert_allclose(np.load(tmp_path / "answers.npy"), expected, rtol=1e-4, atol=1e-6)
