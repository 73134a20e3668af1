"""Data that are infinite or NaN are blamed at the step that reads them, also where the loss stays finite."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import netwright
from netwright.runtime.training.loop import DivergedError

SPEC = """
netwright: 1
model: saturated
dims: {N: batch}
inputs: {x: {shape: [N, 3]}, m: {shape: [N, 3]}}
layers:
  - {name: weighed, type: expression, inputs: {x: x, m: m}, value: "x * exp(m)"}
  - {name: squashed, type: dense, units: 4, activation: tanh}
  - {name: head, type: dense, units: 1}
outputs: {y: head}
train:
  loss: {type: mse, output: y, target: t}
  optimizer: {type: sgd, learning_rate: 0.1, momentum: 0.9}
  epochs: 3
  batch_size: 4
  shuffle: false
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> netwright.Program:
    spec = tmp_path_factory.mktemp("not_finite") / "saturated.yaml"
    spec.write_text(SPEC)
    return netwright.load(spec).compile()


@pytest.fixture
def data(program: netwright.Program) -> dict[str, NDArray[np.float32]]:
    drawn = np.random.default_rng(3)
    shapes = {"x": (20, 3), "m": (20, 3), "t": (20, 1)}
    return {name: drawn.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("streamed", [False, True], ids=["in memory", "streamed"])
def test_an_infinite_input_is_named_though_the_loss_is_finite(
    program: netwright.Program,
    data: dict[str, NDArray[np.float32]],
    streamed: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data["x"][9, 1] = np.inf
    before = program.weights
    monkeypatch.setattr(
        "netwright.runtime.data.stored.LARGEST_LOADED", 0 if streamed else 1 << 26, raising=True
    )
    np.savez(tmp_path / "points.npz", **data)
    with pytest.raises(DivergedError) as caught:
        program.train(tmp_path / "points.npz")
    message = str(caught.value)
    assert message.startswith("the update is not finite at step 3 (epoch 1, batch 3)")
    assert "points.npz is inf in sample 9 (at [1])" in message
    for name, array in program.weights.items():
        np.testing.assert_array_equal(array, before[name])


def test_infinities_that_a_network_is_made_for_are_no_mistake(
    program: netwright.Program, data: dict[str, NDArray[np.float32]]
) -> None:
    data["m"][9, 1] = -np.inf
    history = program.train(data).history
    assert len(history) == 3
    assert all(np.isfinite(record.train["loss"]) for record in history)
