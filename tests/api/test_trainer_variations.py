"""Executables that train on varied samples, by parts of batches: the bits of `netwright train`, whatever type the data
have."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import netwright
from netwright.artifacts.files import Request, save
from netwright.errors import SpecError

from ..kills.trainers import disturb, left

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler (install gcc or clang)")

SPEC: dict[str, Any] = {
    "netwright": 1,
    "model": "varied",
    "dims": {"N": "batch", "T": "time"},
    "inputs": {
        "x": {"shape": ["N", "T", 3], "lengths": "steps"},
        "steps": {"shape": ["N"], "dtype": "int64"},
        "image": {"shape": ["N", 6, 5, 2]},
        "sound": {"shape": ["N", 12], "dtype": "uint8"},
    },
    "layers": [
        {"name": "read", "type": "global_mean_pool", "inputs": ["x"]},
        {"name": "pixels", "type": "flatten", "inputs": ["image"]},
        {"name": "norm", "type": "batch_norm"},
        {"name": "loudness", "type": "rescale", "scale": 0.01, "inputs": ["sound"]},
        {"name": "all", "type": "concat", "inputs": ["read", "norm", "loudness"]},
        {"name": "drop", "type": "dropout", "rate": 0.2},
        {"name": "head", "type": "dense", "units": 3},
    ],
    "outputs": {"y": "head"},
    "train": {
        "data": {"train": "train.npz", "valid": {"from": "train", "fraction": 0.2}},
        "group_by_length": True,
        "balance": "t",
        "augment": {
            "x": [
                {"type": "shift", "by": [2]},
                {"type": "mask", "most": 2},
                {"type": "noise", "deviation": 0.1},
                {"type": "flip", "axis": 1},
            ],
            "image": [
                {"type": "crop", "least": 0.6},
                {"type": "flip"},
                {"type": "noise", "deviation": 9.0},
                {"type": "shift", "by": [1, 1]},
                {"type": "mask", "axis": 2, "most": 1},
            ],
            "sound": [{"type": "noise", "deviation": 20.0}],
        },
        "targets": {"t": {"shape": ["N"], "dtype": "int64"}},
        "loss": {"type": "softmax_cross_entropy", "output": "y", "target": "t", "class_weights": [1, 2.5, 3]},
        "metrics": ["accuracy", "f1"],
        "optimizer": {"type": "sgd", "learning_rate": 0.02, "momentum": 0.9},
        "parts": 3,
        "accumulate": 2,
        "ema": {"decay": 0.8},
        "clip_norm": 0.5,
        "epochs": 3,
        "batch_size": 7,
        "seed": 5,
        "checkpoint": {"every": {"steps": 3}},
    },
}


def samples(dtype: str) -> dict[str, np.ndarray]:
    """Sequences of one to nine steps, images of a type, sounds, and classes of which one is rare."""
    generator, count = np.random.default_rng(1), 55
    steps = generator.integers(1, 10, count)
    x = generator.normal(size=(count, 9, 3)).astype(np.float32)
    x[np.arange(9) >= steps[:, None]] = 0
    return {
        "x": x,
        "steps": steps,
        "image": generator.integers(-300, 300, (count, 6, 5, 2)).astype(dtype),
        "sound": generator.integers(0, 256, (count, 12)).astype(np.uint8),
        "t": (3 * generator.random(count) ** 3).astype(np.int64),
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the executable."""
    folder = tmp_path_factory.mktemp("varied")
    (folder / "spec.json").write_text(json.dumps(SPEC))
    model = netwright.load(folder / "spec.json")
    save(model.load, model.network, None, folder / "trainer", Request(entries=("train_step",)))
    return folder


def command(folder: Path, data: Path, name: str, *more: str) -> list[str]:
    weights = str(folder / f"{name}.safetensors")
    return [str(folder / "trainer"), "-d", f"train={data}", "--weights", weights, "--threads", "1", *more]


def in_process(folder: Path, data: Path, name: str, **options: Any) -> None:
    """Trains as `netwright train` does."""
    program = netwright.load(folder / "spec.json").compile(entries=("loss",), threads=1)
    program.train(data, checkpoint=folder / f"{name}.checkpoint", **options)
    program.save_weights(folder / f"{name}.safetensors")


@pytest.mark.alike(2)
@pytest.mark.parametrize("dtype", ["int16", "float32"])
def test_varies_samples_as_the_process_does(made: Path, dtype: str) -> None:
    """Whole numbers stay whole, in the range of their type, where floats do not. Some parts have no samples."""
    data = made / f"{dtype}.npz"
    np.savez(data, **samples(dtype))
    subprocess.run(command(made, data, f"c-{dtype}"), check=True, capture_output=True, timeout=60)
    in_process(made, data, f"python-{dtype}")
    assert left(made, f"c-{dtype}") == left(made, f"python-{dtype}")


def test_goes_on_with_the_same_samples(made: Path) -> None:
    """Killed at random, and resumed by either kind of training."""
    data = made / "int16.npz"
    np.savez(data, **samples("int16"))
    subprocess.run(command(made, data, "whole"), check=True, capture_output=True, timeout=60)
    whole = left(made, "whole")
    counts = disturb(command(made, data, "killed"), made / "killed.checkpoint", count=4, seed=1)
    assert counts[-signal.SIGKILL] >= 1
    assert left(made, "killed") == whole
    subprocess.run(command(made, data, "both", "--epochs", "1"), check=True, capture_output=True, timeout=60)
    in_process(made, data, "both", resume=made / "both.checkpoint", epochs=2)
    more = ("--resume", str(made / "both.checkpoint"))
    subprocess.run(command(made, data, "both", *more), check=True, capture_output=True, timeout=60)
    assert left(made, "both") == whole


def test_says_which_samples_it_can_not_vary(tmp_path: Path) -> None:
    """Crops of open sizes, and shifts of which it can't be shown that they stay within a sample."""
    layers = [
        {"name": "read", "type": "global_mean_pool", "inputs": ["x"]},
        {"name": "pixels", "type": "global_mean_pool", "inputs": ["image"]},
        {"name": "all", "type": "concat", "inputs": ["read", "pixels"]},
        {"name": "head", "type": "dense", "units": 3},
    ]
    inputs = {name: size for name, size in SPEC["inputs"].items() if name != "sound"}
    kept = {name: SPEC["train"][name] for name in ("data", "targets", "loss", "optimizer")}
    kept["loss"] = {**kept["loss"], "class_weights": None}
    for change in ({"type": "crop"}, {"type": "shift", "by": [2, 1]}):
        train = {**kept, "augment": {"x": [change], "image": [{"type": "flip"}]}}
        model = netwright.load({**SPEC, "inputs": inputs, "layers": layers, "train": train})
        with pytest.raises(SpecError, match=r"NW0413.*does not vary x so: its sizes are open"):
            save(model.load, model.network, None, tmp_path / "trainer", Request(entries=("train_step",)))
        assert not (tmp_path / "trainer").exists()


def test_says_that_parts_are_not_cut_into_windows(tmp_path: Path) -> None:
    layers = [
        {"name": "read", "type": "gru", "units": 2, "inputs": ["x"]},
        {"name": "y", "type": "dense", "units": 1},
    ]
    train = {
        "loss": {"type": "mse", "output": "y", "target": "t"},
        "bptt": {"window": 4},
        "parts": 2,
        "batch_size": 4,
    }
    inputs = {"x": {"shape": ["N", "T", 1]}}
    model = netwright.load(
        {**SPEC, "inputs": inputs, "layers": layers, "outputs": {"y": "y"}, "train": train}
    )
    with pytest.raises(SpecError, match=r"NW0413.*does not cut parts of batches into windows"):
        save(model.load, model.network, None, tmp_path / "trainer", Request(entries=("train_step",)))
