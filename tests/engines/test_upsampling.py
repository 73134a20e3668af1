"""Layers that make images larger or smaller, trained: every engine makes the same steps."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from ..slices import sliced
from .harness import Model

LAYERS: list[dict[str, Any]] = [
    {
        "type": "conv_transpose2d",
        "kernel_size": 3,
        "stride": 2,
        "padding": [[1, 1], [1, 1]],
        "output_padding": 1,
    },
    {"type": "conv_transpose2d", "kernel_size": 2, "stride": 2},
    {"type": "conv_transpose2d", "kernel_size": [2, 4], "stride": [3, 2], "groups": 2},
    {"type": "conv_transpose2d", "kernel_size": 3, "stride": 2, "dilation": 2, "activation": "relu"},
    {"type": "conv2d", "kernel_size": 3, "stride": 2, "padding": "same"},
    {"type": "conv2d", "kernel_size": [2, 5], "stride": [2, 3], "groups": 2},
    {"type": "conv2d", "kernel_size": 1, "stride": 2},
    {"type": "resize", "scales": [2.0, 1.5], "mode": "linear"},
    {"type": "resize", "sizes": [3, 9], "mode": "cubic"},
    {"type": "resize", "scales": [0.5], "mode": "linear", "antialias": True},
]


SIZES = [("H", "W"), (5, 6)]


def in_turn(layer: dict[str, Any], size: tuple[Any, Any]) -> bool:
    """Half of the layers, with open or with known sizes; each type with both."""
    number = LAYERS.index(layer)
    return number in (0, 2, 3, 4, 7, 9) and (number + number // 4 + SIZES.index(size)) % 2 == 0


@pytest.mark.alike(2)
@pytest.mark.parametrize(("layer", "size"), sliced(product(LAYERS, SIZES), in_turn))
def test_steps_of_training_are_those_of_the_interpreter(layer: dict[str, Any], size: tuple[Any, Any]) -> None:
    filters = {} if layer["type"] == "resize" else {"filters": 4}
    spec = {
        "netwright": 1,
        "model": "upsampling",
        "dims": {"N": "batch", **({"H": {"min": 5}, "W": {"min": 5}} if size[0] == "H" else {})},
        "inputs": {"x": {"shape": ["N", *size, 3], "dtype": "float64"}},
        "layers": [
            {"name": "before", "type": "conv2d", "filters": 4, "kernel_size": 1, "inputs": ["x"]},
            {"name": "layer", **layer, **filters, "inputs": ["before"]},
            {"name": "mean", "type": "global_mean_pool", "inputs": ["layer"]},
            {"name": "y", "type": "dense", "units": 2, "inputs": ["mean"]},
        ],
        "outputs": {"y": "y"},
        "train": {
            "data": {"train": "unused.npz"},
            "targets": {"t": {"shape": ["N", 2], "dtype": "float64"}},
            "loss": {"type": "mse", "output": "y", "target": "t"},
            "optimizer": {"type": "sgd", "learning_rate": 0.1},
        },
    }
    model = Model(spec, entries=("predict", "train_step"))  # which computes the loss, too
    for samples in (1, 3):
        dims = {"N": samples, **({"H": 5, "W": 6} if size[0] == "H" else {})}
        model.check_predict(dims, loops=samples == 3)
        model.check_training(dims, loops=samples == 1)  # slow: several samples are for prediction alone
        model.check_training(dims, threads=2)
