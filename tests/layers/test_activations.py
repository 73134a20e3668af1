"""Activations: formulas in NumPy, PyTorch's numbers, learned slopes, as layers, in dense layers and in cells."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ..frontend.helpers import codes
from .harness import check_gradients, drawn_weights, network, spec, values

X = np.array([[-7.3, -2.9, -1.0, -0.51, -0.2], [0.0, 0.3, 0.51, 1.7, 8.0]])


def softplus(x: np.ndarray) -> np.ndarray:
    return np.logaddexp(x, 0)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


CASES = [
    (
        "selu",
        "",
        lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(np.minimum(x, 0))),
    ),
    ("selu", "alpha: 2.0, gamma: 3.0", lambda x: 3 * np.where(x > 0, x, 2 * np.expm1(np.minimum(x, 0)))),
    ("celu", "alpha: 2.0", lambda x: np.where(x > 0, x, 2 * np.expm1(np.minimum(x, 0) / 2))),
    ("elu", "alpha: 1.5", lambda x: np.where(x > 0, x, 1.5 * np.expm1(np.minimum(x, 0)))),
    ("hard_sigmoid", "", lambda x: np.clip(x / 6 + 0.5, 0, 1)),
    ("hard_sigmoid", "alpha: 0.2, beta: 0.4", lambda x: np.clip(0.2 * x + 0.4, 0, 1)),
    ("hard_swish", "", lambda x: x * np.clip(x / 6 + 0.5, 0, 1)),
    ("swish", "", lambda x: x * sigmoid(x)),
    ("swish", "alpha: 0.5", lambda x: x * sigmoid(0.5 * x)),
    ("mish", "", lambda x: x * np.tanh(softplus(x))),
    ("softsign", "", lambda x: x / (1 + np.abs(x))),
    ("thresholded_relu", "theta: 0.4", lambda x: np.where(x > 0.4, x, 0)),
    ("shrink", "", lambda x: np.where(np.abs(x) > 0.5, x, 0)),
    ("shrink", "threshold: 0.5, bias: 0.5", lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.5, 0)),
    ("scaled_tanh", "alpha: 1.7, beta: 0.6", lambda x: 1.7 * np.tanh(0.6 * x)),
    ("affine", "alpha: 2.0, beta: -1.0", lambda x: 2 * x - 1),
    (
        "gelu",
        "approximate: tanh",
        lambda x: x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
    ),
    ("gelu", "", lambda x: x / 2 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))),
    ("hardmax", "", lambda x: np.eye(5)[np.argmax(x, -1)]),
    ("hardmax", "axis: 0", lambda x: np.eye(2)[np.argmax(x, 0)].T),
    ("softmax", "axis: 0", lambda x: np.exp(x) / np.exp(x).sum(0)),
]


@pytest.mark.parametrize(("kind", "keys", "function"), CASES)
def test_formulas(kind: str, keys: str, function) -> None:
    written = f", {keys}" if keys else ""
    text = spec(f"[{{name: y, type: {kind}{written}}}]", x="[2, 5]")
    np.testing.assert_allclose(values(text, x=X)["y"], function(X), rtol=1e-12, atol=1e-15)
    if kind != "hardmax":
        smooth = X[X != 0].reshape(3, 3)
        check_gradients(spec(f"[{{name: y, type: {kind}{written}}}]", x="[3, 3]"), x=smooth, tolerance=1e-5)


@pytest.mark.alike(4)
@pytest.mark.parametrize(("kind", "keys"), [(kind, keys) for kind, keys, _ in CASES if "max" not in kind])
def test_in_dense_layers_and_cells(kind: str, keys: str) -> None:
    activation = f"{{type: {kind}, {keys}}}" if keys else kind
    layers = f"""
  - {{name: a, type: dense, units: 3, activation: {activation}}}
  - {{name: b, type: rnn, units: 2, activation: {activation}}}
  - {{name: y, type: {kind}{", " + keys if keys else ""}}}
"""
    text = spec(layers, x="[N, T, 2]")
    net = network(text)
    found = values(text, drawn_weights(net), x=np.ones((1, 4, 2)))["y"]
    assert found.shape == (1, 4, 2)
    assert np.isfinite(found).all()


def test_learned_slopes() -> None:
    text = spec("[{name: y, type: prelu}]", x="[2, 5]")
    assert {name: one.type.shape for name, one in network(text).parameters.items()} == {"y.slope": (5,)}
    np.testing.assert_allclose(values(text, x=X)["y"], np.where(X > 0, X, 0.25 * X))
    weights = drawn_weights(network(text))
    np.testing.assert_allclose(values(text, weights, x=X)["y"], np.where(X > 0, X, weights["y.slope"] * X))
    check_gradients(text, weights, x=X + 0.01)
    number = values(spec("[{name: y, type: prelu, slope_init: ones}]", x="[]"), x=np.float64(-2))["y"]
    assert (number.shape, float(number)) == ((), -2)
    single = spec("[{name: y, type: prelu, slope_shape: [1]}]", x="[N, 3, 5]")
    assert network(single).parameters["y.slope"].type.shape == (1,)
    assert codes(spec("[{name: y, type: prelu, slope_shape: [2]}]", x="[N, 3, 5]")) == ["NW0308"]
    assert codes(spec("[{name: y, type: softmax, axis: 0}]", x="[N, 5]")) == ["NW0318"]


@pytest.mark.torch
def test_numbers_are_those_of_pytorch() -> None:
    import torch

    functional = torch.nn.functional
    for keys, function in [
        ("selu", functional.selu),
        ("celu, alpha: 1.3", lambda x: functional.celu(x, 1.3)),
        ("hard_sigmoid", functional.hardsigmoid),
        ("hard_swish", functional.hardswish),
        ("swish", functional.silu),
        ("mish", functional.mish),
        ("softsign", functional.softsign),
        ("thresholded_relu, theta: 0.4", lambda x: functional.threshold(x, 0.4, 0)),
        ("shrink, threshold: 0.7", lambda x: functional.hardshrink(x, 0.7)),
        ("shrink, threshold: 0.7, bias: 0.7", lambda x: functional.softshrink(x, 0.7)),
        ("gelu, approximate: tanh", lambda x: functional.gelu(x, approximate="tanh")),
    ]:
        found = values(spec(f"[{{name: y, type: {keys}}}]", x="[2, 5]"), x=X)["y"]
        np.testing.assert_allclose(
            found, function(torch.tensor(X)).numpy(), rtol=1e-9, atol=1e-12, err_msg=keys
        )
