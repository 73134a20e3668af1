"""The training loop on a real engine: order, the best weights, early stopping, divergence, observers."""

import numpy as np
import pytest

from netwright.runtime.batches import Batches
from netwright.runtime.data import Dataset
from netwright.runtime.errors import DataError, TrainingError
from netwright.runtime.sessions.session import Session
from netwright.runtime.training.evaluation import evaluate
from netwright.runtime.training.loop import DivergedError, train
from netwright.runtime.training.plan import EarlyStopping, TrainingPlan
from netwright.runtime.training.progress import Silent

from .numpy_engine import linear, linear_values
from .training_setup import DATA, PLAN, VALID, assert_same, new_session


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


@pytest.mark.parametrize("true", [True, np.bool_(True)])
def test_a_function_sees_each_epoch_and_can_stop(true, tmp_path):
    session, path, seen = new_session(), tmp_path / "run.checkpoint", []
    plan = TrainingPlan(epochs=6, batch_size=16)

    def on_epoch(record):
        assert path.exists()
        seen.append(record)
        return record.epoch == 3 and true

    result = train(session, plan, DATA, VALID, checkpoint=path, on_epoch=on_epoch)
    assert result.ending == "stopped early"
    assert tuple(seen) == result.history
    assert (len(seen), result.best_epoch, result.steps) == (3, 3, 3 * 7)
    assert_same(session.weights, result.weights)
    whole = train(new_session(), plan, DATA, VALID)
    resumed = train(new_session(), plan, DATA, VALID, resume=path)
    assert resumed.ending == "finished"
    assert_same(resumed.weights, whole.weights)


def test_stopping_by_a_function_keeps_the_best_epoch():
    session = new_session()
    plan = TrainingPlan(epochs=30, batch_size=16)
    stopped = train(
        session, plan, DATA, VALID, observer=Worsening(session, 5), on_epoch=lambda record: record.epoch == 7
    )
    assert (stopped.best_epoch, len(stopped.history)) == (5, 7)
    assert evaluate(session, VALID)["loss"] == pytest.approx(stopped.history[4].valid["loss"])


def test_what_a_function_returns_by_the_way_does_not_stop():
    result = train(
        new_session(), TrainingPlan(epochs=3, batch_size=16), DATA, on_epoch=lambda record: record.train
    )
    assert result.ending == "finished"


def test_an_error_of_the_function_ends_the_training_with_its_checkpoint(tmp_path):
    path = tmp_path / "run.checkpoint"
    plan = TrainingPlan(epochs=6, batch_size=16)

    def on_epoch(record):
        raise OSError("the log is full")

    with pytest.raises(OSError, match="the log is full"):
        train(new_session(), plan, DATA, VALID, checkpoint=path, on_epoch=on_epoch)
    whole = train(new_session(), plan, DATA, VALID)
    assert_same(train(new_session(), plan, DATA, VALID, resume=path).weights, whole.weights)


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


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("shuffle", [True, False])
def test_data_that_are_no_numbers_are_named(shuffle):
    arrays = {name: array.copy() for name, array in DATA.arrays.items()}
    arrays["x"][5, 1] = np.inf
    plan = TrainingPlan(epochs=2, batch_size=4, shuffle=shuffle)
    with pytest.raises(DivergedError) as caught:
        train(new_session(), plan, Dataset(arrays, "points.npz"))
    assert "The data are at fault: x of points.npz is inf in sample 5 (at [1])" in str(caught.value)
    assert "learning rate" not in str(caught.value)
    valid = {name: array.copy() for name, array in DATA.arrays.items()}
    valid["y"][2] = np.nan
    with pytest.raises(
        DivergedError, match=r"the validation loss is nan.* y of other.npz is nan in sample 2"
    ):
        train(new_session(), plan, DATA, Dataset(valid, "other.npz"))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_finite_data_and_weights_blame_the_updates_or_the_network():
    with pytest.raises(DivergedError, match=r"the updates went too far\. A smaller"):
        train(new_session(rate=1e30), PLAN, DATA)
    large = {
        name: (array * 1e30 if array.dtype.kind == "f" else array) for name, array in DATA.arrays.items()
    }
    with pytest.raises(DivergedError, match="some layer leaves the range of its numbers"):
        train(new_session(), PLAN, Dataset(large))


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
