"""A flower in a photograph: trained on crops, found in whole photographs where it never was in training."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from .running import run_example, scores

pytest.importorskip("sklearn", reason="scikit-learn is not installed (extra: examples)")
STEP, WINDOW = 8, 46


@pytest.mark.examples
def test_flower(tmp_path: Path) -> None:
    folder = run_example("flower", tmp_path)
    assert scores(folder, "flower")["valid"]["accuracy"] >= 0.97
    found, rows, columns = map_of(folder, "flower")
    large = np.hypot(rows - 222, columns - 308)
    small = np.hypot(rows - 410, columns - 378)  # in no crop
    assert (found[large < 90] > 0.5).mean() > 0.95
    assert (found[(large > 200) & (small > 120)] > 0.5).mean() < 0.02
    assert (found[small < 30] > 0.5).any()
    china, _, _ = map_of(folder, "china")
    assert (china > 0.5).mean() < 0.02
    both, rows, columns = map_of(folder, "both")
    sky = np.hypot(rows - 118, columns - 508)
    assert (both[sky < 60] > 0.5).mean() > 0.9
    assert (both[sky > 150] > 0.5).mean() < 0.02
    assert (folder / "build" / "flower-map.jpg").stat().st_size > 10_000


def map_of(folder: Path, photo: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The executable's map of a photograph, and the row and column of the middle of each window."""
    array, answer = folder / "build" / "photos" / f"{photo}.npy", folder / "build" / f"{photo}-test.npz"
    subprocess.run([folder / "build" / "flower", "-i", array, "-o", answer], check=True)
    with np.load(answer) as outputs:
        chances = outputs["map"][0, :, :, 0]
    rows, columns = np.indices(chances.shape) * STEP + WINDOW / 2
    return chances, rows, columns
