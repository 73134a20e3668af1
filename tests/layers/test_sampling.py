"""The samplers against PyTorch, quantization against its definition; gradients pass straight through it."""

from __future__ import annotations

import numpy as np
import pytest

from netwright.compiler.autodiff import gradients
from netwright.compiler.interpreter import evaluate
from netwright.compiler.ops.values.reduce import ReduceAttributes
from netwright.compiler.pipeline import GRAPH

from ..frontend.helpers import network
from .harness import check_gradients, spec, values

RNG = np.random.default_rng(6)


@pytest.mark.alike(2)
@pytest.mark.parametrize("align", [True, False])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_grid_sample(mode: str, padding: str, align: bool) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed (extra: torch)")
    x, grid = RNG.normal(size=(2, 5, 4, 3)), RNG.uniform(-1.7, 1.7, (2, 3, 6, 2))
    keys = f"mode: {mode}, padding: {padding}, align_corners: {str(align).lower()}"
    text = spec(
        f"[{{name: y, type: grid_sample, inputs: [x, g], {keys}}}]", x="[N, 5, 4, 3]", g="[N, 3, 6, 2]"
    )
    kind = {"linear": "bilinear", "cubic": "bicubic"}.get(mode, mode)
    image = torch.from_numpy(np.moveaxis(x, -1, 1).copy())
    expected = torch.nn.functional.grid_sample(
        image, torch.from_numpy(grid), mode=kind, padding_mode=padding, align_corners=align
    )
    found = values(text, x=x, g=grid)["y"]
    np.testing.assert_allclose(found, np.moveaxis(expected.numpy(), 1, -1), atol=1e-9)
    check_gradients(text, x=x, g=grid, tolerance=1e-5)


def test_grid_sample_of_open_sizes() -> None:
    """The grid that leaves an image as it is."""
    x = RNG.normal(size=(2, 5, 4, 3))
    lines = np.meshgrid(np.linspace(-1, 1, 5), np.linspace(-1, 1, 4), indexing="ij")
    grid = np.broadcast_to(np.stack(lines[::-1], -1), (2, 5, 4, 2))
    text = spec(
        "[{name: y, type: grid_sample, inputs: [x, g], align_corners: true}]",
        x="[N, T, 4, 3]",
        g="[N, T, 4, 2]",
    )
    np.testing.assert_allclose(values(text, x=x, g=grid)["y"], x, atol=1e-12)


def test_positions_that_are_no_numbers_read_nothing_else() -> None:
    grid = np.array([[[[np.nan, 0.0], [np.inf, 1e30]]]])
    text = spec(
        "[{name: y, type: grid_sample, inputs: [x, g], mode: nearest}]", x="[N, 3, 3, 1]", g="[N, 1, 2, 2]"
    )
    np.testing.assert_array_equal(values(text, x=np.ones((1, 3, 3, 1)), g=grid)["y"], np.zeros((1, 1, 2, 1)))


@pytest.mark.parametrize(("stride", "low"), [(2, 0), (1, 0), (2, 1)])
def test_max_unpool(stride: int, low: int) -> None:
    """Windows that overlap have their maximum in common: it is not added up."""
    x = RNG.normal(size=(2, 6, 8, 3))
    pool = f"pool_size: 2, stride: {stride}, padding: [[{low}, {low}], [{low}, {low}]]"
    size = "[6, 8]"
    text = spec(
        f"[{{name: p, type: max_pool2d, {pool}}}, "
        f"{{name: y, type: max_unpool, inputs: [p, p.indices], {pool}, output_size: {size}}}]",
        x="[N, 6, 8, 3]",
    )
    found = values(text, x=x)["y"]
    kept = found != 0
    np.testing.assert_array_equal(found[kept], x[kept])
    padded = np.pad(x, ((0, 0), (low, low), (low, low), (0, 0)), constant_values=-np.inf)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (2, 2), (1, 2))[:, ::stride, ::stride]
    maxima = windows.max((-1, -2))
    expected = np.zeros_like(x)
    for n, c in np.ndindex(2, 3):
        expected[n, ..., c] = np.where(np.isin(x[n, ..., c], maxima[n, ..., c]), x[n, ..., c], 0)
    np.testing.assert_array_equal(found, expected)


def test_the_size_of_what_is_unpooled_follows_from_the_pool() -> None:
    layers = (
        "[{name: p, type: max_pool2d, pool_size: 2}, "
        "{name: y, type: max_unpool, inputs: [p, p.indices], pool_size: 2}]"
    )
    x = RNG.normal(size=(1, 6, 4, 2))
    assert values(spec(layers, x="[N, 6, 4, 2]"), x=x)["y"].shape == (1, 6, 4, 2)
    check_gradients(spec(layers, x="[N, 6, 4, 2]"), x=x)


def quantized(x: np.ndarray, scale: np.ndarray, zero: np.ndarray, low: int, high: int) -> np.ndarray:
    return (np.clip(np.rint(x / scale) + zero, low, high) - zero) * scale


def test_fake_quantize() -> None:
    x = RNG.normal(size=(4, 6)) * 3
    text = spec(
        "[{name: y, type: fake_quantize, scale: 0.05, zero_point: 10, bits: 6, signed: false}]", x="[N, 6]"
    )
    np.testing.assert_array_equal(values(text, x=x)["y"], quantized(x, np.array(0.05), np.array(10), 0, 63))
    scales, zeros = np.array([0.1, 0.2, 0.01]), np.array([0, 3, -5])
    keys = f"axis: 1, scale: {scales.tolist()}, zero_point: {zeros.tolist()}"
    text = spec(f"[{{name: y, type: fake_quantize, {keys}}}]", x="[N, 3]")
    x = RNG.normal(size=(5, 3)) * 3
    np.testing.assert_array_equal(values(text, x=x)["y"], quantized(x, scales, zeros, -128, 127))
    text = spec("[{name: y, type: fake_quantize, axis: -1}]", x="[N, 3]")
    found = values(text, {"y.scale": scales, "y.zero_point": zeros}, x=x)["y"]
    np.testing.assert_array_equal(found, quantized(x, scales, zeros, -128, 127))


def test_gradients_pass_straight_through_what_is_not_cut_off() -> None:
    text = spec("[{name: y, type: fake_quantize, scale: 0.5, bits: 3}]", x="[N, 5]")
    graph = network(text).graphs["predict"].copy()
    total = graph.apply("reduce", graph.outputs["y"], attrs=ReduceAttributes("sum", (0, 1)))
    graph.set_output("total", total)
    differentiated, found = gradients(graph, "total", ["x"])
    differentiated.set_output("dx", found["x"])
    x = np.array([[-5.0, -1.9, 0.3, 1.4, 7.0]])
    for one in (differentiated, GRAPH.run(differentiated)):
        results = evaluate(one, {"x": x}, {"N": 1})
        np.testing.assert_array_equal(results["dx"], [[0, 1, 1, 1, 0]])
        np.testing.assert_array_equal(results["y"], [[-2, -2, 0.5, 1.5, 1.5]])
