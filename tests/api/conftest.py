"""A small network with data, and the command line in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from netwright.cli import main

from ..built_once import built_once
from ..forked import modules_forked

TINY = """\
netwright: 1
model: tiny
dims: {N: batch}
inputs:
  x: {shape: [N, 4]}
layers:
  - {name: hidden, type: dense, units: 8, activation: relu}
  - {name: head, type: dense, units: 3}
outputs: {y: head}
train:
  data: {train: train.npz, valid: valid.npz}
  targets: {t: {shape: [N], dtype: int64}}
  loss: {type: softmax_cross_entropy, output: y, target: t}
  metrics: [accuracy]
  optimizer: {type: adam, learning_rate: 3e-2}
  epochs: 5
"""


def samples(count: int, seed: int) -> dict[str, np.ndarray]:
    """Three classes: which of the first three features is largest."""
    x = np.random.default_rng(seed).normal(size=(count, 4)).astype(np.float32)
    return {"x": x, "t": np.argmax(x[:, :3], axis=1)}


@pytest.fixture(autouse=True, scope="package")
def _built_once() -> Iterator[None]:
    with built_once(), modules_forked():
        yield


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """The spec, with its data beside it."""
    np.savez(tmp_path / "train.npz", **samples(512, 1))
    np.savez(tmp_path / "valid.npz", **samples(100, 2))
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY, encoding="utf-8")
    return path


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs `netwright …` in the test's own folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")

    def run(*arguments: object, input: bytes | None = None) -> Result:
        result = CliRunner().invoke(main, [str(argument) for argument in arguments], input=input)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run
