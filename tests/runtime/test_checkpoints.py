"""Checkpoints and Ctrl-C: what is resumed gives the same bits, what is damaged is refused."""

import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from netwright.runtime.data import Dataset
from netwright.runtime.errors import CheckpointError
from netwright.runtime.files.tensors import TensorFile, write_tensors
from netwright.runtime.training.loop import train
from netwright.runtime.training.plan import TrainingPlan
from netwright.runtime.training.progress import Silent

from .numpy_engine import linear_data, linear_values
from .training_setup import DATA, PLAN, VALID, StopAfter, assert_same, new_session


@pytest.mark.parametrize("steps", [1, 6, 7, 9, 27])
def test_resuming_continues_bit_for_bit(tmp_path, steps):
    whole = train(new_session(), PLAN, DATA, VALID)
    path = tmp_path / "run.checkpoint"
    part = train(new_session(), PLAN, DATA, VALID, checkpoint=path, observer=StopAfter(steps))
    assert part.ending == "interrupted"
    assert part.steps == steps
    session = new_session()
    rest = train(session, PLAN, DATA, VALID, resume=path)
    assert_same(rest.weights, whole.weights)
    assert rest.history == whole.history
    assert (rest.best_epoch, rest.steps, rest.ending) == (whole.best_epoch, whole.steps, "finished")
    assert session.state["optimizer.step"] == whole.steps


def test_a_finished_training_goes_on_with_more_epochs(tmp_path):
    path = tmp_path / "run.checkpoint"
    train(new_session(), TrainingPlan(epochs=2, batch_size=16, seed=3), DATA, VALID, checkpoint=path)
    rest = train(new_session(), PLAN, DATA, VALID, checkpoint=path, resume=path)
    whole = train(new_session(), PLAN, DATA, VALID)
    assert rest.history == whole.history
    assert_same(rest.weights, whole.weights)
    again = train(new_session(), PLAN, DATA, VALID, resume=path)
    assert again.history == whole.history
    assert os.listdir(tmp_path) == [path.name]


def test_checkpoints_of_other_trainings_are_refused(tmp_path):
    path = tmp_path / "run.checkpoint"
    train(new_session(), PLAN, DATA, VALID, checkpoint=path)
    session = new_session()
    for plan, data, message in (
        (
            TrainingPlan(epochs=4, batch_size=16, seed=4, shuffle=False),
            DATA,
            "seed was 3, now is 4; shuffle was True, now is False",
        ),
        (PLAN, Dataset(linear_data(99)), "samples was 100, now is 99"),
    ):
        with pytest.raises(CheckpointError, match=message):
            train(session, plan, data, VALID, resume=path)
    with pytest.raises(CheckpointError, match="monitor was valid_loss, now is None"):
        train(session, PLAN, DATA, resume=path)
    assert_same(session.weights, linear_values())


def test_the_spec_is_compared_key_by_key(tmp_path):
    path = tmp_path / "run.checkpoint"
    made = {"layers": {"a": {"units": 8, "inputs": ["x"]}, "b": {"type": "relu"}}}
    train(new_session(), PLAN, DATA, checkpoint=path, identity=made)
    now = {"layers": {"a": {"units": 16, "inputs": ["x", "y"]}, "c": {"type": "tanh"}}}
    with pytest.raises(CheckpointError) as caught:
        train(new_session(), PLAN, DATA, resume=path, identity=now)
    said = "layers.a.units was 8, now is 16; layers.a.inputs was ['x'], now is ['x', 'y']; layers.c is new; "
    assert said + "layers.b is gone. What may change is epochs" in str(caught.value)


@pytest.mark.parametrize("steps", [3, 7, 9])
def test_another_batch_size_holds_from_the_next_epoch_on(tmp_path, steps):
    """100 samples in batches of 16 are 7 steps, in batches of 25 they are 4."""
    path, larger = tmp_path / "run.checkpoint", replace(PLAN, batch_size=25)
    train(new_session(), PLAN, DATA, VALID, checkpoint=path, observer=StopAfter(steps))
    rest = train(new_session(), larger, DATA, VALID, checkpoint=path, resume=path)
    before = -(-steps // 7)
    assert [record.steps for record in rest.history] == [
        7 * min(epoch, before) + 4 * max(epoch - before, 0) for epoch in range(1, 5)
    ]
    whole = train(new_session(), PLAN, DATA, VALID)
    assert rest.history[:before] == whole.history[:before]
    assert all(record.samples == 100 for record in rest.history)
    again = train(new_session(), larger, DATA, VALID, resume=path)
    assert_same(again.weights, rest.weights)


def test_damaged_checkpoints_are_refused_and_change_nothing(tmp_path):
    good, bad = tmp_path / "good", tmp_path / "bad"
    train(new_session(), PLAN, DATA, VALID, checkpoint=good)
    content = good.read_bytes()
    file = TensorFile(good)
    tensors = {name: file.read(name) for name in file.headers}

    def refused(message):
        session = new_session()
        with pytest.raises(CheckpointError, match=message):
            train(session, PLAN, DATA, VALID, resume=bad)
        assert_same(session.weights, linear_values())
        assert session.state["optimizer.step"] == 0

    for end in (0, 7, 100, len(content) - 1):
        bad.write_bytes(content[:end])
        refused("can't be resumed from")
    for dropped in ("weights.head.kernel", "state.optimizer.step", "best.norm.mean"):
        rest = {name: array for name, array in tensors.items() if name != dropped}
        write_tensors(bad, rest, file.metadata)
        refused(dropped.partition(".")[2] + " is missing")
    for training in ("", "[]", "{}", file.metadata["training"].replace('"step": 28', '"step": "28"')):
        write_tensors(bad, tensors, file.metadata | {"training": training})
        refused("can't be resumed from")
    write_tensors(bad, tensors, {})
    refused("is not a checkpoint")


PROGRAM = """
import sys, time
from pathlib import Path
from tests.runtime.numpy_engine import linear, linear_data, linear_values
from netwright.runtime.data import Dataset
from netwright.runtime.training.plan import TrainingPlan
from netwright.runtime.training.progress import Silent
from netwright.runtime.sessions.session import Session
from netwright.runtime.training.loop import train

class Slow(Silent):
    def step(self, epoch, batch, samples, totals):
        print("step", flush=True)
        time.sleep(0.02)

plan = TrainingPlan(epochs=1000, batch_size=16)
result = train(
    Session(linear(), linear_values()), plan, Dataset(linear_data(100)), checkpoint=sys.argv[1], observer=Slow()
)
print(result.ending, result.steps)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="sends a POSIX signal")
def test_sigint_in_a_process_of_its_own(tmp_path, request):
    path = tmp_path / "run.checkpoint"
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, path],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=request.config.rootpath,
    )
    for _ in range(10):
        assert process.stdout.readline() == "step\n"
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    ending, steps = output.splitlines()[-1].split()
    assert ending == "interrupted"
    resumed = TrainingPlan(epochs=int(steps) // 7 + 1, batch_size=16)
    rest = train(new_session(), resumed, DATA, resume=path)
    assert rest.history == train(new_session(), resumed, DATA).history


def test_a_second_sigint_aborts(tmp_path):
    class Twice(Silent):
        def step(self, epoch, batch, samples, totals):
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train(new_session(), PLAN, DATA, checkpoint=tmp_path / "run.checkpoint", observer=Twice())
    assert os.listdir(tmp_path) == []
    assert signal.getsignal(signal.SIGINT) is before
