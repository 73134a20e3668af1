"""Libraries of one network, of which predict, step and train_step are called from other languages."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import netwright
from netwright.artifacts.files import Request, save
from netwright.program import Program

from ..built_once import built_once

SPEC = """\
netwright: 1
model: Gait
dims: {N: batch, T: time}
inputs:
  motion: {shape: [N, T, 4]}
layers:
  - {name: rnn, type: gru, units: 48}
  - {name: head, type: dense, units: 3}
outputs: {class: {from: head, labels: [rest, walk, 'r"un']}}
train:
  data: {train: none.npz}
  targets: {meant: {shape: [N, T], dtype: int64}}
  loss: {type: softmax_cross_entropy, output: class, target: meant}
  metrics: [accuracy]
  optimizer: {type: adam, learning_rate: 1e-2}
"""
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"]
N, T = 2, 7


@dataclass(frozen=True)
class Made:
    """The folder with libraries and arrays, and the same network in this process."""

    folder: Path
    program: Program
    motion: NDArray[np.float32]
    meant: NDArray[np.int64]

    def compiled(self, name: str, *arguments: str) -> Path:
        """A program of ``name``.c in the folder."""
        out = self.folder / name
        command = ["cc", "-std=c99", "-O1", *WARNINGS, f"{name}.c", *arguments, "-o", name]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return out

    def run(self, *command: str | Path, **environment: str) -> str:
        """What a program in the folder prints, once it has ended with status 0."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=120,
            env={**os.environ, "LD_LIBRARY_PATH": str(self.folder), **environment},
        )
        assert done.returncode == 0, f"{done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout


@pytest.fixture(autouse=True, scope="package")
def _built_once() -> Iterator[None]:
    with built_once():
        yield


@pytest.fixture(scope="package")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    folder = tmp_path_factory.mktemp("gait")
    (folder / "gait.yaml").write_text(SPEC, encoding="utf-8")
    model = netwright.load(folder / "gait.yaml")
    program = model.compile()
    weights = program.weights
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("CC", "cc -Werror -Wshadow -Wconversion")
        for path, request in {
            "libgait.so": Request("shared", entries=("predict", "step", "train_step")),
            "libfile.a": Request("static", entries=("predict",), embed=False),
            "other.weights": Request("weights", entries=("predict", "step")),
            "small.o": Request("object", entries=("predict",)),
        }.items():
            save(model.load, model.network, weights, folder / path, request)
        save(model.load, model.network, None, folder / "libown.so", Request("shared", entries=("predict",)))
        changed = {name: array * np.float32(0.5) for name, array in weights.items()}
        request = Request("weights", entries=("predict",))
        save(model.load, model.network, changed, folder / "new.weights", request)
    rng = np.random.default_rng(3)
    motion = rng.standard_normal((N, T, 4)).astype(np.float32)
    meant = rng.integers(0, 3, (N, T))
    for name, array in {"motion": motion, "meant": meant, **weights}.items():
        (folder / f"{name}.bin").write_bytes(np.ascontiguousarray(array).tobytes())
    return Made(folder, program, motion, meant)
