"""Depthwise and separable convolutions, up-sampling, causal padding: by hand, and PyTorch's numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ..frontend.helpers import codes
from .harness import check_gradients, drawn_weights, network, spec, values

RNG = np.random.default_rng(9)


def depthwise(x: np.ndarray, kernel: np.ndarray, stride: int, dilation: int) -> np.ndarray:
    """By its definition, over one axis: channel c gives the channels c·m … c·m + m − 1."""
    taps, channels, multiplier = kernel.shape
    count = (x.shape[1] - (taps - 1) * dilation - 1) // stride + 1
    y = np.zeros((len(x), count, channels * multiplier))
    for i in range(count):
        for tap in range(taps):
            cells = x[:, i * stride + tap * dilation]
            y[:, i] += (cells[:, :, None] * kernel[tap]).reshape(len(x), -1)
    return y


@pytest.mark.parametrize(("stride", "dilation", "multiplier"), [(1, 1, 1), (2, 1, 3), (1, 2, 2)])
@pytest.mark.parametrize("shape", ["[N, 9, 3]", "[N, T, 3]"])
def test_depthwise_and_separable_by_their_definition(
    stride: int, dilation: int, multiplier: int, shape: str
) -> None:
    x = RNG.normal(size=(2, 9, 3))
    keys = f"kernel_size: 3, stride: {stride}, dilation: {dilation}, depth_multiplier: {multiplier}"
    if stride == 1 and shape == "[N, T, 3]":
        keys += ", padding: causal"
        x_padded = np.pad(x, ((0, 0), (2 * dilation, 0), (0, 0)))
    else:
        x_padded = x
    least = "min: 9"
    text = spec(f"[{{name: y, type: depthwise_conv1d, {keys}}}]", x=shape).replace("min: 4", least)
    weights = drawn_weights(network(text))
    assert weights["y.kernel"].shape == (3, 3, multiplier)
    expected = depthwise(x_padded, weights["y.kernel"], stride, dilation) + weights["y.bias"]
    np.testing.assert_allclose(values(text, weights, x=x)["y"], expected, rtol=1e-10, atol=1e-12)
    text = spec(f"[{{name: y, type: separable_conv1d, filters: 4, {keys}, use_bias: false}}]", x=shape)
    text = text.replace("min: 4", least)
    weights = drawn_weights(network(text))
    assert weights["y.pointwise_kernel"].shape == (1, 3 * multiplier, 4)
    expected = depthwise(x_padded, weights["y.depthwise_kernel"], stride, dilation)
    expected = expected @ weights["y.pointwise_kernel"][0]
    np.testing.assert_allclose(values(text, weights, x=x)["y"], expected, rtol=1e-10, atol=1e-12)


def test_gradients() -> None:
    x = RNG.normal(size=(1, 4, 5, 2))
    keys = "kernel_size: [2, 3], padding: same_upper, stride: 2, depth_multiplier: 2"
    check_gradients(spec(f"[{{name: y, type: depthwise_conv2d, {keys}}}]", x="[1, 4, 5, 2]"), x=x)
    check_gradients(spec(f"[{{name: y, type: separable_conv2d, filters: 3, {keys}}}]", x="[1, 4, 5, 2]"), x=x)


def test_up_sampling_repeats_cells() -> None:
    x = RNG.normal(size=(2, 4, 3))
    for shape in ("[N, 4, 3]", "[N, T, 3]"):
        found = values(spec("[{name: y, type: up_sampling1d, size: 3}]", x=shape), x=x)["y"]
        np.testing.assert_array_equal(found, np.repeat(x, 3, 1))
    x = RNG.normal(size=(2, 2, 3, 2, 1))
    found = values(spec("[{name: y, type: up_sampling3d, size: [1, 2, 3]}]", x="[N, 2, 3, 2, 1]"), x=x)["y"]
    np.testing.assert_array_equal(found, np.repeat(np.repeat(x, 2, 2), 3, 3))
    text = spec("[{name: y, type: up_sampling2d, size: 2, interpolation: bilinear}]", x="[1, 1, 2, 1]")
    found = values(text, x=np.array([1.0, 2.0]).reshape(1, 1, 2, 1))["y"]
    np.testing.assert_allclose(found[0, 0, :, 0], [1, 1.25, 1.75, 2])
    check_gradients(text, x=np.array([1.0, 2.0]).reshape(1, 1, 2, 1))
    assert codes(spec("[{name: y, type: up_sampling2d}]", x="[N, 4, 3]")) == ["NW0309"]
    assert codes(spec("[{name: y, type: up_sampling1d, interpolation: bilinear}]", x="[N, 4, 3]")) == [
        "NW0205"
    ]


def test_words_of_other_frameworks() -> None:
    for kind in ("UpSampling2D", "upsampling2d", "SeparableConv2D", "separableconv2d", "DepthwiseConv2D"):
        assert codes(spec(f"[{{name: y, type: {kind}}}]", x="[N, 4, 4, 3]"))[0] == "NW0206"


@pytest.mark.parametrize("kind", ["max", "mean"])
def test_causal_pools_see_nothing_ahead(kind: str) -> None:
    text = spec(
        f"[{{name: y, type: {kind}_pool1d, pool_size: 3, stride: 1, padding: causal}}]", x="[N, T, 1]"
    )
    x = RNG.normal(size=(1, 6, 1))
    function = {"max": np.max, "mean": np.mean}[kind]
    expected = [function(x[0, max(0, t - 2) : t + 1, 0]) for t in range(6)]
    np.testing.assert_allclose(values(text, x=x)["y"][0, :, 0], expected)
    two = f"[{{name: y, type: {kind}_pool2d, pool_size: 3, padding: causal}}]"
    assert codes(spec(two, x="[N, 4, 4, 1]")) == ["NW0205"]


@pytest.mark.torch
def test_they_are_those_of_pytorch() -> None:
    import torch

    functional: Any = torch.nn.functional
    x = RNG.normal(size=(2, 6, 7, 3))
    outside = torch.tensor(x).movedim(-1, 1)
    keys = "kernel_size: 3, stride: 2, padding: [[1, 1], [1, 1]], depth_multiplier: 2"
    text = spec(f"[{{name: y, type: separable_conv2d, filters: 5, {keys}}}]", x="[N, 6, 7, 3]")
    weights = drawn_weights(network(text))
    kernel = torch.tensor(weights["y.depthwise_kernel"].reshape(3, 3, 6)).movedim(-1, 0)[:, None]
    between = functional.conv2d(outside, kernel, stride=2, padding=1, groups=3)
    point = torch.tensor(weights["y.pointwise_kernel"]).movedim((-1, -2), (0, 1))
    expected = functional.conv2d(between, point, torch.tensor(weights["y.bias"])).movedim(1, -1)
    np.testing.assert_allclose(values(text, weights, x=x)["y"], expected.numpy(), atol=1e-10)
    text = spec("[{name: y, type: up_sampling2d, size: [2, 3], interpolation: bilinear}]", x="[N, 6, 7, 3]")
    expected = functional.interpolate(outside, scale_factor=(2, 3), mode="bilinear").movedim(1, -1)
    np.testing.assert_allclose(values(text, x=x)["y"], expected.numpy(), atol=1e-10)
