"""Truncated backpropagation: windows, carried state, and going on in the middle of a sequence."""

import numpy as np
import pytest

from netwright.runtime.batches import Batches
from netwright.runtime.data import Dataset
from netwright.runtime.data.windows import Windows
from netwright.runtime.errors import DataError
from netwright.runtime.sessions.session import Session
from netwright.runtime.training.evaluation import evaluate
from netwright.runtime.training.loop import train
from netwright.runtime.training.plan import TrainingPlan

from .numpy_engine import buffer, leaky, leaky_data, leaky_values
from .training_setup import StopAfter, assert_same


@pytest.mark.parametrize("steps", [1, 4, 6, 7])
def test_resuming_inside_a_sequence(tmp_path, steps):
    plan = TrainingPlan(epochs=2, batch_size=2, window=4, lengths=("n",))
    data, path = Dataset(leaky_data()), tmp_path / "run.checkpoint"
    whole = train(Session(leaky(), leaky_values()), plan, data)
    train(Session(leaky(), leaky_values()), plan, data, checkpoint=path, observer=StopAfter(steps))
    rest = train(Session(leaky(), leaky_values()), plan, data, resume=path)
    assert rest.history == whole.history
    assert_same(rest.weights, whole.weights)


def test_windows_cover_each_sequence_in_order_with_their_share_of_its_length():
    data = leaky_data(3, 11)
    batches = Batches(Dataset(data), leaky().manifest.buffers[:3], 2, windows=Windows(4, "T", ("n",)))
    assert (len(batches), batches.windows_per_batch) == (6, 3)
    seen = list(batches.epoch(0))
    assert [batch.starts_sequence for batch in seen] == [True, False, False] * 2
    assert [batch.samples for batch in seen] == [2, 0, 0, 1, 0, 0]
    np.testing.assert_array_equal(np.concatenate([b.arrays["x"] for b in seen[:3]], axis=1), data["x"][:2])
    np.testing.assert_array_equal(sum(b.arrays["n"] for b in seen[:3]), data["n"][:2])
    assert all((b.arrays["n"] <= b.arrays["x"].shape[1]).all() for b in seen)
    for late, batch in zip(seen[3:], batches.epoch(0, start=3), strict=True):
        np.testing.assert_array_equal(late.arrays["y"], batch.arrays["y"])


def test_carried_state_sees_the_whole_sequence():
    """With a rate of zero the windows' losses are those of the whole sequence, if and only if state is carried."""
    data = Dataset(leaky_data())
    session = Session(leaky(rate=0.0), leaky_values())
    whole = evaluate(session, data)["loss"]
    for carry in (True, False):
        plan = TrainingPlan(epochs=1, batch_size=2, window=4, lengths=("n",), carry_state=carry)
        loss = train(session, plan, data).history[0].train["loss"]
        assert (loss == pytest.approx(whole, rel=1e-5)) is carry


def test_windows_learn_a_recurrence():
    plan = TrainingPlan(epochs=60, batch_size=2, window=4, lengths=("n",))
    result = train(Session(leaky(), leaky_values()), plan, Dataset(leaky_data(10, 20)))
    assert result.history[-1].train["loss"] < 0.1 * result.history[0].train["loss"]


def test_windows_that_can_not_be_cut():
    data = Dataset({"x": np.zeros((4, 8), np.float32), "y": np.zeros((4, 4), np.float32)})
    with pytest.raises(DataError, match=r"y \[N, T//2\] can't be cut into windows"):
        Batches(
            data, [buffer("x", "input", "N T"), buffer("y", "input", "N T//2")], 2, windows=Windows(2, "T")
        )
    with pytest.raises(DataError, match="no input has the time axis T"):
        Batches(data, [buffer("x", "input", "N 8")], 2, windows=Windows(2, "T"))


@pytest.mark.parametrize(("window", "least"), [(4, 4), (5, 3)])
def test_a_window_that_the_model_does_not_take_is_told_before_the_first_step(window, least):
    """It was found in the middle of the first epoch, after some updates."""
    engine = leaky(min_steps=least)
    plan = TrainingPlan(epochs=1, window=window, lengths=("n",))
    with pytest.raises(DataError, match=f"of 11 steps windows of {window} leave one of {11 % window}, but"):
        train(Session(engine, leaky_values()), plan, Dataset(leaky_data(3, 11)))
    assert engine.calls == []
