"""Matrix products and transposed convolutions: NumPy by hand, and PyTorch's numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from netwright.compiler.ops.views.slice_pad import PadAttributes

from ..frontend.helpers import codes
from .harness import check_gradients, drawn_weights, network, spec, values

RNG = np.random.default_rng(6)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((2, 3, 4), (4, 5)),
        ((2, 3, 4), (2, 4, 5)),
        ((2, 1, 3, 4), (5, 4, 2)),
        ((3, 4), (2, 4, 5)),
        ((2, 3, 4), (1, 4, 5)),
        ((4,), (4,)),
        ((4,), (2, 4, 5)),
        ((4,), (4, 5)),
        ((2, 3, 4), (4,)),
        ((3, 4), (4, 5)),
        ((3, 4), (1, 1, 4, 5)),
    ],
)
def test_matmul(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    x, k = RNG.normal(size=a), RNG.normal(size=b)
    shapes = {"x": f"[{', '.join(map(str, a))}]", "k": f"[{', '.join(map(str, b))}]"}
    for kind in ("type: matmul", "type: expression, value: x @ k"):
        text = spec(f"[{{name: y, {kind}, inputs: [x, k]}}]", **shapes)
        np.testing.assert_allclose(values(text, x=x, k=k)["y"], x @ k, rtol=1e-12)
    check_gradients(spec("[{name: y, type: matmul, inputs: [x, k]}]", **shapes), x=x, k=k)


def test_matmul_of_open_sizes() -> None:
    text = spec("[{name: y, type: matmul, inputs: [x, k]}]", x="[N, T, 3]", k="[N, 3, T]")
    x, k = RNG.normal(size=(2, 5, 3)), RNG.normal(size=(2, 3, 5))
    assert str(network(text).outputs["y"].type) == "float64[N, T, T]"
    np.testing.assert_allclose(values(text, x=x, k=k)["y"], x @ k, rtol=1e-12)
    assert codes(spec("[{name: y, type: matmul, inputs: [x, k]}]", x="[N, 3]", k="[4, 2]")) == ["NW0308"]
    assert codes(spec("[{name: y, type: matmul, inputs: [x, k]}]", x="[N, 3]", k="[3, 2] int64")) == [
        "NW0311"
    ]
    assert codes(spec("[{name: y, type: matmul}]", x="[N, 3]")) == ["NW0306"]


def scattered(x: np.ndarray, kernel: np.ndarray, stride: int, dilation: int) -> np.ndarray:
    """A transposed convolution over one axis as its definition says, nothing cut off."""
    n, size, _ = x.shape
    taps, _, filters = kernel.shape
    y = np.zeros((n, (size - 1) * stride + (taps - 1) * dilation + 1, filters))
    for i in range(size):
        for tap in range(taps):
            y[:, i * stride + tap * dilation] += x[:, i] @ kernel[tap]
    return y


@pytest.mark.parametrize(
    ("stride", "dilation", "low", "high"), [(1, 1, 0, 0), (2, 1, 1, 2), (3, 2, 0, 1), (1, 2, 4, 3)]
)
def test_conv_transpose_by_its_definition(stride: int, dilation: int, low: int, high: int) -> None:
    keys = f"filters: 2, kernel_size: 3, stride: {stride}, dilation: {dilation}, padding: [[{low}, {high}]]"
    for shape in ("[N, 5, 4]", "[N, T, 4]"):
        text = spec(f"[{{name: y, type: conv_transpose1d, {keys}}}]", x=shape)
        weights = drawn_weights(network(text))
        x = RNG.normal(size=(2, 5, 4))
        whole = scattered(x, weights["y.kernel"], stride, dilation)
        expected = whole[:, low : whole.shape[1] - high] + weights["y.bias"]
        np.testing.assert_allclose(values(text, weights, x=x)["y"], expected, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize(
    ("padding", "kernel"), [("same_upper", 3), ("same_lower", 4), ("same_upper", 2), ("same", 5)]
)
def test_sizes_of_transposed_convolutions(padding: str, kernel: int) -> None:
    text = spec(
        f"[{{name: y, type: conv_transpose1d, filters: 2, kernel_size: {kernel}, stride: 3, padding: {padding}}}]",
        x="[N, T, 4]",
    )
    assert (
        str(network(text).outputs["y"].type) == f"float64[N, {'3*T - 2' if padding == 'same' else '3*T'}, 2]"
    )
    values(text, x=RNG.normal(size=(2, 5, 4)))
    small = "[{name: y, type: conv_transpose1d, filters: 1, kernel_size: 2, padding: [[2, 2]]}]"
    assert codes(spec(small, x="[N, 2, 1]")) == ["NW0313"]


STRIDED = [
    (2, 3, 1, 0),
    (3, 2, 1, 0),
    (5, 2, 1, 0),
    (2, 3, 2, 0),
    (4, 4, 2, 1),
    (6, 3, 4, 0),
    (3, 1, 1, 0),
    (2, 5, 3, 4),
]


@pytest.mark.alike(2)
@pytest.mark.parametrize(("stride", "kernel", "dilation", "crop"), STRIDED)
def test_phases_of_transposed_convolutions(stride: int, kernel: int, dilation: int, crop: int) -> None:
    """Strides above and below the kernel, sharing factors with the dilation or not, borders cut off beyond it."""
    keys = (
        f"filters: 2, kernel_size: {kernel}, stride: {stride}, dilation: {dilation}, "
        f"padding: [[{crop}, {crop}]], output_padding: {stride - 1}"
    )
    for shape, size in (("[N, 6, 4]", 6), ("[N, T, 4]", 6), ("[N, 1, 4]", 1)):
        text = spec(f"[{{name: y, type: conv_transpose1d, {keys}}}]", x=shape)
        if codes(text):
            assert size == 1  # all of the one cell's output is cut off
            continue
        weights = drawn_weights(network(text))
        x = RNG.normal(size=(2, size, 4))
        whole = scattered(x, weights["y.kernel"], stride, dilation)
        whole = np.pad(whole, [(0, 0), (0, stride - 1), (0, 0)])
        expected = whole[:, crop : whole.shape[1] - crop] + weights["y.bias"]
        np.testing.assert_allclose(values(text, weights, x=x)["y"], expected, rtol=1e-11, atol=1e-12)
        graph = network(text).graphs["predict"]
        between = [
            node for node in graph if isinstance(node.attrs, PadAttributes) and any(node.attrs.interior)
        ]
        assert all(graph.producer(graph.operands(node)[0]).op == "conv" for node in between) or size == 1


@pytest.mark.alike(2)
@pytest.mark.parametrize(("stride", "kernel", "dilation", "crop"), STRIDED)
def test_gradients_of_phases(stride: int, kernel: int, dilation: int, crop: int) -> None:
    keys = f"filters: 2, kernel_size: {kernel}, stride: {stride}, dilation: {dilation}, padding: [[{crop}, {crop}]]"
    text = spec(f"[{{name: y, type: conv_transpose1d, {keys}}}]", x="[N, T, 2]")
    check_gradients(text, x=RNG.normal(size=(2, 6, 2)))
    keys = f"filters: 2, kernel_size: {kernel}, stride: {stride}, dilation: {dilation}"
    for size, padding in (("T", "same"), ("15", "valid")):
        text = spec(f"[{{name: y, type: conv1d, padding: {padding}, {keys}}}]", x=f"[N, {size}, 2]")
        check_gradients(text, x=RNG.normal(size=(2, 15, 2)))


def test_gradients_of_transposed_convolutions() -> None:
    keys = "filters: 2, kernel_size: [2, 3], stride: [2, 1], groups: 2, padding: [[0, 1], [1, 1]]"
    text = spec(f"[{{name: y, type: conv_transpose2d, {keys}}}]", x="[1, 2, 3, 2]")
    check_gradients(text, x=RNG.normal(size=(1, 2, 3, 2)))


@pytest.mark.alike(2)
@pytest.mark.torch
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize(
    ("stride", "padding", "output_padding", "dilation", "groups"),
    [(1, 0, 0, 1, 1), (2, 1, 1, 1, 1), (3, 2, 2, 2, 2), (2, 0, 0, 1, 2)],
)
def test_conv_transpose_is_that_of_pytorch(
    rank: int, stride: int, padding: int, output_padding: int, dilation: int, groups: int
) -> None:
    import torch

    pads = ", ".join([f"[{padding}, {padding}]"] * rank)
    keys = (
        f"filters: 6, kernel_size: 3, stride: {stride}, padding: [{pads}], output_padding: {output_padding}, "
        f"dilation: {dilation}, groups: {groups}"
    )
    sizes = (4, 3, 5)[:rank]
    text = spec(
        f"[{{name: y, type: conv_transpose{rank}d, {keys}}}]", x=f"[N, {', '.join(map(str, sizes))}, 4]"
    )
    weights = drawn_weights(network(text))
    x = RNG.normal(size=(2, *sizes, 4))
    kernel = torch.tensor(weights["y.kernel"])  # [*K, C/g, F], of group g the filters g·F/g …
    parts = kernel.movedim((-2, -1), (0, 1)).chunk(groups, 1)
    function: Any = getattr(torch.nn.functional, f"conv_transpose{rank}d")
    expected = function(
        torch.tensor(x).movedim(-1, 1),
        torch.cat(parts),
        torch.tensor(weights["y.bias"]),
        stride,
        padding,
        output_padding,
        groups,
        dilation,
    ).movedim(1, -1)
    np.testing.assert_allclose(values(text, weights, x=x)["y"], expected.numpy(), rtol=1e-10, atol=1e-11)
