"""Pools with dilation, positions, counted padding and p-norms: NumPy by hand, and PyTorch's numbers."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from ..frontend.helpers import codes
from .harness import check_gradients, network, spec, values

RNG = np.random.default_rng(8)
X = RNG.permutation(2 * 7 * 6 * 3).reshape(2, 7, 6, 3).astype(float)


def windows(
    x: np.ndarray, size: int, stride: int, dilation: int, low: int, ceil: bool
) -> list[list[np.ndarray]]:
    """For each window over the two spatial axes, the cells of the input it holds."""
    found = []
    counts = []
    for length in x.shape[1:3]:
        room = length + 2 * low - (size - 1) * dilation - 1
        count = min(-(-room // stride) + 1, -(-(length + low) // stride)) if ceil else room // stride + 1
        counts.append(count)
    for i, j in product(*map(range, counts)):
        rows = [i * stride - low + k * dilation for k in range(size)]
        columns = [j * stride - low + k * dilation for k in range(size)]
        cells = [(r, c) for r in rows for c in columns if 0 <= r < x.shape[1] and 0 <= c < x.shape[2]]
        found.append((np.stack([x[:, r, c] for r, c in cells], 1), [r * x.shape[2] + c for r, c in cells]))
    return [[*found], [counts]]  # type: ignore[list-item]


INDICES = "{name: y, type: expression, inputs: {i: m.indices}, value: i}"
GEOMETRY = [(2, 2, 1, 0), (3, 2, 1, 1), (2, 1, 2, 0), (3, 2, 2, 1), (2, 3, 3, 1)]


@pytest.mark.alike(2)
@pytest.mark.parametrize(("size", "stride", "dilation", "padding"), GEOMETRY)
@pytest.mark.parametrize("rounding", ["ceil", "floor"])
@pytest.mark.parametrize("kind", ["max", "mean", "lp"])
def test_pools_by_their_definition(
    size: int, stride: int, dilation: int, padding: int, rounding: str, kind: str
) -> None:
    (cells, (counts,)) = windows(X, size, stride, dilation, padding, rounding == "ceil")
    function = {
        "max": lambda x: x.max(1),
        "mean": lambda x: x.mean(1),
        "lp": lambda x: (np.abs(x) ** 3).sum(1) ** (1 / 3),
    }[kind]
    expected = np.stack([function(one) for one, _ in cells], 1).reshape(2, *counts, 3)
    keys = (
        f"pool_size: {size}, stride: {stride}, dilation: {dilation}, rounding: {rounding}, "
        f"padding: [[{padding}, {padding}], [{padding}, {padding}]]{', p: 3' if kind == 'lp' else ''}"
    )
    text = spec(f"[{{name: y, type: {kind}_pool2d, {keys}}}]", x="[N, 7, 6, 3]")
    np.testing.assert_allclose(values(text, x=X)["y"], expected, rtol=1e-10)
    if kind == "max":
        where = f"[{{name: m, type: max_pool2d, {keys}}}, {INDICES}]"
        positions = np.stack([np.array(at)[one.argmax(1)] for one, at in cells], 1).reshape(2, *counts, 3)
        np.testing.assert_array_equal(values(spec(where, x="[N, 7, 6, 3]"), x=X)["y"], positions)


@pytest.mark.parametrize("kind", ["max", "mean", "lp"])
@pytest.mark.parametrize("dilation", [1, 2])
def test_open_lengths(kind: str, dilation: int) -> None:
    keys = f"pool_size: 3, stride: 2, dilation: {dilation}, padding: [[1, 1]], rounding: floor"
    if kind == "mean":
        keys += ", count_include_pad: false"
    x = X[:, :, 0]
    for name, text in (("N, 7, 3", "known"), ("N, T, 3", "open")):
        layer = f"[{{name: y, type: {kind}_pool1d, {keys}}}]"
        declared = spec(layer, x=f"[{name}]").replace("min: 4", "min: 5")
        found = values(declared, x=x)["y"]
        if text == "known":
            expected = found
    np.testing.assert_allclose(found, expected)


def test_the_first_of_equal_maxima() -> None:
    x = np.array([1.0, 1, 0, 1, 1, 1]).reshape(1, 2, 3, 1)
    for keys in ("pool_size: [2, 3]", "pool_size: 2, dilation: [1, 2], stride: 1"):
        layers = f"[{{name: m, type: max_pool2d, {keys}}}, {INDICES}]"
        assert values(spec(layers, x="[N, 2, 3, 1]"), x=x)["y"].item() == 0


def test_padding_that_counts() -> None:
    x = np.ones((1, 5, 1))
    for rounding, expected in [("floor", [2 / 3, 1]), ("ceil", [2 / 3, 1, 2 / 3])]:
        keys = f"pool_size: 3, stride: 2, padding: [[1, 1]], count_include_pad: true, rounding: {rounding}"
        if rounding == "floor":
            keys = keys.replace("[1, 1]", "[1, 0]")
        for shape in ("[N, 5, 1]", "[N, T, 1]"):
            found = values(spec(f"[{{name: y, type: mean_pool1d, {keys}}}]", x=shape), x=x)["y"]
            np.testing.assert_allclose(found[0, :, 0], expected)


def test_global_norms() -> None:
    text = spec("[{name: y, type: global_lp_pool}]", x="[N, 7, 6, 3]")
    np.testing.assert_allclose(values(text, x=X)["y"], np.sqrt((X**2).sum((1, 2))))
    text = spec("[{name: y, type: global_lp_pool, p: 1}]", x="[N, T, 3]")
    np.testing.assert_allclose(values(text, x=X[:, :, 0])["y"], X[:, :, 0].sum(1))


def test_gradients() -> None:
    x = X[:1, :4, :4, :1] / 10
    for keys in (
        "max_pool2d, pool_size: 2, stride: 1, dilation: 2",
        "mean_pool2d, pool_size: 3, stride: 2, padding: [[1, 1], [1, 0]], count_include_pad: true",
        "lp_pool2d, pool_size: 2",
        "global_lp_pool, p: 3",
    ):
        check_gradients(spec(f"[{{name: y, type: {keys}}}]", x="[1, 4, 4, 1]"), x=x, tolerance=1e-5)


def test_ports() -> None:
    layers = f"[{{name: m, type: mean_pool1d, pool_size: 2}}, {INDICES}]"
    assert codes(spec(layers, x="[N, 4, 1]")) == ["NW0305"]
    net = network(
        spec("[{name: y, type: max_pool1d, pool_size: 2, dilation: 2, rounding: floor}]", x="[N, T, 1]")
    )
    assert str(net.outputs["y"].type) == "float64[N, (T + 1)//2 - 1, 1]"


@pytest.mark.torch
@pytest.mark.parametrize(("size", "stride", "dilation", "padding"), GEOMETRY)
@pytest.mark.parametrize("ceil", [False, True])
def test_numbers_are_those_of_pytorch(
    size: int, stride: int, dilation: int, padding: int, ceil: bool
) -> None:
    import torch

    x = torch.tensor(X).movedim(-1, 1)
    rounding = "ceil" if ceil else "floor"
    pair = f"[{padding}, {padding}]"
    keys = f"pool_size: {size}, stride: {stride}, rounding: {rounding}, padding: [{pair}, {pair}]"
    y, at = torch.nn.functional.max_pool2d(x, size, stride, padding, dilation, ceil, return_indices=True)
    layers = f"[{{name: m, type: max_pool2d, {keys}, dilation: {dilation}}}, {INDICES}]"
    text = spec(layers, x="[N, 7, 6, 3]").replace("{y: y}", "{y: y, m: m}")
    found = values(text, x=X)
    np.testing.assert_array_equal(found["m"], y.movedim(1, -1).numpy())
    np.testing.assert_array_equal(found["y"], at.movedim(1, -1).numpy())
    if dilation == 1:
        expected = torch.nn.functional.avg_pool2d(x, size, stride, padding, ceil, count_include_pad=True)
        text = spec(f"[{{name: y, type: mean_pool2d, {keys}, count_include_pad: true}}]", x="[N, 7, 6, 3]")
        np.testing.assert_allclose(values(text, x=X)["y"], expected.movedim(1, -1).numpy())


@pytest.mark.parametrize("kind", ["global_max_pool", "global_mean_pool", "global_lp_pool"])
def test_a_global_pool_that_keeps_its_axes(kind: str) -> None:
    layers = f"{{name: z, type: {kind}}}, {{name: y, type: {kind}, inputs: [x], keepdims: true}}"
    text = spec(f"[{layers}]", output="y: y, z: z", x="[N, 7, 6, 3]")
    found = values(text, x=X)
    np.testing.assert_array_equal(found["y"], found["z"][:, None, None])
    check_gradients(
        spec(f"[{{name: y, type: {kind}, keepdims: true}}]", x="[N, 2, 3, 2]"), x=X[:, :2, :3, :2]
    )


@pytest.mark.parametrize("gate", ["[N, 1, 1, 3]", "[N, 7, 6, 1]", "[1, 7, 1, 3]", "[N, 7, 6, 3]"])
def test_factors_are_stretched_along_axes_of_size_1(gate: str) -> None:
    shape = [2 if size == "N" else int(size) for size in gate.strip("[]").split(", ")]
    z = RNG.normal(size=shape)
    for inputs in ("[x, z]", "[z, x]", "[z, x, z]"):
        text = spec(f"[{{name: y, type: multiply, inputs: {inputs}}}]", x="[N, 7, 6, 3]", z=gate)
        expected = X * z * (z if inputs.count("z") > 1 else 1)
        np.testing.assert_allclose(values(text, x=X, z=z)["y"], expected, rtol=1e-12)


def test_what_multiply_refuses() -> None:
    def found(layers: str, **inputs: str) -> list[str]:
        return codes(spec(layers, **inputs))

    product = "[{name: y, type: multiply, inputs: [a, b]}]"
    assert found(product, a="[N, 4, 4, 3]", b="[N, 2, 1, 3]") == ["NW0308"]
    assert found(product, a="[N, 4, 4, 3]", b="[N, 3]") == ["NW0308"]
    three = "[{name: y, type: multiply, inputs: [a, b, c]}]"
    assert found(three, a="[N, 1, 4]", b="[N, 2, 4]", c="[N, 3, 4]") == ["NW0308"]
    total = "[{name: y, type: add, inputs: [a, b]}]"
    assert found(total, a="[N, 4, 4, 3]", b="[N, 1, 1, 3]") == ["NW0308"]
