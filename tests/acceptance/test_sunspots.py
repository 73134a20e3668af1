"""The sunspots example: what it promises in its README, and the executable against `netwright run`."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from .commands import EXAMPLES, run, train_example
from .linking import need_linker

EXAMPLE = EXAMPLES / "sunspots"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_example("sunspots", tmp_path_factory.mktemp("sunspots"))


def _prediction(path: Path) -> np.ndarray:
    with np.load(path) as outputs:
        return outputs["next_year"]


def test_beats_same_as_last_year(trained: Path) -> None:
    with np.load(trained / "sunspots-valid.npz") as data:
        x, y = data["x"], data["y"]
    np.save(trained / "x.npy", x)
    spec, weights = trained / "sunspots.yaml", trained / "weights.safetensors"
    run("run", spec, "--weights", weights, "-i", f"x={trained / 'x.npy'}", "-o", trained / "out.npz")
    found = _prediction(trained / "out.npz")
    error = np.sqrt(np.mean((found - y) ** 2))
    last_year = np.sqrt(np.mean((x - y) ** 2))
    assert error < 0.8 * last_year


def test_executable_gives_what_run_gives_at_any_batch_size_and_length(trained: Path) -> None:
    need_linker()
    spec, weights, executable = (
        trained / "sunspots.yaml",
        trained / "weights.safetensors",
        trained / "sunspots",
    )
    run("compile", spec, "--weights", weights, "-o", executable)
    rng = np.random.default_rng(0)
    for batch, length in [(1, 61), (3, 7), (17, 32)]:
        x = rng.uniform(0, 150, (batch, length, 1)).astype(np.float32)
        np.save(trained / "x.npy", x)
        run("run", spec, "--weights", weights, "-i", f"x={trained / 'x.npy'}", "-o", trained / "run.npz")
        subprocess.run(
            [executable, "-i", f"x={trained / 'x.npy'}", "-o", trained / "exe.npz"], check=True, timeout=60
        )
        expected, found = _prediction(trained / "run.npz"), _prediction(trained / "exe.npz")
        assert found.shape == (batch, length, 1)
        np.testing.assert_array_equal(found, expected)
