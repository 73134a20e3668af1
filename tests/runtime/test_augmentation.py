"""Augmentation: what each change does, and that it depends on seed, epoch and sample alone."""

import numpy as np
import pytest

from netwright.runtime.augmentation import Augmenter
from netwright.runtime.batches import Batches
from netwright.runtime.data import Dataset
from netwright.runtime.data.samples import Header
from netwright.runtime.errors import CheckpointError
from netwright.runtime.training.loop import train
from netwright.runtime.training.plan import TrainingPlan
from netwright.specs.models.augmentation import (
    CropAugmentation,
    FlipAugmentation,
    MaskAugmentation,
    NoiseAugmentation,
    ShiftAugmentation,
)

from .numpy_engine import buffer
from .training_setup import DATA, VALID, StopAfter, assert_same, new_session

IMAGES = np.random.default_rng(0).integers(1, 256, (200, 6, 5, 1)).astype(np.uint8)
ROWS = np.arange(200)


def varied(
    array: np.ndarray, *changes, rows: np.ndarray | None = None, lengths=None, dtype=None, epoch=0, seed=1
):
    rows = np.arange(len(array)) if rows is None else rows
    infos = [buffer("x", "input", " ".join("N" * array.ndim), dtype or array.dtype.name)]
    headers = {"x": Header(array.shape, array.dtype)}
    augmenter = Augmenter({"x": changes}, seed, infos, {"x": "n"}, headers)
    arrays = {"x": array[rows], **({} if lengths is None else {"n": np.array(lengths)[rows]})}
    return augmenter.apply(arrays, rows, epoch)["x"]


CHANGES = [
    ShiftAugmentation(by=(2, 1)),
    FlipAugmentation(),
    CropAugmentation(least=0.5),
    NoiseAugmentation(deviation=3.0),
    MaskAugmentation(axis=2, most=3, count=2),
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.type)
def test_a_sample_is_varied_by_seed_epoch_and_row_alone(change) -> None:
    whole = varied(IMAGES, change)
    assert (whole != IMAGES).any()
    assert whole.shape == IMAGES.shape
    some = np.array([150, 3, 199, 7])
    np.testing.assert_array_equal(varied(IMAGES, change, rows=some), whole[some])
    assert (varied(IMAGES, change, epoch=1) != whole).any()
    assert (varied(IMAGES, change, seed=2) != whole).any()
    assert (varied(IMAGES[:2], change)[:, 0] != whole[2:4, 0]).any()


def test_shifts_reach_both_ends_and_fill_with_zeros() -> None:
    array = np.tile(np.arange(1, 7, dtype=np.float32), (300, 1))
    found = varied(array, ShiftAugmentation(by=(2,)))
    wide = np.r_[0, 0, array[0], 0, 0]
    assert {tuple(row) for row in found} == {tuple(wide[2 - by : 8 - by]) for by in range(-2, 3)}
    far = varied(array, ShiftAugmentation(by=(9,)))
    assert (far == 0).all(axis=1).any()
    two = varied(IMAGES, ShiftAugmentation(by=(0, 1)))
    moved = [(two[:, :, 1 + by : 4 + by] == IMAGES[:, :, 1:4]).all(axis=(1, 2, 3)) for by in (-1, 0, 1)]
    assert np.any(moved, axis=0).all()
    assert np.min(np.sum(moved, axis=1)) > 40


def test_flips_reverse_the_chosen_share() -> None:
    found = varied(IMAGES, FlipAugmentation(axis=1, chance=0.25))
    reversed_ = (found == IMAGES[:, ::-1]).all(axis=(1, 2, 3))
    assert (reversed_ | (found == IMAGES).all(axis=(1, 2, 3))).all()
    assert 30 < reversed_.sum() < 70


def test_crops_enlarge_a_part() -> None:
    assert (varied(IMAGES, CropAugmentation(least=1.0)) == IMAGES).all()
    ramp = np.broadcast_to(np.arange(40, dtype=np.float32)[:, None], (100, 40, 3)).copy()
    found = varied(ramp, CropAugmentation(least=0.5))
    step = np.diff(found[:, 5:-5, 0], axis=1)
    np.testing.assert_allclose(step, np.broadcast_to(step[:, :1], step.shape), atol=1e-4)
    assert 0.5 <= step.min() < 0.6
    assert 0.9 < step.max() <= 1.0001
    assert found.min() >= 0
    assert found.max() <= 39


def test_noise_has_its_deviation_and_stays_in_the_type() -> None:
    array = np.zeros((50, 31, 7), np.float32)
    noise = varied(array, NoiseAugmentation(deviation=2.0))
    assert noise.dtype == np.float32
    assert abs(noise.mean()) < 0.1
    assert abs(noise.std() - 2) < 0.1
    assert np.isinf(varied(array, NoiseAugmentation(deviation=1e300))).any()  # and no warning
    pixels = varied(IMAGES, NoiseAugmentation(deviation=100.0), dtype="float32")
    assert pixels.dtype == np.float32
    assert (pixels == np.rint(pixels)).all()
    assert (pixels.min(), pixels.max()) == (0, 255)
    assert varied(IMAGES, NoiseAugmentation(deviation=1.0)).dtype == np.uint8


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.type)
def test_truth_values_become_the_models_numbers(change) -> None:
    assert varied(IMAGES > 100, change, dtype="float32").dtype == np.float32


def test_masks_are_stretches_up_to_a_length() -> None:
    array = np.ones((400, 10, 4), np.float32)
    found = varied(array, MaskAugmentation(axis=1, most=3))
    assert (found == found[:, :, :1]).all()
    widths = (found[:, :, 0] == 0).sum(axis=1)
    assert set(widths) == {0, 1, 2, 3}
    assert np.bincount(widths).min() > 60
    edges = np.abs(np.diff(np.pad(found[:, :, 0], ((0, 0), (1, 1)), constant_values=1), axis=1)).sum(axis=1)
    assert set(edges) == {0, 2}
    assert (found[:, :, 0] == 0).any(axis=0).all()
    assert (varied(array, MaskAugmentation(axis=2, most=9)) == 0).all(axis=(1, 2)).any()


@pytest.mark.parametrize(
    "change",
    [
        ShiftAugmentation(by=(3,)),
        FlipAugmentation(axis=1),
        NoiseAugmentation(deviation=1.0),
        MaskAugmentation(most=4),
    ],
)
def test_steps_past_the_end_stay(change) -> None:
    lengths = np.arange(200) % 9
    array = np.where(np.arange(8) < lengths[:, None], 1.0 + np.arange(8), -5.0).astype(np.float32)
    found = varied(array, change, lengths=lengths)
    past = np.arange(8) >= lengths[:, None]
    assert (found[past] == -5).all()
    assert (found[~past] != array[~past]).any()
    assert (found[~past] != -5).all()


PLAN = TrainingPlan(
    epochs=3,
    batch_size=16,
    seed=3,
    augment={"x": (NoiseAugmentation(deviation=0.1), MaskAugmentation(most=1))},
)


def test_training_varies_its_samples_alone_and_resumes_with_the_same_bits(tmp_path) -> None:
    whole = train(new_session(), PLAN, DATA, VALID)
    plain = train(new_session(), TrainingPlan(epochs=3, batch_size=16, seed=3), DATA, VALID)
    assert whole.history[0].train != plain.history[0].train
    for stop in (1, 9, 14):
        path = tmp_path / f"{stop}.checkpoint"
        train(new_session(), PLAN, DATA, VALID, checkpoint=path, observer=StopAfter(stop))
        rest = train(new_session(), PLAN, DATA, VALID, resume=path)
        assert rest.history == whole.history
        assert_same(rest.weights, whole.weights)
    with pytest.raises(
        CheckpointError, match=r'augment was {"x": \[{"type": "noise", "deviation": 0.1}, .*, now is None'
    ):
        train(new_session(), TrainingPlan(epochs=3, batch_size=16, seed=3), DATA, VALID, resume=path)


def test_data_are_not_changed() -> None:
    before = DATA.arrays["x"].copy()
    infos = [buffer("x", "input", "N 3")]
    flip = (FlipAugmentation(axis=1, chance=1.0),)
    data = Dataset({"x": before})
    given = [*infos, buffer("n", "input", "N")]
    augmenter = Augmenter({"x": flip, "gone": flip, "n": ()}, 0, given, {}, data.headers)
    batches = Batches(data, infos, 100, augmenter=augmenter)
    assert batches.ahead == 1
    np.testing.assert_array_equal(next(batches.epoch(0)).arrays["x"], before[:, ::-1])
    np.testing.assert_array_equal(before, DATA.arrays["x"])
