"""The section `train` of the networks that are trained: what a case minimizes, and by which optimizer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from .builder import Network

OPTIMIZERS: dict[str, dict[str, Any]] = {
    "sgd": {"type": "sgd", "learning_rate": 1e-2, "momentum": 0.9},
    "adam": {"type": "adam", "learning_rate": 1e-3},
}


def trained(
    network: Network,
    optimizer: str,
    classes: int = 10,
    shape: tuple[str | int, ...] = ("N",),
    steps: str = "all",
) -> Network:
    """With the cross-entropy of the classes `label`, of the given shape. Of a sequence with a label per sample, the
    last step counts."""
    target = {"label": {"shape": list(shape), "dtype": "int64"}}
    loss = {"type": "softmax_cross_entropy", "output": "logits", "target": "label", "steps": steps}
    return _with(network, target, loss, optimizer, {"label": (0, classes)})


def rebuilt(network: Network, optimizer: str) -> Network:
    """With the squared distance from `y`, of the shape of the only input."""
    (given,) = network.spec["inputs"].values()
    target = {"y": {"shape": given["shape"], "dtype": "float32"}}
    return _with(network, target, {"type": "mse", "output": "logits", "target": "y"}, optimizer, {})


def spelled(network: Network, optimizer: str, classes: int, labels: int = 16) -> Network:
    """With connectionist temporal classification of `labels`; class 0 is the blank."""
    target = {"label": {"shape": ["N", labels], "dtype": "int64"}}
    loss = {"type": "ctc", "output": "logits", "target": "label"}
    return _with(network, target, loss, optimizer, {"label": (1, classes)})


def _with(
    network: Network,
    targets: dict[str, Any],
    loss: dict[str, Any],
    optimizer: str,
    ranges: dict[str, tuple[int, int]],
) -> Network:
    train = {"targets": targets, "loss": loss, "optimizer": OPTIMIZERS[optimizer]}
    return replace(network, spec={**network.spec, "train": train}, ranges={**network.ranges, **ranges})
