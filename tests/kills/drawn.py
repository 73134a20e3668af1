"""Small trainings drawn by number: whatever a training carries from step to step occurs in some of them."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import yaml

RATES: tuple[Any, ...] = (
    0.02,
    {"type": "cosine", "initial": 0.05, "steps": 30, "warm_up": 3},
    {"type": "step", "initial": 0.03, "every": 5, "factor": 0.5},
    {"type": "plateau", "initial": 0.05, "patience": 1, "factor": 0.3},
)


def draw(number: int, folder: Path) -> Path:
    """Writes the training of a number to ``folder`` and returns its spec."""
    random = Random(number)
    folder.mkdir(parents=True, exist_ok=True)
    sequences = random.random() < 0.5
    count = random.randint(24, 60)
    windows = sequences and random.random() < 0.25
    spec = _sequences(random, windows=windows) if sequences else _rows(random)
    validated = random.choice(("file", "split", "none"))
    arrays = window_samples if windows else sequence_samples if sequences else row_samples
    np.savez(folder / "train.npz", **arrays(count, number))
    data: dict[str, Any] = {"train": "train.npz"}
    if validated == "file":
        np.savez(folder / "valid.npz", **arrays(20, number + 1))
        data["valid"] = "valid.npz"
    elif validated == "split":
        data["valid"] = {"from": "train", "fraction": 0.25, "seed": number}
    train: dict[str, Any] = {
        "data": data,
        "targets": {"t": {"shape": ["N", "T"] if windows else ["N"], "dtype": "int64"}},
        "loss": {"type": "softmax_cross_entropy", "output": "y", "target": "t"},
        "metrics": ["accuracy", "f1"][: random.randint(0, 2)],
        "optimizer": {
            "type": random.choice(("sgd", "adam", "adamw", "rmsprop")),
            "learning_rate": random.choice(RATES),
        },
        "epochs": random.randint(2, 6),
        "batch_size": random.choice((4, 7, 8, 16)),
        "seed": number,
        "checkpoint": {"every": random.choice(({"steps": 1}, {"steps": 3}, {"epochs": 1}, {"epochs": 2}))},
    }
    if random.random() < 0.4:
        train["accumulate"] = random.choice((2, 3))
    if random.random() < 0.4:
        train["ema"] = {"decay": 0.8}
    if random.random() < 0.3:
        train["clip_norm"] = 0.5
    if random.random() < 0.3 and not windows:
        train["balance"] = "t"
    elif random.random() < 0.2:
        train["shuffle"] = False
    if random.random() < 0.4 and validated != "none":
        train["early_stopping"] = {"patience": 2}
    if random.random() < 0.5:
        train["augment"] = {"x": [{"type": "noise", "deviation": 0.05}]}
    if sequences and not windows and random.random() < 0.6:
        train["group_by_length"] = True
    elif windows:
        train["bptt"] = {"window": 4, "carry_state": random.random() < 0.7}
    if random.random() < 0.3:
        train["precision"] = "mixed_bfloat16"
    if random.random() < 0.25 and not windows:
        train["parts"] = random.choice((2, 3))
    spec["train"] = train
    path = folder / "spec.yaml"
    path.write_text(yaml.safe_dump(spec, sort_keys=False), encoding="utf-8")
    return path


def _rows(random: Random) -> dict[str, Any]:
    layers: list[dict[str, Any]] = [
        {"name": "scaled", "type": "standardize"},
        {"name": "hidden", "type": "dense", "units": random.randint(3, 9), "activation": "tanh"},
        {"name": "norm", "type": "batch_norm"},
        {"name": "drop", "type": "dropout", "rate": 0.3},
        {"name": "head", "type": "dense", "units": 3},
    ]
    optional = {"scaled": random.random() < 0.5, "norm": random.random() < 0.5, "drop": random.random() < 0.8}
    return {
        "netwright": 1,
        "model": "drawn",
        "dims": {"N": "batch"},
        "inputs": {"x": {"shape": ["N", 4]}},
        "layers": [layer for layer in layers if optional.get(layer["name"], True)],
        "outputs": {"y": "head"},
    }


def _sequences(random: Random, *, windows: bool) -> dict[str, Any]:
    cell = {"type": random.choice(("rnn", "gru", "lstm")), "units": random.randint(2, 5)}
    if random.random() < 0.6:
        cell["input_dropout"] = 0.2
    if random.random() < 0.3:
        cell["recurrent_dropout"] = 0.2
    return {
        "netwright": 1,
        "model": "drawn",
        "dims": {"N": "batch", "T": "time"},
        "inputs": {
            "x": {"shape": ["N", "T", 2], "lengths": "steps"},
            "steps": {"shape": ["N"], "dtype": "int64"},
        },
        "layers": [
            {"name": "read", "return_sequences": windows, "inputs": ["x"], **cell},
            {"name": "drop", "type": "dropout", "rate": 0.3},
            {"name": "head", "type": "dense", "units": 3},
        ],
        "outputs": {"y": "head"},
    }


def row_samples(count: int, seed: int) -> dict[str, np.ndarray]:
    """Which of the first three of four numbers is the largest."""
    x = np.random.default_rng(seed).normal(size=(count, 4)).astype(np.float32)
    return {"x": x, "t": np.argmax(x[:, :3], axis=1)}


def sequence_samples(count: int, seed: int) -> dict[str, np.ndarray]:
    """Sequences of one to nine steps, and a class that depends on their sums."""
    generator = np.random.default_rng(seed)
    steps = generator.integers(1, 10, count)
    x = generator.normal(size=(count, 9, 2)).astype(np.float32)
    x[np.arange(9) >= steps[:, None]] = 0
    return {"x": x, "steps": steps, "t": np.digitize(x.sum(axis=(1, 2)), (-1.0, 1.0))}


def window_samples(count: int, seed: int) -> dict[str, np.ndarray]:
    """The same with the class at every step."""
    arrays = sequence_samples(count, seed)
    sums = arrays["x"].sum(axis=2).cumsum(axis=1)
    return {**arrays, "t": np.digitize(sums, (-1.0, 1.0))}
