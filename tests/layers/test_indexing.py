"""Layers that read and write at positions which are data, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from ..frontend.helpers import codes
from .harness import check_gradients, spec, values

RNG = np.random.default_rng(4)
X = RNG.normal(size=(2, 5, 4, 3))
SHAPE, OPEN = "[N, 5, 4, 3]", "[N, T, 3]"
SEQUENCE = RNG.normal(size=(2, 7, 3))


def layer(kind: str, keys: str = "", inputs: str = "[x, i]") -> str:
    return f"[{{name: y, type: {kind}, inputs: {inputs}{', ' + keys if keys else ''}}}]"


@pytest.mark.parametrize("axis", [1, 2, -1])
def test_gather_elements(axis: int) -> None:
    size = X.shape[axis]
    shape = [2, 5, 4, 3]
    shape[axis] = 6
    places = RNG.integers(-size, size, shape)
    text = spec(
        layer("gather_elements", f"axis: {axis}"), x=SHAPE, i=f"{['N', *shape[1:]]} int64".replace("'", "")
    )
    expected = np.take_along_axis(X, np.where(places < 0, places + size, places), axis)
    np.testing.assert_array_equal(values(text, x=X, i=places)["y"], expected)


def test_the_last_valid_step() -> None:
    lengths = np.array([3, 7])
    text = spec(layer("gather_elements", "axis: 1"), x=OPEN, i="[N, 1, 3] int64")
    places = np.broadcast_to((lengths - 1)[:, None, None], (2, 1, 3))
    expected = SEQUENCE[[0, 1], lengths - 1][:, None]
    np.testing.assert_array_equal(values(text, x=SEQUENCE, i=places)["y"], expected)
    check_gradients(text, x=SEQUENCE, i=places)
    text = spec(layer("gather_nd", "batch_axes: 1"), x=OPEN, i="[N, 1] int64")
    np.testing.assert_array_equal(values(text, x=SEQUENCE, i=lengths[:, None] - 1)["y"], expected[:, 0])
    check_gradients(text, x=SEQUENCE, i=lengths[:, None] - 1)


def test_gather_nd() -> None:
    places = np.array([[0, 4], [1, -1], [1, 0]])
    text = spec(layer("gather_nd"), x=SHAPE, i="[3, 2] int64")
    np.testing.assert_array_equal(values(text, x=X, i=places)["y"], X[places[:, 0], places[:, 1]])


@pytest.mark.parametrize("reduction", ["set", "add", "mul", "max", "min"])
def test_scatter_elements(reduction: str) -> None:
    places = np.array([[[0, 1, 2]], [[6, -1, -7]]])
    updates = RNG.normal(size=places.shape)
    expected = SEQUENCE.copy()
    combine = {"set": lambda a, b: b, "add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}
    for index in np.ndindex(*places.shape):
        cell = (index[0], places[index] % 7, index[2])
        expected[cell] = combine[reduction](expected[cell], updates[index])
    text = spec(
        layer("scatter_elements", f"axis: 1, reduction: {reduction}", "[x, i, u]"),
        x=OPEN,
        i="[N, 1, 3] int64",
        u="[N, 1, 3]",
    )
    np.testing.assert_array_equal(values(text, x=SEQUENCE, i=places, u=updates)["y"], expected)
    if reduction in ("set", "add"):
        check_gradients(text, x=SEQUENCE, i=places, u=updates)


def test_of_several_updates_the_last_one_sets_a_cell() -> None:
    text = spec(layer("scatter_nd", inputs="[x, i, u]"), x="[5, 2]", i="[3, 1] int64", u="[3, 2]")
    x, updates = np.zeros((5, 2)), np.arange(6.0).reshape(3, 2)
    found = values(text, x=x, i=[[1], [-1], [1]], u=updates)["y"]
    np.testing.assert_array_equal(found, [[0, 0], [4, 5], [0, 0], [0, 0], [2, 3]])


@pytest.mark.parametrize("largest", [True, False])
def test_top_k(largest: bool) -> None:
    x = RNG.integers(0, 4, (2, 7, 3)).astype(float)  # with ties
    keys = f"axis: 1, k: 4, largest: {str(largest).lower()}"
    text = spec(layer("top_k", keys, "[x]"), "v: y.values, i: y.indices", x=OPEN)
    order = np.argsort(-x if largest else x, axis=1, kind="stable")[:, :4]
    found = values(text, x=x)
    np.testing.assert_array_equal(found["i"], order)
    np.testing.assert_array_equal(found["v"], np.take_along_axis(x, order, 1))


@pytest.mark.parametrize("largest", [True, False])
def test_nan_is_larger_than_all_numbers(largest: bool) -> None:
    """It was neither before nor after others, so that positions came out twice, or past the axis."""
    nan, inf = np.nan, np.inf
    x = np.array([[1, nan, inf, 1, nan], [nan] * 5, [-inf, 2, nan, nan, nan]]).T[None]
    keys = f"axis: 1, k: 5, largest: {str(largest).lower()}"
    text = spec(layer("top_k", keys, "[x]"), "v: y.values, i: y.indices", x="[N, 5, 3]")
    first = np.array([[1, 4, 2, 0, 3], [0, 1, 2, 3, 4], [2, 3, 4, 1, 0]])
    last = np.array([[0, 3, 2, 1, 4], [0, 1, 2, 3, 4], [0, 1, 2, 3, 4]])
    order = (first if largest else last).T[None]
    found = values(text, x=x)
    np.testing.assert_array_equal(found["i"], order)
    np.testing.assert_array_equal(found["v"], np.take_along_axis(x, order, 1))


def test_sorting_an_open_axis() -> None:
    text = spec(layer("top_k", "axis: 1, k: T, largest: false", "[x]"), x=OPEN)
    np.testing.assert_array_equal(values(text, x=SEQUENCE)["y"], np.sort(SEQUENCE, 1))
    check_gradients(text, x=SEQUENCE)


def test_one_hot() -> None:
    places = np.array([[0, 3], [-1, 4]])
    expected = np.zeros((2, 2, 4))
    expected[0, 0, 0] = expected[0, 1, 3] = expected[1, 0, 3] = 1
    text = spec(layer("one_hot", "depth: 4, dtype: float64", "[i]"), i="[N, 2] int64")
    np.testing.assert_array_equal(values(text, i=places)["y"], expected)
    keys = "depth: 4, axis: 1, on: 5, off: -1, dtype: int64"
    found = values(spec(layer("one_hot", keys, "[i]"), i="[N, 2] int64"), i=places)["y"]
    np.testing.assert_array_equal(found, np.moveaxis(np.where(expected > 0, 5, -1), -1, 1))
    assert codes(spec(layer("one_hot", "depth: 4", "[i]"), i="[N, 2]")) == ["NW0311"]


@pytest.mark.parametrize(
    ("exclusive", "reverse"), [(False, False), (True, False), (False, True), (True, True)]
)
def test_cumulative_sum(exclusive: bool, reverse: bool) -> None:
    x = SEQUENCE[:, ::-1] if reverse else SEQUENCE
    expected = np.cumsum(x, 1) - (x if exclusive else 0)
    expected = expected[:, ::-1] if reverse else expected
    keys = f"axis: 1, exclusive: {str(exclusive).lower()}, reverse: {str(reverse).lower()}"
    text = spec(layer("cumulative_sum", keys, "[x]"), x=OPEN)
    np.testing.assert_allclose(values(text, x=SEQUENCE)["y"], expected, atol=1e-12)
    check_gradients(text, x=SEQUENCE)
    found = values(
        spec(layer("cumulative_sum", "axis: 2", "[x]"), x="[N, 5, 4] int64"), x=np.ones((2, 5, 4))
    )["y"]
    np.testing.assert_array_equal(found, np.broadcast_to([1, 2, 3, 4], (2, 5, 4)))


def test_reverse() -> None:
    text = spec(layer("reverse", "axis: 1", "[x]"), x=OPEN)
    np.testing.assert_array_equal(values(text, x=SEQUENCE)["y"], SEQUENCE[:, ::-1])
    text = spec(layer("reverse", "axis: 1", "[x, n]"), x=OPEN, n="[N] int64")
    expected = np.concatenate([SEQUENCE[:, :4][:, ::-1], SEQUENCE[:, 4:]], 1)
    expected[1] = SEQUENCE[1]
    np.testing.assert_array_equal(values(text, x=SEQUENCE, n=[4, 0])["y"], expected)
    check_gradients(text, x=SEQUENCE, n=np.array([4, 1]))
    text = spec(layer("reverse", "axis: 2", "[x, n]"), x=SHAPE, n="[N] int64")
    expected = np.stack([np.concatenate([X[0][:, :3][:, ::-1], X[0][:, 3:]], 1), X[1][:, ::-1]])
    np.testing.assert_array_equal(values(text, x=X, n=[3, 4])["y"], expected)


def test_reverse_within_the_lengths_of_an_input() -> None:
    text = """dims: {N: batch, T: time}
inputs: {x: {shape: [N, T, 3], lengths: n, dtype: float64}, n: {shape: [N], dtype: int64}}
layers: [{name: y, type: reverse}]
outputs: {y: y}
"""
    found = values(text, x=SEQUENCE, n=[3, 7])["y"]
    np.testing.assert_array_equal(found[0, :3], SEQUENCE[0, 2::-1])
    np.testing.assert_array_equal(found[1], SEQUENCE[1, ::-1])


def test_what_does_not_fit() -> None:
    assert codes(spec(layer("gather_elements"), x=OPEN, i="[N, 1, 4] int64")) == ["NW0308"]
    assert codes(spec(layer("gather_elements"), x=OPEN, i="[N, 1, 3]")) == ["NW0311"]
    assert codes(spec(layer("gather_nd", "batch_axes: 2"), x=OPEN, i="[N, 1] int64")) == ["NW0308"]
    assert codes(spec(layer("top_k", "k: 9, axis: 1", "[x]"), x=SHAPE)) == ["NW0204"]
    assert codes(spec(layer("reverse", "", "[x, n]"), x=OPEN, n="[N]")) == ["NW0308"]
    update = layer("scatter_elements", inputs="[x, i, u]")
    assert codes(spec(update, x=OPEN, i="[N, 1, 3] int64", u="[N, 3]")) == ["NW0308"]
