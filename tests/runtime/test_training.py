"""The training loop on a real engine: resuming, stopping, windows, the best weights, divergence."""

import io
import os
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from rich.console import Console

from netwright.runtime.batches import Batches, Windows
from netwright.runtime.data import Dataset
from netwright.runtime.errors import CheckpointError, DataError, TrainingError
from netwright.runtime.plan import EarlyStopping, TrainingPlan
from netwright.runtime.progress import Bar, PlainLines, Silent, observer_for
from netwright.runtime.session import Session
from netwright.runtime.tensors import TensorFile, write_tensors
from netwright.runtime.training import DivergedError, evaluate, train

from .numpy_engine import buffer, leaky, leaky_data, leaky_values, linear, linear_data, linear_values

DATA, VALID = Dataset(linear_data(100)), Dataset(linear_data(30, seed=1))
PLAN = TrainingPlan(epochs=4, batch_size=16, seed=3)


def new_session(**options) -> Session:
    return Session(linear(**options), linear_values())


def assert_same(one, two):
    assert one.keys() == two.keys()
    for name, array in one.items():
        np.testing.assert_array_equal(array, two[name])


class StopAfter(Silent):
    """Sends this process one real SIGINT when a number of steps are done."""

    def __init__(self, steps: int):
        self.left = steps

    def step(self, epoch, batch, samples, totals):
        self.left -= 1
        if self.left == 0:
            signal.raise_signal(signal.SIGINT)


def test_training_learns_and_reports():
    session = new_session()
    result = train(session, TrainingPlan(epochs=20, batch_size=16), DATA, VALID)
    assert result.ending == "finished"
    assert result.steps == 20 * 7
    assert [record.epoch for record in result.history] == list(range(1, 21))
    assert result.history[0].train["loss"] > 1
    assert result.history[-1].valid["loss"] < 0.01
    assert result.history[-1].samples == 100
    assert_same(session.weights, result.weights)
    assert evaluate(session, VALID)["loss"] == pytest.approx(
        result.history[result.best_epoch - 1].valid["loss"]
    )


def test_the_seed_decides():
    results = [train(new_session(), TrainingPlan(epochs=2, seed=seed), DATA) for seed in (1, 1, 2)]
    assert_same(results[0].weights, results[1].weights)
    assert results[0].history == results[1].history != results[2].history


def test_an_unshuffled_epoch_is_the_data_in_order_with_its_partial_batch():
    batches = Batches(DATA, linear().manifest.buffers[:2], 16)
    seen = list(batches.epoch(0))
    assert len(seen) == len(batches) == 7
    assert [batch.samples for batch in seen] == [16] * 6 + [4]
    np.testing.assert_array_equal(np.concatenate([batch.arrays["x"] for batch in seen]), DATA.arrays["x"])


def test_shuffling_keeps_every_sample_and_rows_together():
    batches = Batches(DATA, linear().manifest.buffers[:2], 16, seed=5, shuffle=True)
    first, second = (np.concatenate([b.arrays["x"] for b in batches.epoch(epoch)]) for epoch in (0, 1))
    assert not np.array_equal(first, second)
    rows = {row.tobytes(): i for i, row in enumerate(DATA.arrays["x"])}
    assert sorted(rows[row.tobytes()] for row in first) == list(range(100))
    for batch in batches.epoch(0, start=3):
        for x, y in zip(batch.arrays["x"], batch.arrays["y"], strict=True):
            np.testing.assert_array_equal(y, DATA.arrays["y"][rows[x.tobytes()]])


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


class Worsening(Silent):
    """Makes validation worse after an epoch by disturbing the session, as overfitting would."""

    def __init__(self, session: Session, after: int):
        self.session, self.after = session, after

    def step(self, epoch, batch, samples, totals):
        if epoch > self.after:
            weights = self.session.weights
            weights["head.bias"] += np.float32(epoch)
            self.session.assign(weights)


def test_early_stopping_keeps_the_best_epoch(tmp_path):
    session, path = new_session(), tmp_path / "run.checkpoint"
    plan = TrainingPlan(epochs=30, batch_size=16, early_stopping=EarlyStopping(patience=3))
    result = train(session, plan, DATA, VALID, observer=Worsening(session, 5), checkpoint=path)
    assert result.ending == "stopped early"
    assert result.best_epoch == 5
    assert len(result.history) == 8
    best = min(record.valid["loss"] for record in result.history)
    assert evaluate(session, VALID)["loss"] == pytest.approx(best)
    resumed = train(new_session(), plan, DATA, VALID, resume=path)
    assert resumed.ending == "stopped early"
    assert_same(resumed.weights, result.weights)


def test_min_delta_asks_for_more_than_a_little():
    plan = TrainingPlan(epochs=30, batch_size=16, early_stopping=EarlyStopping(patience=2, min_delta=1e9))
    result = train(new_session(), plan, DATA, VALID)
    assert (result.best_epoch, len(result.history)) == (1, 3)


def test_without_validation_the_last_weights_are_kept():
    session = new_session()
    result = train(session, PLAN, DATA)
    assert result.best_epoch is None
    assert result.history[0].valid is None
    monitored = train(new_session(), TrainingPlan(epochs=4, batch_size=16, monitor="train_mae"), DATA)
    assert monitored.best_epoch == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"monitor": "valid_loss"}, "no validation data"),
        ({"monitor": "train_acuracy"}, "there is 'loss', 'mae'"),
        ({"early_stopping": EarlyStopping()}, "early stopping needs validation data"),
    ],
)
def test_plans_that_can_not_be_followed(options, message):
    with pytest.raises(TrainingError, match=message):
        train(new_session(), TrainingPlan(epochs=1, **options), DATA)
    for wrong in ({"epochs": 0}, {"batch_size": 0}, {"window": 0}, {"monitor": "loss"}):
        with pytest.raises(ValueError, match="must"):
            TrainingPlan(**{"epochs": 1, **wrong})


def test_data_that_do_not_fit():
    with pytest.raises(DataError, match="y is missing"):
        train(new_session(), PLAN, Dataset({"x": DATA.arrays["x"]}))


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value")
def test_divergence_names_the_step_and_keeps_the_last_good_weights(tmp_path):
    class Poison(Silent):
        def step(self, epoch, batch, samples, totals):
            if (epoch, batch) == (3, 2):
                weights = session.weights
                good.update(previous)
                weights["head.bias"][0] = np.nan
                session.assign(weights)

        def epoch(self, record, best):
            previous.update(session.weights)

    good, previous = {}, {}
    session, path = new_session(), tmp_path / "run.checkpoint"
    with pytest.raises(
        DivergedError, match=r"loss is nan at step 17 \(epoch 3, batch 3\); the weights after ep"
    ):
        train(session, PLAN, DATA, checkpoint=path, observer=Poison())
    assert_same(session.weights, good)
    assert all(np.isfinite(array).all() for array in session.weights.values())
    assert train(new_session(), PLAN, DATA, resume=path).history == train(new_session(), PLAN, DATA).history
    with pytest.raises(DivergedError, match="those it began with") as caught:
        train(new_session(rate=1e30), PLAN, DATA)
    assert_same(caught.value.result.weights, linear_values())
    assert caught.value.result.ending == "diverged"


def test_checkpoints_of_other_trainings_are_refused(tmp_path):
    path = tmp_path / "run.checkpoint"
    train(new_session(), PLAN, DATA, VALID, checkpoint=path)
    session = new_session()
    for plan, data, message in (
        (
            TrainingPlan(epochs=4, batch_size=8, seed=4),
            DATA,
            "batch_size was 16, now is 8; seed was 3, now is 4",
        ),
        (PLAN, Dataset(linear_data(99)), "samples was 100, now is 99"),
    ):
        with pytest.raises(CheckpointError, match=message):
            train(session, plan, data, VALID, resume=path)
    with pytest.raises(CheckpointError, match="monitor was valid_loss, now is None"):
        train(session, PLAN, DATA, resume=path)
    assert_same(session.weights, linear_values())


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


def test_an_observer_sees_everything_in_order():
    seen = []

    class Recorder:
        def start(self, plan, batches, epoch, batch):
            seen.append(("start", batches, epoch, batch))

        def step(self, epoch, batch, samples, totals):
            seen.append(("step", epoch, batch, samples))

        def epoch(self, record, best):
            seen.append(("epoch", record.epoch, best))

        def notice(self, message):
            seen.append(("notice", message))

        def end(self, result):
            seen.append(("end", result.ending))

    train(new_session(), TrainingPlan(epochs=1, batch_size=50), DATA, VALID, observer=Recorder())
    assert seen == [
        ("start", 2, 1, 0),
        ("step", 1, 1, 50),
        ("step", 1, 2, 100),
        ("epoch", 1, True),
        ("end", "finished"),
    ]


def test_plain_lines_off_a_terminal_and_a_bar_on_one():
    text = io.StringIO()
    observer = observer_for(Console(file=text, force_terminal=False, width=200))
    assert type(observer) is PlainLines
    train(new_session(), PLAN, DATA, VALID, observer=observer)
    lines = text.getvalue().splitlines()
    assert len(lines) == 4
    assert lines[0].startswith("epoch 1/4  loss ")
    assert "valid loss" in lines[0]
    assert "samples/s" in lines[0]
    assert lines[0].endswith("*")
    text = io.StringIO()
    observer = observer_for(Console(file=text, force_terminal=True, width=200))
    assert type(observer) is Bar
    train(new_session(), PLAN, DATA, VALID, observer=observer)
    assert text.getvalue().count("valid loss") == 4


PROGRAM = """
import sys, time
from pathlib import Path
from tests.runtime.numpy_engine import linear, linear_data, linear_values
from netwright.runtime.data import Dataset
from netwright.runtime.plan import TrainingPlan
from netwright.runtime.progress import Silent
from netwright.runtime.session import Session
from netwright.runtime.training import train

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
        [sys.executable, "-c", textwrap.dedent(PROGRAM), path],
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
