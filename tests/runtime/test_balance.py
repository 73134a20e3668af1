"""Epochs with equally many samples of each class."""

import numpy as np
import pytest

from netwright.runtime.augmentation import Augmenter
from netwright.runtime.batches import Batches
from netwright.runtime.batches.balance import Balance
from netwright.runtime.data import Dataset
from netwright.runtime.data.samples import Header
from netwright.runtime.errors import DataError
from netwright.runtime.training.plan import TrainingPlan
from netwright.specs.manifest import BufferInfo
from netwright.specs.models.augmentation import NoiseAugmentation

CLASSES = np.array([0] * 14 + [2] * 4 + [5] * 2)
INPUTS = [
    BufferInfo(name="x", role="input", dtype="float32", shape=["N", "2"]),
    BufferInfo(name="t", role="input", dtype="int64", shape=["N"]),
]


def batches(**options) -> Batches:
    x = np.arange(40, dtype=np.float32).reshape(20, 2)
    return Batches(Dataset({"x": x, "t": CLASSES}), INPUTS, 6, seed=3, shuffle=True, balance="t", **options)


def test_every_class_comes_equally_often() -> None:
    balance = Balance(CLASSES, seed=3)
    for epoch in range(6):
        drawn = balance.epoch(epoch)
        counts = np.bincount(CLASSES[drawn % 20], minlength=6)[[0, 2, 5]]
        assert sorted(counts) == [6, 7, 7]
        assert len(set(drawn.tolist())) == 20  # each time of each sample once
        np.testing.assert_array_equal(drawn, Balance(CLASSES, seed=3).epoch(epoch))
    assert not np.array_equal(balance.epoch(0), balance.epoch(1))


def test_a_class_repeats_no_sample_before_all_have_come() -> None:
    drawn = np.concatenate([Balance(np.zeros(5, np.int64), seed=1).epoch(epoch) for epoch in range(3)])
    for start in range(0, 15, 5):
        assert sorted(drawn[start : start + 5].tolist()) == list(range(5))
    rare = Balance(CLASSES, seed=3).epoch(0)
    times = np.bincount(rare % 20, minlength=20)
    assert set(times[:14]) <= {0, 1}
    assert times[14:18].max() - times[14:18].min() <= 1
    assert times[18:].max() - times[18:].min() <= 1


def test_batches_have_the_drawn_samples_and_vary_them_each_time() -> None:
    seen = list(batches().epoch(1))
    assert [batch.samples for batch in seen] == [6, 6, 6, 2]
    for batch in seen:
        np.testing.assert_array_equal(batch.arrays["t"], CLASSES[batch.rows])
        np.testing.assert_array_equal(batch.arrays["x"][:, 0], 2 * np.asarray(batch.rows))
    headers = {"x": Header((20, 2), np.dtype(np.float32))}
    noisy = Augmenter({"x": (NoiseAugmentation(deviation=1.0),)}, 3, INPUTS, {}, headers)
    varied = np.concatenate([batch.arrays["x"] for batch in batches(augmenter=noisy).epoch(1)])
    assert len(np.unique(varied, axis=0)) == 20
    rest = list(batches(augmenter=noisy).epoch(1, start=2))
    np.testing.assert_array_equal(np.concatenate([batch.arrays["x"] for batch in rest]), varied[12:])


def test_what_has_no_classes_is_refused() -> None:
    with pytest.raises(DataError, match=r"balanced by a class number each, and x is float32 \[20, 2\]"):
        Batches(Dataset({"x": np.zeros((20, 2), np.float32)}), INPUTS[:1], 6, shuffle=True, balance="x")
    with pytest.raises(ValueError, match="drawn at random"):
        TrainingPlan(epochs=1, shuffle=False, balance="t")
