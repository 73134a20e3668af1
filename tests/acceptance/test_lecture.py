"""The lecture's worked numbers, from the spec to the executable.

Convolution in one dimension: 4 3 2 −5 3 5 2 5 5 6 with ⅓ ⅓ ⅓ gives 3 0 0 1 10/3 4 4 16/3, padded 7/3 … 11/3.
Pooling: a 4×4 picture in 2×2 windows gives the maxima 6 8 3 4 and the means 3.25 5.25 2 2.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

import netwright

from .linking import need_linker

SIGNAL = np.array([4, 3, 2, -5, 3, 5, 2, 5, 5, 6], np.float32)
PICTURE = np.array([[1, 1, 2, 4], [5, 6, 7, 8], [3, 2, 1, 0], [1, 2, 3, 4]], np.float32)
THIRDS = {"mean.kernel": np.full((3, 1, 1), 1 / 3, np.float32), "mean.bias": np.zeros(1, np.float32)}

CASES = {
    "valid": (
        {"type": "conv1d", "filters": 1, "kernel_size": 3},
        ["N", "T", 1],
        SIGNAL.reshape(1, 10, 1),
        [3, 0, 0, 1, 10 / 3, 4, 4, 16 / 3],
    ),
    "same": (
        {"type": "conv1d", "filters": 1, "kernel_size": 3, "padding": "same"},
        ["N", "T", 1],
        SIGNAL.reshape(1, 10, 1),
        [7 / 3, 3, 0, 0, 1, 10 / 3, 4, 4, 16 / 3, 11 / 3],
    ),
    "max": (
        {"type": "max_pool2d", "pool_size": 2},
        ["N", 4, 4, 1],
        PICTURE.reshape(1, 4, 4, 1),
        [6, 8, 3, 4],
    ),
    "mean": (
        {"type": "mean_pool2d", "pool_size": 2},
        ["N", 4, 4, 1],
        PICTURE.reshape(1, 4, 4, 1),
        [3.25, 5.25, 2, 2],
    ),
}


def write_spec(folder: Path, layer: dict, shape: list) -> Path:
    spec = {
        "netwright": 1,
        "model": "lecture",
        "dims": {"N": "batch"} | ({"T": {"min": 3}} if "T" in shape else {}),
        "inputs": {"x": {"shape": shape}},
        "layers": [{"name": "mean", **layer}],
        "outputs": {"y": "mean"},
    }
    path = folder / "lecture.json"
    path.write_text(json.dumps(spec))
    return path


@pytest.mark.parametrize("case", CASES)
def test_worked_numbers(case: str, tmp_path: Path) -> None:
    layer, shape, x, expected = CASES[case]
    model = netwright.load(write_spec(tmp_path, layer, shape))
    assert model.is_valid, model.diagnostics.to_text()
    weights = THIRDS if layer["type"] == "conv1d" else None
    for engine in ("reference", "native"):
        found = model.compile(weights, engine=engine).predict(x=x)["y"]
        np.testing.assert_allclose(found.ravel(), expected, rtol=1e-6, atol=1e-6, err_msg=engine)

    need_linker()
    program = model.compile(weights)
    (executable, *_) = program.save(tmp_path / "lecture", emit="exe")
    np.save(tmp_path / "x.npy", x)
    with (tmp_path / "x.npy").open("rb") as source, (tmp_path / "y.npy").open("wb") as target:
        subprocess.run([executable], stdin=source, stdout=target, check=True, timeout=60)
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), program.predict(x=x)["y"])
