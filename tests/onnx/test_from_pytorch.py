"""The example from PyTorch: exported, imported, compiled, and the same answers."""

from __future__ import annotations

import runpy
import subprocess
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed (extra: onnx)")

import netwright
from netwright.onnx import import_model

EXAMPLE = Path(__file__).parents[2] / "examples" / "from-pytorch"


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore")
def test_a_pytorch_model_gives_the_same_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(EXAMPLE / "make_model.py"), run_name="__main__")
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
