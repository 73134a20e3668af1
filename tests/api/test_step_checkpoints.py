"""Checkpoints within an epoch, from the spec to a resumed training that makes the same bits; and real kills."""

from __future__ import annotations

import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import netwright
from netwright.runtime.files.tensors import TensorFile
from netwright.runtime.files.weights_file import WeightsFile
from netwright.runtime.training.plan import Interval, Progress, TrainingResult
from netwright.runtime.training.progress import Silent
from netwright.runtime.training.saving import Saver

from ..forked import Forked
from ..frontend.helpers import diagnosed

SPEC = """\
netwright: 1
model: counts
dims: {N: batch, T: time}
inputs: {x: {shape: [N, T, 2], lengths: steps}, steps: {shape: [N], dtype: int64}}
layers:
  - {name: read, type: gru, units: 3, return_sequences: false, input_dropout: 0.2, inputs: [x]}
  - {name: norm, type: batch_norm}
  - {name: drop, type: dropout, rate: 0.3}
  - {name: head, type: dense, units: 2}
outputs: {y: head}
train:
  data: {train: train.npz, valid: valid.npz}
  group_by_length: true
  augment: {x: [{type: noise, deviation: 0.05}]}
  targets: {t: {shape: [N], dtype: int64}}
  loss: {type: softmax_cross_entropy, output: y, target: t}
  metrics: [accuracy, f1]
  optimizer: {type: adam, learning_rate: {type: cosine, initial: 0.05, steps: 20}}
  early_stopping: {patience: 2}
  checkpoint: {every: {steps: 1}}
  epochs: 4
  batch_size: 8
"""


def sequences(count: int, seed: int) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(seed)
    steps = generator.integers(1, 9, count)
    x = generator.normal(size=(count, 9, 2)).astype(np.float32)
    return {"x": x, "steps": steps, "t": (x.sum(axis=(1, 2)) > 0).astype(np.int64)}


@pytest.fixture
def counts(tmp_path: Path) -> Path:
    np.savez(tmp_path / "train.npz", **sequences(36, 1))
    np.savez(tmp_path / "valid.npz", **sequences(20, 2))
    path = tmp_path / "counts.yaml"
    path.write_text(SPEC, encoding="utf-8")
    return path


def train(path: Path, **options: Any) -> TrainingResult:
    return netwright.load(path).compile(entries=["loss", "train_step"]).train(**options)


def assert_same(one: TrainingResult, other: TrainingResult) -> None:
    assert (one.history, one.best_epoch, one.steps, one.ending) == (
        other.history,
        other.best_epoch,
        other.steps,
        other.ending,
    )
    for name, array in one.weights.items():
        np.testing.assert_array_equal(array, other.weights[name])


UPDATES = (
    SPEC.replace("{type: cosine, initial: 0.05, steps: 20}", "{type: plateau, initial: 0.05, patience: 1}")
    .replace("early_stopping: {patience: 2}", "accumulate: 2\n  ema: {decay: 0.8}")
    .replace("epochs: 4", "epochs: 3\n  balance: t")
)


def test_gathered_gradients_averages_and_plateaus_go_on_from_any_step(counts: Path) -> None:
    counts.write_text(UPDATES, encoding="utf-8")
    path, steps = counts.parent / "c", {1, 4, 5, 7}
    program = netwright.load(counts).compile(entries=["loss", "train_step"])
    whole = program.train(checkpoint=path, observer=Keep(path, steps))
    best = whole.history[(whole.best_epoch or 0) - 1]
    assert best.valid is not None
    assert program.evaluate(counts.parent / "valid.npz") == best.valid  # of the averages
    for count in sorted(steps):
        assert_same(train(counts, resume=path.with_name(f"at-{count}")), whole)
    # The averages are what a checkpoint without best weights gives.
    stored, state = WeightsFile(path.with_name("at-4")), TensorFile(path.with_name("at-4"))
    np.testing.assert_array_equal(stored.read("head.kernel"), state.read("state.average.head.kernel"))
    assert not np.array_equal(stored.read("head.kernel"), state.read("weights.head.kernel"))
    np.testing.assert_array_equal(stored.read("norm.mean"), state.read("weights.norm.mean"))
    first = WeightsFile(path.with_name("at-1"))  # within the first group there is nothing to average
    np.testing.assert_array_equal(
        first.read("head.kernel"), TensorFile(path.with_name("at-1")).read("weights.head.kernel")
    )


class Keep(Silent):
    """Keeps a copy of the checkpoint as it is after some steps, as a kill would leave it."""

    def __init__(self, checkpoint: Path, steps: set[int]):
        self.checkpoint, self.steps, self.count = checkpoint, steps, 0

    def step(self, epoch, batch, samples, totals):
        self.count += 1
        if self.count in self.steps:
            shutil.copy(self.checkpoint, self.checkpoint.with_name(f"at-{self.count}"))


def test_any_step_can_be_gone_on_from(counts: Path) -> None:
    """36 samples in batches of 8: 5 steps per epoch. In the middle, at the end and at the beginning of epochs."""
    path, steps = counts.parent / "c", {1, 4, 5, 6, 13}
    whole = train(counts, checkpoint=path, observer=Keep(path, steps))
    assert whole.steps == 20 or whole.ending == "stopped early"
    for count in sorted(steps):
        assert_same(train(counts, resume=path.with_name(f"at-{count}")), whole)


@pytest.mark.parametrize(
    ("every", "written"),
    [
        (Interval(epochs=2), [0] * 9 + [10] * 10 + [20]),
        (Interval(steps=4), [0] * 3 + [4] * 4 + [8] * 4 + [12] * 4 + [16] * 4 + [20]),
        (Interval(minutes=1000), [0] * 20),
        (Interval(minutes=1e-12), list(range(1, 21))),
    ],
)
def test_when_checkpoints_are_written(every: Interval, written: list[int], tmp_path: Path) -> None:
    progress, saved, seen = Progress(), [0], []
    saver = Saver(tmp_path / "c", every, lambda path: saved.append(progress.step))
    for _ in range(4):
        for batch in range(1, 6):
            progress.step, progress.batch = progress.step + 1, batch
            saver.after_step(progress)
            if batch == 5:
                progress.epoch, progress.batch = progress.epoch + 1, 0
                saver.after_epoch(progress)
            seen.append(saved[-1])
    assert seen == written
    saver.now(progress)
    assert saved[-1] == 20


def test_an_interval_is_one_of_three() -> None:
    for text, message in (
        ("{steps: 5, minutes: 1}", "steps and minutes are given, write one of them"),
        ("{}", "epochs, steps or minutes are needed, such as steps: 500"),
    ):
        (error,) = diagnosed(SPEC.replace("{steps: 1}", text))
        assert (error.code, error.message) == ("NW0212", message)
    for wrong in ({}, {"steps": 1, "epochs": 1}, {"minutes": 0.0}):
        with pytest.raises(ValueError, match=r"an interval is of|more than 0"):
            Interval(**wrong)


PROGRAM = """
import sys
import netwright
from netwright.runtime.training.progress import Silent

class Told(Silent):
    def step(self, epoch, batch, samples, totals):
        print("step", flush=True)

program = netwright.load(sys.argv[1]).compile(entries=["loss", "train_step"])
program.train(checkpoint=sys.argv[2], observer=Told())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="sends a POSIX signal")
def test_killed_trainings_go_on(counts: Path, deep: bool) -> None:
    """SIGKILL some time after a step: while the next one is computed, or while the checkpoint is written."""
    whole, path = train(counts), counts.parent / "c"
    generator = np.random.default_rng(7)
    for steps in generator.integers(2, whole.steps, 4 if deep else 2):
        path.unlink(missing_ok=True)
        process = Forked(counts, path, code=PROGRAM)
        assert process.stdout is not None
        for _ in range(steps):
            assert process.stdout.readline() == "step\n"
        process.kill()
        process.communicate(timeout=60)
        assert process.returncode in (-signal.SIGKILL, 0)
        assert_same(train(counts, resume=path), whole)
