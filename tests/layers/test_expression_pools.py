"""Pools by an equation against the equation on every window's cells, in NumPy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from ..frontend.helpers import codes, network
from .harness import check_gradients, spec, values
from .test_pools import GEOMETRY, windows

RNG = np.random.default_rng(4)
X = RNG.normal(size=(2, 7, 6, 3))


def weighted(x: np.ndarray) -> np.ndarray:
    """x, weighted by its softmax over the cells."""
    shares = np.exp(x) / np.exp(x).sum(1, keepdims=True)
    return (x * shares).sum(1)


EQUATIONS: list[tuple[str, Callable[[np.ndarray], np.ndarray]]] = [
    ("sqrt(mean(x * x))", lambda x: np.sqrt((x**2).mean(1))),
    ("max(x) - min(x)", lambda x: x.max(1) - x.min(1)),
    ("sum(x * softmax(x))", weighted),
    ("sqrt(mean((x - mean(x)) ** 2))", lambda x: x.std(1)),
    ("log(sum(exp(x)))", lambda x: np.log(np.exp(x).sum(1))),
    ("sum(where(x > 0, 1, 0)) / cast(size(x), float64)", lambda x: (x > 0).mean(1)),
    ("1 / mean(1 / (x * x + 1))", lambda x: 1 / (1 / (x * x + 1)).mean(1)),
]


@pytest.mark.alike(2)
@pytest.mark.parametrize(("size", "stride", "dilation", "padding"), GEOMETRY)
def test_by_the_definition(size: int, stride: int, dilation: int, padding: int) -> None:
    """All equations and both roundings in one network."""
    layers, expected = [], {}
    for rounding in ("ceil", "floor"):
        (cells, (counts,)) = windows(X, size, stride, dilation, padding, rounding == "ceil")
        for number, (equation, function) in enumerate(EQUATIONS):
            name = f"{rounding}{number}"
            expected[name] = np.stack([function(window) for window, _ in cells], 1).reshape(2, *counts, 3)
            layers.append(
                f"{{name: {name}, type: pool2d, inputs: [x], pool_size: {size}, stride: {stride}, "
                f"dilation: {dilation}, rounding: {rounding}, expression: '{equation}', "
                f"padding: [[{padding}, {padding}], [{padding}, {padding}]]}}"
            )
    outputs = ", ".join(f"{name}: {name}" for name in expected)
    found = values(spec(f"[{', '.join(layers)}]", outputs, x="[N, 7, 6, 3]"), x=X)
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, rtol=1e-9, atol=1e-12, err_msg=name)


def test_open_lengths() -> None:
    x = RNG.normal(size=(2, 9, 3))
    text = spec("[{name: y, type: pool1d, pool_size: 4, expression: mean(abs(x))}]", x="[N, T, 3]")
    expected = np.stack([np.abs(x[:, i : i + 4]).mean(1) for i in (0, 4, 8)], 1)
    np.testing.assert_allclose(values(text, x=x)["y"], expected, rtol=1e-12)
    causal = "pool_size: 3, stride: 1, padding: causal, expression: max(x) - min(x)"
    text = spec(f"[{{name: y, type: pool1d, {causal}}}]", x="[N, T, 3]")
    expected = np.stack([np.ptp(x[:, max(0, t - 2) : t + 1], axis=1) for t in range(9)], 1)
    np.testing.assert_allclose(values(text, x=x)["y"], expected, rtol=1e-12)


def test_places_and_counts() -> None:
    x = RNG.normal(size=(1, 5, 1))
    keys = "pool_size: 3, expression: 'sum(x * cast(index(x), float64)) + cast(size(x), float64)'"
    text = spec(f"[{{name: y, type: pool1d, {keys}}}]", x="[1, 5, 1]")
    expected = [x[0, 1, 0] + 2 * x[0, 2, 0] + 3, x[0, 4, 0] + 2]
    np.testing.assert_allclose(values(text, x=x)["y"][0, :, 0], expected)


@pytest.mark.parametrize(
    "equation", ["log(sum(exp(x)))", "sum(x * softmax(x))", "sqrt(mean(x * x))", "max(x)"]
)
def test_gradients(equation: str) -> None:
    keys = f"pool_size: [2, 3], padding: [[0, 1], [1, 0]], expression: {equation}"
    check_gradients(spec(f"[{{name: y, type: pool2d, {keys}}}]", x="[1, 3, 4, 2]"), x=X[:1, :3, :4, :2])


def test_padding_spoils_no_gradient() -> None:
    """The logarithm of a padded zero is infinite, and nobody hears of it."""
    keys = "pool_size: 2, padding: [[1, 0]], expression: mean(log(x)) / mean(x)"
    check_gradients(
        spec(f"[{{name: y, type: pool1d, {keys}}}]", x="[1, 4, 1]"), x=np.arange(1, 5.0).reshape(1, 4, 1)
    )


@pytest.mark.parametrize(
    ("equation", "code"),
    [
        ("x * 2", "NW0511"),
        ("mean(mean(x))", "NW0511"),
        ("max(x) > 0", "NW0511"),
        ("sum(x > 0)", "NW0511"),
        ("mean(y)", "NW0503"),
        ("mean(x, axis=1)", "NW0505"),
        ("x @ x", "NW0505"),
        ("max(concat(x, x))", "NW0505"),
        ("prev(x)", "NW0508"),
        ("mean(x", "NW0501"),
    ],
)
def test_what_is_wrong(equation: str, code: str) -> None:
    text = spec(f"[{{name: y, type: pool1d, pool_size: 2, expression: '{equation}'}}]", x="[N, 8, 3]")
    assert codes(text) == [code]


def test_a_pool_of_one_cell_is_its_equation() -> None:
    text = spec("[{name: y, type: pool1d, pool_size: 1, expression: x * 2}]", x="[N, 4, 3]")
    assert str(network(text).outputs["y"].type) == "float64[N, 4, 3]"
