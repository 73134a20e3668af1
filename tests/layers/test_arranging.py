"""Layers that pick, move, repeat and pad cells, against NumPy, with known and open sizes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from netwright.compiler.interpreter import evaluate
from netwright.specs.dims import evaluate as evaluate_dim
from netwright.specs.dims import parse_dim

from ..frontend.helpers import codes
from .harness import check_gradients, network, spec, values

X = np.arange(120.0).reshape(2, 5, 4, 3)
SHAPE = "[N, 5, 4, 3]"
OPEN = "[N, T, 3]"
SEQUENCE = np.arange(42.0).reshape(2, 7, 3)


def layer(keys: str, kind: str) -> str:
    return f"[{{name: y, type: {kind}, {keys}}}]"


def test_transpose() -> None:
    found = values(spec(layer("permutation: [0, 3, 1, -2]", "transpose"), x=SHAPE), x=X)["y"]
    np.testing.assert_array_equal(found, X.transpose(0, 3, 1, 2))
    assert codes(spec(layer("permutation: [0, 1]", "transpose"), x=SHAPE)) == ["NW0318"]
    assert codes(spec(layer("permutation: [0, 1, 1, 2]", "transpose"), x=SHAPE)) == ["NW0318"]


@pytest.mark.parametrize(
    ("keys", "index"),
    [
        ("axes: 1, starts: 1, stops: 4", np.s_[:, 1:4]),
        ("axes: [1, -1], starts: [-3, null], stops: [null, -1]", np.s_[:, -3:, :, :-1]),
        ("axes: [1, 2], starts: [4, 3], stops: [null, 0], steps: [-2, -1]", np.s_[:, 4::-2, 3:0:-1]),
        ("axes: 1, starts: -100, stops: 100, steps: 3", np.s_[:, -100:100:3]),
        ("axes: 1, starts: 100, stops: -100, steps: -1", np.s_[:, 100:-100:-1]),
    ],
)
def test_slices_of_known_axes(keys: str, index: Any) -> None:
    np.testing.assert_array_equal(values(spec(layer(keys, "slice"), x=SHAPE), x=X)["y"], X[index])


@pytest.mark.alike(2)
@pytest.mark.parametrize("start", [None, 0, 2, 6, -1, -3, -9])
@pytest.mark.parametrize("stop", [None, 0, 3, 7, 20, -1, -4, -9])
@pytest.mark.parametrize("step", [1, 3, -1, -2])
def test_slices_of_open_axes(start: int | None, stop: int | None, step: int) -> None:
    words = ["null" if one is None else one for one in (start, stop)]
    keys = f"axes: 1, starts: {words[0]}, stops: {words[1]}, steps: {step}"
    net = network(spec(layer(keys, "slice"), x=OPEN))
    for length in (4, 7, 8):
        expected = np.arange(length)[slice(start, stop, step)]
        graph = net.graphs["predict"]
        x = np.arange(length * 3.0).reshape(1, length, 3)
        found = evaluate(graph, {"x": x}, {"N": 1, "T": length})["y"]
        np.testing.assert_array_equal(found, x[:, expected])


def test_a_slice_of_an_open_axis_is_native() -> None:
    for keys, index in [
        ("axes: 1, starts: -3, steps: -2", np.s_[:, -3::-2]),
        ("axes: 1, stops: T - 1", np.s_[:, :-1]),
    ]:
        found = values(spec(layer(keys, "slice"), x=OPEN), x=SEQUENCE)["y"]
        np.testing.assert_array_equal(found, SEQUENCE[index])
    assert (
        str(network(spec(layer("axes: 1, starts: 1", "slice"), x=OPEN)).outputs["y"].type)
        == "float64[N, T - 1, 3]"
    )


@pytest.mark.parametrize("key", ["starts", "stops"])
@pytest.mark.parametrize("text", ["T - 6", "3 - T", "-2*T", "2*(T//2) - T"])
def test_a_position_may_be_negative_for_some_sizes(key: str, text: str) -> None:
    """One that falls as sizes grow counts from the end; one that grows is the first cell until it is there."""
    written = spec(layer(f'axes: 1, {key}: "{text}"', "slice"), x=OPEN).replace("min: 4", "min: 1")
    for length in (1, 3, 8):
        position = evaluate_dim(parse_dim(text), {"T": length})
        position = max(position, 0) if text[0] == "T" else position
        x = np.arange(length * 3.0).reshape(1, length, 3)
        index = slice(position, None) if key == "starts" else slice(position)
        np.testing.assert_array_equal(values(written, x=x)["y"], x[:, index])


def test_a_slice_of_a_slice_may_have_nothing() -> None:
    every = "type: slice, axes: [1], starts: [1], stops: [-1], steps: [2]"
    layers = f"[{{name: a, {every}}}, {{name: b, {every}}}, {{name: y, {every}}}]"
    assert codes(spec(layers, x="[2, 9]")) == ["NW0313"]
    open_axis = spec(layers, x="[2, T]")
    assert values(open_axis, x=np.arange(18.0).reshape(2, 9))["y"].shape == (2, 0)
    assert values(open_axis, x=np.arange(40.0).reshape(2, 20))["y"].shape == (2, 1)


def test_a_slice_of_a_long_axis_takes_no_memory_to_check() -> None:
    net = network(spec(layer("axes: 1, starts: -1, steps: -3", "slice"), x="[2, 2000000000]"))
    assert str(net.outputs["y"].type) == "float64[2, 666666667]"


@pytest.mark.parametrize(
    ("keys", "shape"),
    [
        ("axes: 1, starts: 4", "[N, 4, 3]"),
        ("axes: 1, starts: -9, stops: -8", "[N, 4, 3]"),
        ("axes: 1, stops: 9, steps: -1", "[N, 4, 3]"),
        ("axes: [1, 2], starts: [0, 2], stops: [3, 1]", "[N, 4, 3]"),
        ("axes: 1, starts: 3, stops: 3", SHAPE),
    ],
)
def test_a_slice_of_which_nothing_remains(keys: str, shape: str) -> None:
    assert codes(spec(layer(keys, "slice"), x=shape)) == ["NW0313"]


def test_split() -> None:
    text = spec(
        "[{name: s, type: split, axis: 1, sizes: [2, 3]}, {name: y, type: reshape, inputs: [s.1], shape: [N, 36]}]",
        x=SHAPE,
    )
    np.testing.assert_array_equal(values(text, x=X)["y"], X[:, 2:].reshape(2, 36))
    first = spec("[{name: s, type: split, parts: 2, axis: 1}, {name: y, type: relu}]", x=SHAPE)
    np.testing.assert_array_equal(values(first, x=X)["y"], X[:, :3])
    beyond = "[{name: s, type: split, parts: 2}, {name: y, type: relu, inputs: [s.2]}]"
    assert codes(spec(beyond, x=SHAPE)) == ["NW0305"]
    assert codes(spec(layer("sizes: [2, 2]", "split"), x=SHAPE)) == ["NW0308"]
    assert codes(spec(layer("parts: 2, axis: 1", "split"), x=OPEN)) == ["NW0308"]
    assert codes(spec(layer("axis: 1", "split"), x=OPEN)) == ["NW0212"]


@pytest.mark.parametrize("mode", ["constant", "reflect", "symmetric", "edge", "wrap"])
def test_padding(mode: str) -> None:
    keys = f"mode: {mode}, padding: [[0, 0], [2, 1], [0, 3], [0, 0]]"
    expected = np.pad(X, [(0, 0), (2, 1), (0, 3), (0, 0)], mode=mode)  # type: ignore[call-overload]
    np.testing.assert_array_equal(values(spec(layer(keys, "pad"), x=SHAPE), x=X)["y"], expected)
    keys = f"mode: {mode}, padding: [[2, 3]], axes: 1"
    expected = np.pad(SEQUENCE, [(0, 0), (2, 3), (0, 0)], mode=mode)  # type: ignore[call-overload]
    np.testing.assert_array_equal(values(spec(layer(keys, "pad"), x=OPEN), x=SEQUENCE)["y"], expected)
    check_gradients(spec(layer(keys, "pad"), x="[1, 4, 2]"), x=np.arange(8.0).reshape(1, 4, 2))


def test_padding_that_crops_or_fills() -> None:
    found = values(spec(layer("padding: [[1, -2]], axes: [1], value: 1.5", "pad"), x=OPEN), x=SEQUENCE)["y"]
    np.testing.assert_array_equal(
        found, np.pad(SEQUENCE, [(0, 0), (1, 0), (0, 0)], constant_values=1.5)[:, :-2]
    )
    wide = values(
        spec(layer("padding: [[7, 9]], axes: [0], mode: reflect", "pad"), x="[4]"), x=np.arange(4.0)
    )
    np.testing.assert_array_equal(wide["y"], np.pad(np.arange(4.0), (7, 9), mode="reflect"))
    whole = values(spec(layer("padding: [[1, 1]], value: 7", "pad"), x="[2] int64"), x=[1, 2])["y"]
    assert whole.tolist() == [7, 1, 2, 7]
    assert codes(spec(layer("padding: [[1, 1]], value: 0.5", "pad"), x="[2] int64")) == ["NW0311"]
    assert codes(spec(layer("padding: [[1, 1]]", "pad"), x=SHAPE)) == ["NW0309"]
    assert codes(spec(layer("padding: [[9, 9]], axes: 1, mode: reflect", "pad"), x=OPEN)) == ["NW0304"]
    assert codes(spec(layer("padding: [[0, -4]], axes: 1", "pad"), x=OPEN)) == ["NW0313"]


def test_tile_and_broadcast() -> None:
    found = values(spec(layer("repeats: [1, 2, 1, 3]", "tile"), x=SHAPE), x=X)["y"]
    np.testing.assert_array_equal(found, np.tile(X, (1, 2, 1, 3)))
    found = values(spec(layer("repeats: [1, 2, 1]", "tile"), x=OPEN), x=SEQUENCE)["y"]
    np.testing.assert_array_equal(found, np.tile(SEQUENCE, (1, 2, 1)))
    x = np.arange(6.0).reshape(2, 1, 3)
    found = values(spec(layer("shape: [2, 1, 4, 1]", "broadcast_to"), x="[N, 1, 3]"), x=x)["y"]
    np.testing.assert_array_equal(found, np.broadcast_to(x, (2, 2, 4, 3)))
    assert codes(spec(layer("shape: [4, 2]", "broadcast_to"), x="[4, 3]")) == ["NW0308"]
    assert codes(spec(layer("repeats: [4, 2]", "tile"), x="[4]")) == ["NW0309"]


def test_gather() -> None:
    for keys, indices in [
        ("axis: 1, indices: [[0, -1], [2, 2]]", [[0, -1], [2, 2]]),
        ("axis: 1, indices: 3", 3),
    ]:
        found = values(spec(layer(keys, "gather"), x=SHAPE), x=X)["y"]
        np.testing.assert_array_equal(found, np.take(X, indices, 1))
    text = spec(layer("axis: 2, inputs: [x, k]", "gather"), x=SHAPE, k="[2, 2] int64")
    indices = np.array([[0, -1], [3, -4]])
    np.testing.assert_array_equal(values(text, x=X, k=indices)["y"], np.take(X, indices, 2))
    text = spec(layer("axis: 1, inputs: [x, k]", "gather"), x="[2, 3]", k="[2] int64")
    check_gradients(text, x=X[0, :2, 0], k=[2, 2])
    order = np.random.default_rng(0).permutation(30)
    text = spec(layer(f"axis: 0, indices: {order.tolist()}", "gather"), x="[30]")
    np.testing.assert_array_equal(values(text, x=np.arange(30.0))["y"], order.astype(float))
    found = values(spec(layer("axis: 1, indices: [0, -1]", "gather"), x=OPEN), x=SEQUENCE)["y"]
    np.testing.assert_array_equal(found, SEQUENCE[:, [0, -1]])
    assert codes(spec(layer("axis: 1, indices: [5]", "gather"), x=SHAPE)) == ["NW0204"]
    assert codes(spec(layer("axis: 1, indices: [4]", "gather"), x=OPEN)) == ["NW0204"]
    assert codes(spec(layer("axis: 1", "gather"), x=OPEN)) == ["NW0306"]
    assert codes(spec(layer("axis: 1, inputs: [x, k]", "gather"), x=OPEN, k="[2]")) == ["NW0311"]
    assert codes(spec(layer("axis: 1, indices: [[1], 2]", "gather"), x=OPEN)) == ["NW0203"]


def test_constants() -> None:
    layers = """
  - {name: c, type: constant, value: [[1, 2, 3]]}
  - {name: k, type: constant, value: 2, shape: [N, 3]}
  - {name: w, type: constant, shape: [3], trainable: true}
  - {name: i, type: constant, shape: [2], dtype: int64}
  - {name: y, type: expression, inputs: [x, c, k, w], value: x * c + k * w}
  - {name: z, type: expression, inputs: [i], value: i * 2}
"""
    text = spec(layers, x="[N, 3]").replace("{y: y}", "{y: y, z: z}")
    x = np.arange(6.0).reshape(2, 3)
    net = network(text)
    assert {name: (one.kind, one.type.dtype) for name, one in net.parameters.items()} == {
        "w.value": ("parameter", "float64"),
        "i.value": ("statistic", "int64"),
    }
    large = 2**60 + 1
    found = values(text, {"w.value": [1, 2, 4], "i.value": [3, large]}, x=x)
    np.testing.assert_array_equal(found["y"], x * [1, 2, 3] + 2.0 * np.array([1, 2, 4]))
    assert found["z"].tolist() == [6, 2 * large]
    for keys, code in [
        ("trainable: false", "NW0212"),
        ("value: 0.5, dtype: int64", "NW0311"),
        ("shape: [N]", "NW0314"),
        ("value: [1, 2], shape: [3]", "NW0308"),
    ]:
        assert code in codes(spec(layer(keys, "constant"), x="[N]"))


@pytest.mark.parametrize("mode", ["dcr", "crd"])
def test_depth_to_space(mode: str) -> None:
    x = np.arange(2 * 3 * 2 * 8.0).reshape(2, 3, 2, 8)
    n, h, w, _ = x.shape
    if mode == "dcr":
        expected = x.reshape(n, h, w, 2, 2, 2).transpose(0, 1, 3, 2, 4, 5)
    else:
        expected = x.reshape(n, h, w, 2, 2, 2).transpose(0, 1, 4, 2, 5, 3)
    text = spec(layer(f"block_size: 2, mode: {mode}", "depth_to_space"), x="[N, 3, 2, 8]")
    found = values(text, x=x)["y"]
    np.testing.assert_array_equal(found, expected.reshape(n, 2 * h, 2 * w, 2))
    if mode == "dcr":
        back = values(spec(layer("block_size: 2", "space_to_depth"), x="[N, 6, 4, 2]"), x=found)["y"]
        np.testing.assert_array_equal(back, x)


@pytest.mark.parametrize("mode", ["dcr", "crd"])
def test_blocks_of_four_axes(mode: str) -> None:
    """Some axes after the others: no shape on the way has more axes than a spec can write, as an import has to."""
    x = np.arange(2 * 2 * 3 * 1 * 2 * 48.0).reshape(2, 2, 3, 1, 2, 48)
    n, *sizes, _ = x.shape
    channels = (2, 2, 2, 2, 3) if mode == "dcr" else (3, 2, 2, 2, 2)
    first = 5 if mode == "dcr" else 6
    order = [axis for i in range(4) for axis in (1 + i, first + i)]
    expected = x.reshape(n, *sizes, *channels).transpose(0, *order, 9 if mode == "dcr" else 5)
    text = spec(layer(f"block_size: 2, mode: {mode}", "depth_to_space"), x="[N, 2, 3, 1, 2, 48]")
    found = values(text, x=x)["y"]
    np.testing.assert_array_equal(found, expected.reshape(n, 4, 6, 2, 4, 3))
    graph = network(text).graphs["predict"]
    assert max(one.rank for node in graph for one in node.types) <= 8
    if mode == "dcr":
        text = spec(layer("block_size: 2", "space_to_depth"), x="[N, 4, 6, 2, 4, 3]")
        np.testing.assert_array_equal(values(text, x=found)["y"], x)


def test_depth_and_space_in_time() -> None:
    x = np.arange(2 * 5 * 6.0).reshape(2, 5, 6)
    text = spec(layer("block_size: 3", "depth_to_space"), x="[N, T, 6]")
    assert str(network(text).outputs["y"].type) == "float64[N, 3*T, 2]"
    np.testing.assert_array_equal(values(text, x=x)["y"], x.reshape(2, 15, 2))
    assert codes(spec(layer("block_size: 4", "depth_to_space"), x="[N, T, 6]")) == ["NW0308"]
    assert codes(spec(layer("block_size: 2", "space_to_depth"), x="[N, T, 6]")) == ["NW0308"]


def test_lengths_stay_where_steps_do() -> None:
    head = """
dims: {N: batch, T: {role: time, min: 4}}
inputs: {n: {shape: [N], dtype: int64}, x: {shape: [N, T, 4], lengths: n}}
layers:
  - {name: a, inputs: [x], %s}
  - {name: y, type: rnn, units: 2, return_sequences: false}
outputs: {y: y}
"""
    for keys in (
        "type: slice, axes: 2, stops: 2",
        "type: pad, axes: 2, padding: [[1, 1]]",
        "type: split, parts: 2",
    ):
        assert codes(head % keys) == []
    for keys in ("type: slice, axes: 1, starts: 2", "type: pad, axes: 1, padding: [[1, 1]]"):
        assert codes(head % keys) == ["NW0315"]


def test_lengths_follow_samples() -> None:
    """Samples joined bring their lengths, those without have all steps; a sample for all brings its own to each."""
    text = """
dims: {N: batch, T: time}
inputs:
  n: {shape: [1], dtype: int64}
  x: {shape: [1, T, 2], lengths: n}
  u: {shape: [N, T, 2]}
  w: {shape: [2, T, 2]}
  f: {shape: [N, 2, 2]}
layers:
  - {name: joined, type: concat, inputs: [x, w, x], axis: 0}
  - {name: a, type: global_mean_pool}
  - {name: product, type: multiply, inputs: [x, u]}
  - {name: b, type: global_mean_pool}
  - {name: turned, type: matmul, inputs: [x, f]}
  - {name: c, type: global_mean_pool}
outputs: {a: a, b: b, c: c}
"""
    x, w = np.arange(8.0).reshape(1, 4, 2), 10 + np.arange(16.0).reshape(2, 4, 2)
    u, f = np.full((3, 4, 2), 3.0), np.stack([np.eye(2) * factor for factor in (1, 2, 3)])
    found = values(text, x=x, w=w, u=u, f=f, n=np.array([2]))
    short, whole = x[:, :2].mean(1), w.mean(1)
    np.testing.assert_allclose(found["a"], np.concatenate([short, whole, short]))
    np.testing.assert_allclose(found["b"], np.repeat(3 * short, 3, axis=0))
    np.testing.assert_allclose(found["c"], [[1], [2], [3]] * short)
