"""Training by several losses and by metrics of sums: best epochs, checkpoints, losses that diverge."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest

from netwright import Model
from netwright.runtime.training.loop import DivergedError
from netwright.runtime.training.progress import Silent
from netwright.specs.load import load_spec_text

SPEC = """netwright: 1
model: m
dims: {N: batch}
inputs: {x: {shape: [N, 4]}}
layers:
  - {name: body, type: dense, units: 8, activation: relu}
  - {name: kind, type: dense, units: 3, inputs: [body]}
  - {name: size, type: dense, units: 1, inputs: [body]}
outputs: {kind: kind, size: size}
train:
  loss:
    - {type: softmax_cross_entropy, output: kind, target: label, class_weights: [1, 2, 1]}
    - {type: poisson, output: size, target: height, weight: 0.3}
  metrics: [{type: accuracy, name: right}, f1, {type: r2, output: size}]
  epochs: 6
  early_stopping: {monitor: valid_right, patience: 6}
"""


def data(count: int, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, 4)).astype(np.float32)
    label = (x[:, 0] > 0).astype(np.int64) + (x[:, 1] > 0)
    return {"x": x, "label": label, "height": rng.poisson(2, (count, 1)).astype(np.float32)}


def model() -> Model:
    return Model(load_spec_text(SPEC, "spec.yaml"))


class StopAfter(Silent):
    """Asks to stop after some steps, as Ctrl-C does."""

    def __init__(self, steps: int):
        self.left = steps

    def step(self, epoch, batch, samples, totals) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGINT)


def test_the_best_epoch_is_that_of_the_most_right_answers() -> None:
    result = model().compile().train(data(100, 0), data(50, 1))
    assert result.best_epoch is not None
    right = [record.valid["right"] for record in result.history if record.valid]
    assert right[0] < max(right)
    assert result.best_epoch == 1 + int(np.argmax(right))
    assert list(result.history[0].train) == ["loss", "kind_loss", "size_loss", "right", "f1", "r2"]


def test_a_training_resumed_within_an_epoch_reports_the_same(tmp_path: Path) -> None:
    whole = model().compile().train(data(100, 0), data(50, 1))
    file = tmp_path / "m.checkpoint"
    stopped = model().compile().train(data(100, 0), data(50, 1), checkpoint=file, observer=StopAfter(6))
    assert (stopped.ending, len(stopped.history)) == ("interrupted", 1)
    resumed = model().compile().train(data(100, 0), data(50, 1), resume=file)
    assert resumed.history == whole.history
    for name, array in whole.weights.items():
        np.testing.assert_array_equal(resumed.weights[name], array, err_msg=name)


def test_the_loss_that_diverges_is_named() -> None:
    bad = data(100, 0)
    bad["height"][70:] = np.inf
    with pytest.raises(DivergedError, match=r"size_loss is (nan|-?inf)"):
        model().compile().train(bad, data(50, 1))
