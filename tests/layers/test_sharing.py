"""Several inputs and outputs, and parameters that branches share: values and one training step against NumPy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import netwright

from ..frontend.helpers import codes
from .harness import spec
from .test_recurrences import Options, below, gru_step

RNG = np.random.default_rng(5)
TWINS = """\
netwright: 1
model: twins
dims: {N: batch, T: {role: time, min: 3}, S: {role: time, min: 3}}
inputs:
  left: {shape: [N, T, 2], dtype: float64}
  right: {shape: [N, S, 2], dtype: float64}
layers:
  - {name: near, type: conv1d, inputs: [left], filters: 3, kernel_size: 3, activation: tanh}
  - {name: one, type: gru, units: 2, return_sequences: false}
  - {name: far, type: conv1d, inputs: [right], filters: 3, kernel_size: 3, activation: tanh, share: near}
  - {name: two, type: gru, units: 2, return_sequences: false, initial_state: one.state, share: one}
  - {name: gap, type: expression, inputs: {a: one, b: two}, value: (a - b) * (a - b)}
  - {name: score, type: dense, units: 1}
outputs: {score: score, one: one, near: near, state: two.h}
train:
  data: {train: data.npz}
  targets: {t: {shape: [N, 1], dtype: float64}}
  loss: {type: mse, output: score, target: t}
  optimizer: {type: sgd, learning_rate: 1}
"""
ARRAYS = {"left": RNG.normal(size=(2, 6, 2)), "right": RNG.normal(size=(2, 4, 2))}
TARGET = RNG.normal(size=(2, 1))


def branch(w: dict[str, NDArray], x: NDArray, h: NDArray) -> tuple[NDArray, NDArray]:
    taps = np.stack([x[:, i : i + 3] for i in range(x.shape[1] - 2)], 1)
    near = np.tanh(np.einsum("ntkc,kcf->ntf", taps, w["near.kernel"]) + w["near.bias"])
    for t in range(near.shape[1]):
        h, _ = gru_step(Options(weights=below(w, "one.")), near[:, t], h, h)
    return near, h


def twins(w: dict[str, NDArray]) -> dict[str, NDArray]:
    near, one = branch(w, ARRAYS["left"], np.zeros((2, 2)))
    _, two = branch(w, ARRAYS["right"], one)
    score = (one - two) ** 2 @ w["score.kernel"] + w["score.bias"]
    return {"score": score, "one": one, "near": near, "state": two}


@pytest.mark.parametrize("engine", ["reference", "native"])
def test_branches_with_shared_parameters(engine: str, tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(TWINS)
    program = netwright.load(path).compile(engine=engine)
    weights = {name: np.array(array) for name, array in program.weights.items()}
    assert {name.split(".")[0] for name in weights} == {"near", "one", "score"}
    for name, array in twins(weights).items():
        np.testing.assert_allclose(program.predict(**ARRAYS)[name], array, rtol=1e-9, atol=1e-12)

    def loss(w: dict[str, NDArray]) -> float:
        return float(np.mean((twins(w)["score"] - TARGET) ** 2))

    assert program.train_step(**ARRAYS, t=TARGET)["loss"] == pytest.approx(loss(weights), rel=1e-9)
    for name, array in weights.items():
        index = tuple(size // 2 for size in array.shape)
        sides = []
        for move in (1e-5, -1e-5):
            moved = {**weights, name: array.copy()}
            moved[name][index] += move
            sides.append(loss(moved))
        slope = (sides[0] - sides[1]) / 2e-5
        assert array[index] - program.weights[name][index] == pytest.approx(slope, rel=1e-4, abs=1e-9)


def test_what_can_not_be_shared() -> None:
    first = "{name: a, type: depthwise_conv1d, kernel_size: 3}"
    layers = f"[{first}, {{name: y, type: depthwise_conv1d, kernel_size: 2, share: a}}]"
    assert codes(spec(layers, x="[N, T, 2]")) == ["NW0312"]
