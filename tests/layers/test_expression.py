"""Expression layers: every function against NumPy, shapes, dtypes, learned parameters, what is refused."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ..frontend.helpers import codes
from .harness import check_gradients, drawn_weights, network, spec, values

X = np.concatenate([np.linspace(-6, 6, 37), [0.0, 0.5, -0.5, 1.5, 2.5, 1e-9, -30.0, 30.0]])
UNIT = np.linspace(-1, 1, 21)
BEYOND = np.concatenate([np.linspace(1, 9, 17), [1 + 1e-9, 1e5]])


def layer(value: str, inputs: str = "") -> str:
    written = f", inputs: {inputs}" if inputs else ""
    return f"[{{name: y, type: expression{written}, value: '{value}'}}]"


@pytest.mark.parametrize(
    ("text", "function", "x"),
    [
        ("exp(x)", np.exp, X),
        ("log(abs(x) + 1)", lambda x: np.log(np.abs(x) + 1), X),
        ("sqrt(abs(x))", lambda x: np.sqrt(np.abs(x)), X),
        ("erf(x)", np.vectorize(math.erf), X),
        ("sin(x)", np.sin, X),
        ("cos(x)", np.cos, X),
        ("tan(x)", np.tan, X),
        ("asin(x)", np.arcsin, UNIT),
        ("acos(x)", np.arccos, UNIT),
        ("atan(x)", np.arctan, X),
        ("sinh(x)", np.sinh, X),
        ("cosh(x)", np.cosh, X),
        ("asinh(x)", np.arcsinh, X),
        ("acosh(x)", np.arccosh, BEYOND),
        ("atanh(x)", np.arctanh, UNIT[1:-1]),
        ("reciprocal(x + 0.1)", lambda x: 1 / (x + 0.1), X),
        ("sign(x)", np.sign, X),
        ("floor(x)", np.floor, X),
        ("ceil(x)", np.ceil, X),
        ("trunc(x)", np.trunc, X),
        ("round(x)", np.rint, X),
        ("clip(x, -1, 2.5)", lambda x: np.clip(x, -1, 2.5), X),
        ("maximum(x, 0, 1 - x)", lambda x: np.maximum(np.maximum(x, 0), 1 - x), X),
        ("minimum(x, x * x)", lambda x: np.minimum(x, x * x), X),
        ("where(x > 0, x, x / 2)", lambda x: np.where(x > 0, x, x / 2), X),
        ("abs(x) ** 0.3", lambda x: np.abs(x) ** 0.3, X),
        ("x ** 3 - x ** -2", lambda x: x**3 - x**-2.0, X[np.abs(X) > 0.1]),
        ("pow(x, 11)", lambda x: x**11.0, X[np.abs(X) < 10]),
        ("2 ** x", lambda x: 2**x, X),
        ("x // 0.7", lambda x: x // 0.7, X),
        ("mod(x, 0.7)", lambda x: x - 0.7 * np.floor(x / 0.7), X),
        ("fmod(x, 0.7)", lambda x: x - 0.7 * np.trunc(x / 0.7), X),
        ("cast(isnan(x / x), float64)", lambda x: (x == 0) * 1.0, X),
        ("cast(isinf(1 / x), float64)", lambda x: (x == 0) * 1.0, X),
        ("cast(cast(x, int64), float64)", np.trunc, X),
        ("x + index(x, axis=0) * 0 + pi", None, X),
        ("where(abs(x) < inf, x, nan)", lambda x: x, X),
    ],
)
def test_functions(text: str, function: Callable[[Any], Any] | None, x: np.ndarray) -> None:
    if function is None:
        assert codes(spec(layer(text), x=f"[{len(x)}]")) == ["NW0511"]  # int64 and float64
        return
    with np.errstate(divide="ignore", invalid="ignore"):
        found = values(spec(layer(text), x=f"[{len(x)}]"), x=x)["y"]
        np.testing.assert_allclose(found, function(x), rtol=1e-11, atol=1e-12)


def test_float32_functions_keep_their_digits() -> None:
    for name, function in [("atan", np.arctan), ("asinh", np.arcsinh), ("sinh", np.sinh)]:
        found = values(spec(layer(f"{name}(x)"), x=f"[{len(X)}] float32"), x=X)["y"]
        np.testing.assert_allclose(found, function(X.astype(np.float32)), rtol=2e-6, err_msg=name)


def test_powers_of_tensors() -> None:
    x = np.array([-8.0, -2, -0.5, 0, 0, 0, 0.5, 1, 2, 3, -1, 0])
    y = np.array([3.0, 0.5, -3, 0, 2, -1, 4, np.inf, -2.5, 6, 0, 0.5])
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = x**y
    found = values(spec(layer("x ** k", "[x, k]"), x="[12]", k="[12]"), x=x, k=y)["y"]
    np.testing.assert_allclose(found, expected, rtol=1e-13)
    check_gradients(spec(layer("x ** k", "[x, k]"), x="[3]", k="[3]"), x=[0.5, 2, 3], k=[1.5, -2, 0.3])
    whole = values(
        spec(layer("a ** b", "[a, b]"), a="[4] int64", b="[4] int32"), a=[3, -2, 7, 0], b=[6, 5, 1, 0]
    )
    assert whole["y"].dtype == np.int64
    assert whole["y"].tolist() == [729, -32, 7, 1]
    mixed = values(spec(layer("a ** b", "[a, b]"), a="[3] float32", b="[3] int64"), a=[1, 2, 3], b=[4, 5, 6])
    assert mixed["y"].tolist() == pytest.approx([1, 32, 729], rel=1e-6)


def test_shapes_broadcast_as_in_numpy() -> None:
    a, b, c = np.ones((2, 1, 3)), np.arange(4.0)[:, None], np.arange(3.0)
    text = spec(layer("a + b * c", "[a, b, c]"), a="[N, 1, 3]", b="[4, 1]", c="[3]")
    assert str(network(text).outputs["y"].type) == "float64[N, 4, 3]"
    np.testing.assert_array_equal(values(text, a=a, b=b, c=c)["y"], a + b * c)
    open_length = spec(layer("a * b - b", "[a, b]"), a="[N, T, 2]", b="[T, 1]")
    a, b = np.ones((3, 5, 2)), np.arange(5.0)[:, None]
    np.testing.assert_array_equal(values(open_length, a=a, b=b)["y"], a * b - b)
    assert codes(spec(layer("a + b", "[a, b]"), a="[N, 4]", b="[3]")) == ["NW0511"]


def test_reductions_and_sizes() -> None:
    x = np.arange(12.0).reshape(2, 3, 2)
    text = spec(layer("(x - mean(x)) / cast(size(x, axis=0) * size(x), float64) + max(x)"), x="[N, 3, 2]")
    np.testing.assert_allclose(values(text, x=x)["y"], (x - x.mean()) / (2 * 12) + x.max())
    text = spec(layer("cast(index(x, axis=1), float64) * x"), x="[N, T, 2]")
    x = np.ones((2, 4, 2))
    np.testing.assert_array_equal(values(text, x=x)["y"], np.arange(4.0)[:, None] * x)


def test_integers_and_truth_values() -> None:
    a, b = np.array([7, -7, 7, -7, 0]), np.array([2, 2, -2, -2, 3])
    inputs = {"a": "[5] int64", "b": "[5] int64"}
    for text, expected in [
        ("a // b", a // b),
        ("a % b", a % b),
        ("fmod(a, b)", np.fmod(a, b)),
        ("sign(a) * abs(b) + 3", np.sign(a) * np.abs(b) + 3),
        ("maximum(a, b, 1)", np.maximum(np.maximum(a, b), 1)),
        ("a > b", a > b),
        ("logical_and(a > 0, b > 0)", (a > 0) & (b > 0)),
        ("logical_or(a > 0, b > 0)", (a > 0) | (b > 0)),
        ("logical_xor(a > 0, b > 0)", (a > 0) ^ (b > 0)),
        ("logical_not(a == b)", a != b),
        ("where(a > 0, a, 0)", np.where(a > 0, a, 0)),
        ("cast(a, bool)", a != 0),
    ]:
        found = values(spec(layer(text, "[a, b]"), **inputs), a=a, b=b)["y"]
        assert found.dtype == expected.dtype, text
        np.testing.assert_array_equal(found, expected, err_msg=text)


def test_learned_parameters() -> None:
    equation = "tanh(x) * gain + sum(x ** 2, axis=-1)"
    text = spec(
        f"[{{name: y, type: expression, value: '{equation}', params: {{gain: {{shape: [3]}}}}}}]", x="[3, 3]"
    )
    weights = drawn_weights(network(text))
    assert list(weights) == ["y.gain"]
    x = np.random.default_rng(0).normal(size=(3, 3))
    expected = np.tanh(x) * weights["y.gain"] + (x**2).sum(-1)
    np.testing.assert_allclose(values(text, weights, x=x)["y"], expected)
    check_gradients(text, weights, x=x)


@pytest.mark.parametrize(
    "text", ["atan(x)", "asinh(x)", "sinh(x)", "clip(x, -0.5, 2)", "x % 0.3", "acosh(x + 2)"]
)
def test_gradients(text: str) -> None:
    check_gradients(spec(layer(text), x="[5]"), x=[-0.77, 0.1, 0.51, 1.4, 3.1])


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("x + z", "NW0503"),
        ("prev(x)", "NW0508"),
        ("split(x, 2)", "NW0505"),
        ("cast(x, float16)", "NW0505"),
        ("x and y", "NW0502"),
        ("x[0]", "NW0502"),
        ("where(x, 1, 2)", "NW0511"),
        ("cast(x, int64) + 0.5", "NW0511"),
        ("cast(x, int64) / 2", "NW0511"),
        ("(x > 0) + 1", "NW0511"),
        ("index(x, axis=2)", "NW0511"),
    ],
)
def test_what_is_refused(value: str, code: str) -> None:
    assert codes(spec(layer(value), x="[N, 4]")) == [code]


def test_names_of_inputs() -> None:
    assert codes(spec(layer("a + b", "{a: x, b: nothing}"), x="[N, 4]")) == ["NW0302"]
    assert codes(spec(layer("x", "[x, x]"), x="[N, 4]")) == ["NW0212"]
    assert codes(spec(layer("x.h", "[x.h]"), x="[N, 4]"))[0] == "NW0212"


def test_lengths_stay_where_steps_do() -> None:
    head = """
dims: {N: batch, T: time}
inputs: {n: {shape: [N], dtype: int64}, x: {shape: [N, T, 2], lengths: n}}
layers:
  - {name: a, type: expression, inputs: {x: x}, value: "%s"}
  - {name: y, type: rnn, units: 2, return_sequences: false}
outputs: {y: y}
"""
    assert codes(head % "x * x") == []
    assert codes(head % "x - mean(x)") == ["NW0315"]
