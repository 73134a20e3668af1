"""Normalizations: formulas in NumPy, and PyTorch's numbers."""

from __future__ import annotations

import numpy as np
import pytest

from ..frontend.helpers import codes
from .harness import check_gradients, drawn_weights, network, spec, values

RNG = np.random.default_rng(4)
X = RNG.normal(size=(2, 5, 4, 6)) * 2 + 1
IMAGE = "[N, 5, 4, 6]"


def layer(keys: str) -> str:
    return f"[{{name: y, type: {keys}}}]"


def normalized(x: np.ndarray, axes: tuple[int, ...], epsilon: float = 1e-5) -> np.ndarray:
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + epsilon)


@pytest.mark.parametrize(
    ("keys", "axes"),
    [("layer_norm", (3,)), ("layer_norm, axis: 2", (2, 3)), ("layer_norm, axis: 1, epsilon: 0.1", (1, 2, 3))],
)
def test_layer_norm(keys: str, axes: tuple[int, ...]) -> None:
    text = spec(layer(keys), x=IMAGE)
    weights = drawn_weights(network(text))
    assert weights["y.gamma"].shape == X.shape[axes[0] :]
    expected = (
        normalized(X, axes, 0.1 if "epsilon" in keys else 1e-5) * weights["y.gamma"] + weights["y.beta"]
    )
    np.testing.assert_allclose(values(text, weights, x=X)["y"], expected, rtol=1e-10, atol=1e-12)


def test_statistics_of_a_layer_norm() -> None:
    ratio = "{name: y, type: expression, inputs: {m: a.mean, s: a.inv_stddev}, value: m / s}"
    layers = f"[{{name: a, type: layer_norm}}, {ratio}]"
    expected = X.mean(-1, keepdims=True) * np.sqrt(X.var(-1, keepdims=True) + 1e-5)
    np.testing.assert_allclose(values(spec(layers, x=IMAGE), x=X)["y"], expected)


def test_rms_norm() -> None:
    for keys, axes in [("rms_norm", (3,)), ("rms_norm, axis: 2, epsilon: 0.01", (2, 3))]:
        text = spec(layer(keys), x=IMAGE)
        weights = drawn_weights(network(text))
        epsilon = 0.01 if "epsilon" in keys else 1e-5
        expected = X / np.sqrt((X * X).mean(axes, keepdims=True) + epsilon) * weights["y.gamma"]
        np.testing.assert_allclose(values(text, weights, x=X)["y"], expected, rtol=1e-10)


def test_group_and_instance_norm() -> None:
    text = spec(layer("group_norm, groups: 3"), x=IMAGE)
    weights = drawn_weights(network(text))
    grouped = normalized(X.reshape(2, 5, 4, 3, 2), (1, 2, 4)).reshape(X.shape)
    expected = grouped * weights["y.gamma"] + weights["y.beta"]
    np.testing.assert_allclose(values(text, weights, x=X)["y"], expected, rtol=1e-10, atol=1e-12)
    text = spec(layer("instance_norm, center: false"), x=IMAGE)
    assert set(network(text).parameters) == {"y.gamma"}
    weights = drawn_weights(network(text))
    expected = normalized(X, (1, 2)) * weights["y.gamma"]
    np.testing.assert_allclose(values(text, weights, x=X)["y"], expected, rtol=1e-10, atol=1e-12)
    assert codes(spec(layer("group_norm, groups: 4"), x=IMAGE)) == ["NW0308"]
    assert codes(spec(layer("instance_norm"), x="[N, 4]")) == ["NW0309"]


@pytest.mark.parametrize("size", [1, 3, 4])
def test_local_response_norm(size: int) -> None:
    squares = np.pad(X * X, [(0, 0)] * 3 + [((size - 1) // 2, size - 1 - (size - 1) // 2)])
    total = sum(squares[..., i : i + 6] for i in range(size))
    expected = X / (1.5 + 0.3 / size * total) ** 0.6
    keys = f"lrn, size: {size}, alpha: 0.3, beta: 0.6, bias: 1.5"
    np.testing.assert_allclose(values(spec(layer(keys), x=IMAGE), x=X)["y"], expected, rtol=1e-12)


def test_norms_become_one() -> None:
    x = X[:, :, 0, 0].copy()
    x[1] = 0
    with np.errstate(invalid="ignore"):
        for p, norm in [(1, np.abs(x).sum(1, keepdims=True)), (2, np.sqrt((x * x).sum(1, keepdims=True)))]:
            found = values(spec(layer(f"lp_norm, p: {p}"), x="[N, 5]"), x=x)["y"]
            np.testing.assert_allclose(found, np.nan_to_num(x / norm))
    found = values(spec(layer("lp_norm, axis: 1"), x=IMAGE), x=X)["y"]
    np.testing.assert_allclose(found, X / np.sqrt((X * X).sum(1, keepdims=True)))


def test_mean_variance_norm() -> None:
    for keys, axes in [
        ("mean_variance_norm", (0, 1, 2)),
        ("mean_variance_norm, axes: [1, 3], epsilon: 0.1", (1, 3)),
    ]:
        epsilon = 0.1 if "epsilon" in keys else 1e-9
        expected = (X - X.mean(axes, keepdims=True)) / (X.std(axes, keepdims=True) + epsilon)
        np.testing.assert_allclose(values(spec(layer(keys), x=IMAGE), x=X)["y"], expected, rtol=1e-10)


@pytest.mark.parametrize(
    "keys",
    [
        "layer_norm, axis: 1",
        "rms_norm",
        "group_norm, groups: 2",
        "instance_norm",
        "lrn, size: 3, alpha: 0.5",
        "lp_norm",
        "lp_norm, p: 1",
        "mean_variance_norm",
    ],
)
def test_gradients(keys: str) -> None:
    text = spec(layer(keys), x="[1, 3, 4]")
    check_gradients(text, x=X[:1, :3, 0, :4], tolerance=1e-5)


@pytest.mark.torch
def test_numbers_are_those_of_pytorch() -> None:
    import torch

    functional = torch.nn.functional
    x = torch.tensor(X)
    first = x.movedim(-1, 1)
    for keys, expected in [
        ("layer_norm, axis: 2", functional.layer_norm(x, (4, 6))),
        ("group_norm, groups: 2", functional.group_norm(first, 2).movedim(1, -1)),
        ("instance_norm", functional.instance_norm(first).movedim(1, -1)),
        ("lrn, size: 3, alpha: 0.2", functional.local_response_norm(first, 3, 0.2).movedim(1, -1)),
        ("lp_norm, axis: 1", functional.normalize(x, dim=1)),
    ]:
        found = values(spec(layer(keys), x=IMAGE), x=X)["y"]
        np.testing.assert_allclose(found, expected.numpy(), rtol=1e-8, atol=1e-10, err_msg=keys)
