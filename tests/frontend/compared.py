"""A dense layer over sequences, with one loss or metric: what tests of losses and of metrics share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def compared_spec(
    loss: str, target: str, extra: str, dtype: str, features: int, classes: int, more: str = ""
) -> str:
    """The spec. ``target`` says what the target holds, ``extra`` whether there is a mask or lengths; ``loss`` are the
    loss's keys, ``more`` other lines of `train`."""
    shape = "[N, T]" if target == "classes" else f"[N, T, {classes}]"
    kind = "int64" if target == "classes" else dtype
    lengths = ", lengths: l}, l: {shape: [N], dtype: int64" if extra == "lengths" else ""
    mask = ", m: {shape: [N, T], dtype: bool}" if extra == "mask" else ""
    return f"""netwright: 1
model: m
dims: {{N: batch, T: time}}
inputs: {{x: {{shape: [N, T, {features}], dtype: {dtype}{lengths}}}}}
layers: [{{name: a, type: dense, units: {classes}}}]
outputs: {{y: a}}
train:
  targets: {{t: {{shape: {shape}, dtype: {kind}}}{mask}}}
  loss: {{type: {loss}{", mask: m" if mask else ""}}}
{more}"""


def drawn_target(rng: np.random.Generator, target: str, samples: int, steps: int, classes: int) -> NDArray:
    """Numbers ``[samples, steps]`` or ``[samples, steps, classes]`` for what a target holds."""
    shape = (samples, steps, classes)
    match target:
        case "classes":
            return rng.integers(0, classes, shape[:2])
        case "mixtures":
            return rng.dirichlet(np.ones(classes), shape[:2])
        case "flags":
            return rng.integers(0, 2, shape)
        case "signs":
            return 2 * rng.integers(0, 2, shape) - 1
        case "counts":
            return rng.poisson(2, shape)
        case _:
            return rng.normal(size=shape)
