"""Reductions and positions of extremes, against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ..frontend.helpers import codes
from .harness import check_gradients, network, spec, values

X = np.random.default_rng(2).normal(size=(2, 5, 3))
FUNCTIONS: dict[str, Any] = {
    "sum": np.sum,
    "mean": np.mean,
    "max": np.max,
    "min": np.min,
    "prod": np.prod,
    "l1": lambda x, axis, keepdims: np.sum(np.abs(x), axis=axis, keepdims=keepdims),
    "l2": lambda x, axis, keepdims: np.sqrt(np.sum(x * x, axis=axis, keepdims=keepdims)),
    "sum_square": lambda x, axis, keepdims: np.sum(x * x, axis=axis, keepdims=keepdims),
    "log_sum": lambda x, axis, keepdims: np.log(np.sum(x, axis=axis, keepdims=keepdims)),
    "log_sum_exp": lambda x, axis, keepdims: np.log(np.sum(np.exp(x), axis=axis, keepdims=keepdims)),
}


def layer(keys: str, kind: str = "reduce") -> str:
    return f"[{{name: y, type: {kind}, {keys}}}]"


@pytest.mark.parametrize(
    ("axes", "keepdims"), [("1", False), ("[0, -1]", True), (None, False), ("[2]", True)]
)
@pytest.mark.parametrize("shape", ["[N, T, 3]", "[2, 5, 3]"])
def test_reductions(axes: str | None, keepdims: bool, shape: str) -> None:
    """All in one network; there are logarithms of positive numbers only."""
    keys = f"keepdims: {str(keepdims).lower()}" + (f", axes: {axes}" if axes else "")
    over = {"1": (1,), "[0, -1]": (0, 2), None: (0, 1, 2), "[2]": (2,)}[axes]
    given = {op: "p" if op == "log_sum" else "x" for op in FUNCTIONS}
    layers = ", ".join(
        f"{{name: {op}, type: reduce, op: {op}, inputs: [{name}], {keys}}}" for op, name in given.items()
    )
    arrays = {"x": X, "p": np.abs(X) + 0.1}
    outputs = ", ".join(f"{op}: {op}" for op in FUNCTIONS)
    found = values(spec(f"[{layers}]", outputs, x=shape, p=shape), **arrays)
    for op, function in FUNCTIONS.items():
        expected = function(arrays[given[op]], axis=over, keepdims=keepdims)
        np.testing.assert_allclose(found[op], expected, rtol=1e-12, err_msg=op)


@pytest.mark.parametrize("op", FUNCTIONS)
def test_gradients(op: str) -> None:
    x = np.abs(X[:1]) + 0.1 if op == "log_sum" else X[:1]
    check_gradients(spec(layer(f"op: {op}, axes: [1]"), x="[1, 5, 3]"), x=x)
    check_gradients(spec(layer(f"op: {op}"), x="[5, 3]"), x=x[0])


def test_a_product_with_a_zero_has_a_gradient() -> None:
    check_gradients(spec(layer("op: prod, axes: [0]"), x="[3]"), x=[2.0, 0.0, 3.0])
    check_gradients(spec(layer("op: prod, axes: [0]"), x="[11]"), x=[*range(11)])


def test_log_sum_exp_does_not_overflow() -> None:
    found = values(spec(layer("op: log_sum_exp"), x="[3]"), x=[1000.0, 1000.0, -np.inf])["y"]
    np.testing.assert_allclose(found, 1000 + np.log(2))
    found = values(spec(layer("op: log_sum_exp"), x="[2]"), x=[-np.inf, -np.inf])["y"]
    assert found == -np.inf


def test_integers_and_truth_values() -> None:
    x = np.array([[3, -4, 5], [1, 0, 2]])
    for op, expected in [("sum", [4, 3]), ("prod", [-60, 0]), ("l1", [12, 3]), ("sum_square", [50, 5])]:
        found = values(spec(layer(f"op: {op}, axes: -1"), x="[2, 3] int64"), x=x)["y"]
        assert found.dtype == np.int64
        assert found.tolist() == expected
    for op, expected in [("max", [True, True]), ("min", [True, False])]:
        assert values(spec(layer(f"op: {op}, axes: 1"), x="[2, 3] bool"), x=x != 0)["y"].tolist() == expected
    assert codes(spec(layer("op: mean"), x="[3] int64")) == ["NW0311"]
    assert codes(spec(layer("op: sum"), x="[3] bool")) == ["NW0311"]
    assert codes(spec(layer("op: sum, axes: 3"), x="[3]")) == ["NW0318"]


@pytest.mark.parametrize("kind", ["argmax", "argmin"])
@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("axis", [1, -1])
def test_positions(kind: str, last: bool, axis: int) -> None:
    x = np.array([[[1.0, 5, 5], [1, 1, 0], [5, 0, 0], [0, 5, 0]]])
    function = np.argmax if kind == "argmax" else np.argmin
    expected = x.shape[axis] - 1 - function(np.flip(x, axis), axis) if last else function(x, axis)
    keys = f"axis: {axis}, last: {str(last).lower()}"
    for shape in ("[N, T, 3]", "[1, 4, 3]", "[1, 4, 3] int32", "[1, 4, 3] uint8"):
        assert values(spec(layer(keys, kind), x=shape), x=x)["y"].tolist() == expected.tolist()
    kept = network(spec(layer(f"{keys}, keepdims: true", kind), x="[N, T, 3]")).outputs["y"].type
    assert str(kept) == ("int64[N, 1, 3]" if axis == 1 else "int64[N, T, 1]")


def test_lengths() -> None:
    head = """
dims: {N: batch, T: time}
inputs: {n: {shape: [N], dtype: int64}, x: {shape: [N, T, 4, 2], lengths: n}}
layers:
  - {name: a, inputs: [x], type: reduce, op: sum, axes: %s}
  - {name: y, type: rnn, units: 2, return_sequences: false}
outputs: {y: y}
"""
    assert codes(head % "2") == []
    assert codes(head % "1") == ["NW0315"]
