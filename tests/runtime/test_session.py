"""Sessions: binding of dims, casts, packing when needed, aggregation, and errors that name the culprit."""

import numpy as np
import pytest

from netwright.runtime.errors import ExecutionError, InputError, RoundingWarning, WeightsError
from netwright.runtime.sessions.session import Session
from netwright.runtime.totals import Totals

from .numpy_engine import leaky, leaky_data, leaky_values, linear, linear_data, linear_values


def test_predict_computes_and_packs_once():
    engine = linear()
    session = Session(engine, linear_values() | {"norm.mean": np.ones(3, np.float32)})
    x = linear_data(4)["x"]
    out = session.predict(x=x)["out"]
    np.testing.assert_allclose(out, (x - 1) @ np.full((3, 2), 0.1), rtol=1e-6)
    assert session.predict(x=x[:2])["out"].shape == (2, 2)
    assert engine.calls == ["prepare", "predict", "predict"]


@pytest.mark.parametrize("packs_in_training", [False, True])
def test_packed_weights_follow_training_and_assignment(packs_in_training):
    engine = linear(packs_in_training=packs_in_training)
    session, data = Session(engine, linear_values()), linear_data(8)
    before = session.predict(x=data["x"])["out"]
    session.train_step(**data)
    after = session.predict(x=data["x"])["out"]
    assert engine.calls.count("prepare") == (1 if packs_in_training else 2)
    fresh = Session(linear(), session.weights)
    np.testing.assert_array_equal(after, fresh.predict(x=data["x"])["out"])
    assert not np.array_equal(before, after)
    session.assign(linear_values())
    np.testing.assert_array_equal(session.predict(x=data["x"])["out"], before)


def test_values_are_copied_and_aligned():
    values = linear_values()
    session = Session(linear(), values)
    session.train_step(**linear_data(8))
    assert (values["head.kernel"] == np.float32(0.1)).all()
    weights = session.weights
    weights["head.bias"][...] = 99
    assert session.weights["head.bias"].max() < 99
    assert session.state["optimizer.step"] == 1


def test_loss_is_a_mean_and_aggregates_over_partial_batches():
    session, data = Session(linear(), linear_values()), linear_data(10)
    whole = session.loss(**data)
    totals = Totals(session.manifest.scores)
    for part in (slice(0, 4), slice(4, 8), slice(8, 10)):
        totals.add(session.run("loss", {name: array[part] for name, array in data.items()}))
    assert whole.keys() == {"loss", "mae"}
    assert totals.means() == pytest.approx(whole, rel=1e-6)
    assert totals.sums["loss"][1] == 20
    empty = Totals(session.manifest.scores)
    empty.restore({"loss": [0, 0], "mae": [0, 0]})
    assert np.isnan(empty.means()["loss"])


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float16, np.bool_, ">f4"])
def test_lossless_casts(dtype):
    session = Session(linear(), linear_values())
    x = np.array([[0, 1, 1], [1, 0, 1]])
    np.testing.assert_array_equal(
        session.predict(x=x.astype(dtype))["out"], session.predict(x=x.astype(np.float32))["out"]
    )


def test_float64_is_rounded_and_said_once_per_input():
    x = np.random.default_rng(0).normal(size=(2, 3))
    session = Session(linear(), linear_values())
    expected = session.predict(x=x.astype(np.float32))["out"]
    with pytest.warns(RoundingWarning, match="input 'x' is float64; its numbers are rounded to float32"):
        found = session.predict(x=x)["out"]
    for given in (x, x.tolist()):  # nothing more is said; and nobody chose float64 for a list
        np.testing.assert_array_equal(session.predict(x=given)["out"], expected)
    np.testing.assert_array_equal(found, expected)
    x[1, 2] = -1e39
    with pytest.raises(InputError, match=r"input 'x': -1e\+39 is too large for float32 \(at \[1, 2\]\)"):
        session.predict(x=x)


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.complex64])
def test_lossy_casts_are_refused_with_a_remedy(dtype):
    with pytest.raises(InputError, match=r"input 'x' is .*pass np.asarray\(x, dtype=np.float32\)"):
        Session(linear(), linear_values()).predict(x=np.zeros((2, 3), dtype))


def test_strided_and_nested_inputs():
    session = Session(linear(), linear_values())
    x = linear_data(4)["x"]
    wide = np.zeros((4, 6), np.float32)
    wide[:, ::2] = x
    expected = session.predict(x=x)["out"]
    for view in (wide[:, ::2], np.asfortranarray(x), x.copy().view(np.ndarray)):
        np.testing.assert_array_equal(session.predict(x=view)["out"], expected)
    assert session.predict(x=[[True, False, True]])["out"].shape == (1, 2)
    x.flags.writeable = False
    np.testing.assert_array_equal(session.predict(x=x)["out"], expected)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.zeros((2, 4))}, r"'x': axis 1 must be 3 \(expected the shape \[N, 3\], found \[2, 4\]\)"),
        ({"x": np.zeros(3)}, r"'x': must have 2 axes .*found \[3\]"),
        ({"x": np.zeros((0, 3))}, r"'x': axis 0 is 0, but N must be from 1 to 8"),
        ({"x": np.zeros((9, 3))}, r"'x': axis 0 is 9, but N must be from 1 to 8"),
        ({"X": np.zeros((2, 3))}, r"there is no input 'X': predict takes 'x'; did you mean 'x'\?"),
        ({}, r"missing input 'x'"),
        ({"x": np.zeros((2, 3)), "y": np.zeros(2)}, r"there is no input 'y'"),
        ({"x": [[1, 2], [3]]}, r"'x' is not an array"),
        ({"x": [["a", "b", "c"]]}, r"'x' is str32, but the model takes float32"),
    ],
)
def test_input_errors(arrays, message):
    cast = {
        name: array.astype(np.float32) if isinstance(array, np.ndarray) else array
        for name, array in arrays.items()
    }
    with pytest.raises(InputError, match=message):
        Session(linear(max_batch=8), linear_values()).predict(**cast)


def test_disagreeing_inputs_name_both():
    data = linear_data(4)
    with pytest.raises(InputError, match=r"'y': axis 0 must be N = 4, from axis 0 of 'x'"):
        Session(linear(), linear_values()).loss(x=data["x"], y=data["y"][:3])


def test_execution_errors_carry_code_and_text():
    session = Session(linear(), linear_values())
    data = linear_data(2)
    data["x"][0, 0] = 1e7
    with pytest.raises(ExecutionError, match="out of range") as caught:
        session.loss(**data)
    assert caught.value.code == 1
    with pytest.raises(ExecutionError, match=r"no entry 'step'.*'predict'"):
        session.run("step", {})


def test_all_problems_of_the_values_come_at_once():
    values = linear_values()
    del values["head.bias"]
    values["head.kernal"] = values.pop("head.kernel")
    values["norm.mean"] = np.zeros(4)
    with pytest.raises(WeightsError) as caught:
        Session(linear(), values)
    assert caught.value.problems == (
        "head.kernel is missing (float32 [3, 2])",
        "head.bias is missing (float32 [2])",
        "norm.mean must have the shape [3], not [4]",
        "norm.mean is float64, which can't become float32 without loss",
        "head.kernal is not in the model; did you mean 'head.kernel'?",
    )


def test_carried_state_follows_the_batch_size_and_resets():
    session, data = Session(leaky(), leaky_values()), leaky_data(5)
    session.train_step(**data)
    carried = session.state["carry.cell.h"]
    assert carried.shape == (5, 1)
    assert carried.any()
    session.train_step(**{name: array[:2] for name, array in data.items()})
    assert session.state["carry.cell.h"].shape == (2, 1)
    session.reset_carry()
    assert not session.state["carry.cell.h"].any()


def test_state_round_trip_continues_bit_for_bit():
    data = leaky_data(5)
    one, two = Session(leaky(), leaky_values()), Session(leaky(), leaky_values())
    one.train_step(**data)
    two.assign(one.weights)
    two.assign_state(one.state)
    assert one.train_step(**data) == two.train_step(**data)
    for name, array in one.weights.items():
        np.testing.assert_array_equal(array, two.weights[name])
