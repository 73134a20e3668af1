"""Networks that several processes train, and their data."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Sequences of different lengths, noise of all kinds, losses with weights and a mask, groups of batches.
TAGGER: dict[str, Any] = {
    "netwright": 1,
    "model": "tagger",
    "dims": {"N": "batch", "T": {"role": "time", "max": 12}},
    "inputs": {
        "x": {"shape": ["N", "T", 5], "lengths": "n"},
        "n": {"shape": ["N"], "dtype": "int64"},
    },
    "layers": [
        {"name": "a", "type": "dense", "units": 8, "activation": "relu"},
        {"name": "b", "type": "dropout", "rate": 0.3},
        {
            "name": "l",
            "type": "lstm",
            "units": 6,
            "layers": 2,
            "return_sequences": True,
            "dropout": 0.3,
            "zoneout": 0.2,
            "recurrent_dropout": 0.2,
            "input_dropout": 0.1,
        },
        {"name": "out", "type": "dense", "units": 3},
    ],
    "outputs": {"y": "out"},
    "train": {
        "targets": {
            "t": {"shape": ["N", "T"], "dtype": "int64"},
            "u": {"shape": ["N", "T", 3], "dtype": "float32"},
            "m": {"shape": ["N", "T"], "dtype": "float32"},
        },
        "loss": [
            {"type": "softmax_cross_entropy", "output": "y", "target": "t", "class_weights": [1, 2, 3]},
            {"type": "mse", "output": "y", "target": "u", "weight": 0.3, "mask": "m", "name": "distance"},
        ],
        "metrics": ["accuracy", "f1"],
        "clip_norm": 0.5,
        "accumulate": 2,
        "ema": {"decay": 0.9},
        "group_by_length": True,
        "optimizer": {"type": "adam", "learning_rate": {"type": "plateau", "initial": 0.01, "patience": 1}},
        "early_stopping": {"patience": 3},
        "batch_size": 8,
        "epochs": 4,
    },
}

#: Changes TAGGER to what compiles faster.
QUICK = ("layers.l.layers=1", "layers.l.dropout=0.0")

#: Batch normalization, and augmentation.
PICTURES: dict[str, Any] = {
    "netwright": 1,
    "model": "pictures",
    "dims": {"N": "batch"},
    "inputs": {"x": {"shape": ["N", 6, 6, 2]}},
    "layers": [
        {"name": "c", "type": "conv2d", "filters": 4, "kernel_size": 3},
        {"name": "norm", "type": "batch_norm"},
        {"name": "f", "type": "flatten"},
        {"name": "d", "type": "dropout", "rate": 0.2},
        {"name": "out", "type": "dense", "units": 3},
    ],
    "outputs": {"y": "out"},
    "train": {
        "loss": {"type": "softmax_cross_entropy", "output": "y", "target": "t"},
        "metrics": ["accuracy"],
        "augment": {"x": [{"type": "noise", "deviation": 0.1}]},
        "optimizer": {"type": "sgd", "learning_rate": 0.1, "momentum": 0.9},
        "batch_size": 9,
        "epochs": 2,
    },
}

#: Windows of sequences, with states that are carried.
COUNTER: dict[str, Any] = {
    "netwright": 1,
    "model": "counter",
    "dims": {"N": "batch", "T": "time"},
    "inputs": {"x": {"shape": ["N", "T", 2]}},
    "layers": [
        {"name": "g", "type": "gru", "units": 5, "return_sequences": True},
        {"name": "out", "type": "dense", "units": 1},
    ],
    "outputs": {"y": "out"},
    "train": {
        "loss": {"type": "mse", "output": "y", "target": "t"},
        "optimizer": {"type": "adam", "learning_rate": 0.02},
        "bptt": {"window": 4},
        "checkpoint": {"every": {"steps": 1}},
        "batch_size": 6,
        "epochs": 2,
    },
}


def tagger_data(count: int, seed: int) -> dict[str, NDArray]:
    rng = np.random.default_rng(seed)
    return {
        "x": rng.normal(size=(count, 12, 5)).astype(np.float32),
        "n": rng.integers(1, 13, count),
        "t": rng.integers(0, 3, (count, 12)),
        "u": rng.normal(size=(count, 12, 3)).astype(np.float32),
        "m": rng.integers(0, 2, (count, 12)).astype(np.float32),
    }


def picture_data(count: int, seed: int) -> dict[str, NDArray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, 6, 6, 2)).astype(np.float32)
    return {"x": x, "t": (x.mean((1, 2, 3)) * 40).astype(np.int64) % 3}


def counter_data(count: int, seed: int) -> dict[str, NDArray]:
    x = np.random.default_rng(seed).normal(size=(count, 12, 2)).astype(np.float32)
    return {"x": x, "t": x.sum(2, keepdims=True).cumsum(1).astype(np.float32)}
