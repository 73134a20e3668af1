"""Resizing against numbers by hand, NumPy's interpolation, and PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ..frontend.helpers import codes
from .harness import check_gradients, network, spec, values

IMAGE = np.array([[1.0, 2], [3, 4]]).reshape(1, 2, 2, 1)
SEQUENCE = np.array([0.0, 10, 40, 30, 0, 20, 7]).reshape(1, 7, 1)


def layer(keys: str) -> str:
    return f"[{{name: y, type: resize, {keys}}}]"


def resized(keys: str, x: np.ndarray, open_length: bool = False) -> np.ndarray:
    sizes = ["T" if open_length and axis == 1 else str(size) for axis, size in enumerate(x.shape)]
    return values(spec(layer(keys), x=f"[{', '.join(['N', *sizes[1:]])}]"), x=x)["y"]


def test_nearest_repeats() -> None:
    found = resized("scales: [2, 3]", IMAGE)[0, :, :, 0]
    np.testing.assert_array_equal(found, np.repeat(np.repeat(IMAGE[0, :, :, 0], 2, 0), 3, 1))
    found = resized("scales: 3", SEQUENCE, open_length=True)
    np.testing.assert_array_equal(found, np.repeat(SEQUENCE, 3, 1))


def test_linear_by_hand() -> None:
    """Between the centres 1 and 2, a quarter and three quarters of the way; the border's value outside."""
    found = resized("scales: [1, 2], mode: linear", IMAGE)[0, 0, :, 0]
    np.testing.assert_allclose(found, [1, 1.25, 1.75, 2])
    found = resized("scales: [1, 2], mode: linear, coordinates: align_corners", IMAGE)[0, 0, :, 0]
    np.testing.assert_allclose(found, [1, 4 / 3, 5 / 3, 2])
    found = resized("scales: [1, 2], mode: linear, coordinates: asymmetric", IMAGE)[0, 0, :, 0]
    np.testing.assert_allclose(found, [1, 1.5, 2, 2])


@pytest.mark.parametrize("coordinates", ["half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric"])
@pytest.mark.parametrize("sizes", [3, 11])
def test_linear_is_that_of_numpy(coordinates: str, sizes: int) -> None:
    cells = np.arange(sizes)
    scale = sizes / 7
    at = {
        "align_corners": cells * 6 / (sizes - 1),
        "asymmetric": cells / scale,
    }.get(coordinates, (cells + 0.5) / scale - 0.5)
    found = resized(f"sizes: {sizes}, mode: linear, coordinates: {coordinates}", SEQUENCE)[0, :, 0]
    np.testing.assert_allclose(found, np.interp(at, np.arange(7), SEQUENCE[0, :, 0]), atol=1e-12)


def test_crop_and_resize() -> None:
    keys = "sizes: 4, mode: linear, coordinates: crop_and_resize, roi: [[0.5, 1.25]], extrapolation_value: -1"
    found = resized(keys, SEQUENCE)[0, :, 0]
    at = np.linspace(3, 7.5, 4)
    expected = np.where(at > 6, -1, np.interp(at, np.arange(7), SEQUENCE[0, :, 0]))
    np.testing.assert_allclose(found, expected)


@pytest.mark.alike(2)
@pytest.mark.parametrize(
    "keys",
    [
        "scales: 2, mode: linear",
        "scales: 1.5, mode: cubic, coordinates: align_corners",
        "scales: 0.6, mode: cubic, antialias: true",
        "scales: 0.5, mode: linear, exclude_outside: true",
        "scales: 1.3, nearest: ceil, coordinates: asymmetric",
        "sizes: 2*T + 1, mode: linear",
        "sizes: 9, mode: nearest",
    ],
)
def test_open_lengths_give_what_known_ones_do(keys: str) -> None:
    known = resized(keys.replace("2*T + 1", "15"), SEQUENCE)
    np.testing.assert_allclose(resized(keys, SEQUENCE, open_length=True), known, atol=1e-12)


@pytest.mark.parametrize("shape", ["[1, 200, 2]", "[N, 20, 2]", "[N, T, 2]"])
def test_axes_are_sums_of_taps_whatever_their_size(shape: str) -> None:
    """A product with a dense matrix would read every cell for each."""
    x = np.random.default_rng(0).normal(size=(1, 20 if "20," in shape else 200, 2))
    for keys in ("sizes: 150, mode: linear", "scales: 1.5, mode: cubic, exclude_outside: true"):
        operations = {node.op for node in network(spec(layer(keys), x=shape)).graphs["predict"]}
        assert "resample" in operations
        assert "dot" not in operations
        np.testing.assert_allclose(resized(keys, x), resized(keys, x, open_length=True), atol=1e-12)


@pytest.mark.parametrize("shape", ["[1, 6, 4, 3]", "[N, 6, 4, 3]", "[N, T, 4, 3]"])
@pytest.mark.parametrize(
    "keys",
    [
        "scales: [2, 1.5], mode: linear",
        "sizes: [3, 9], mode: cubic, coordinates: align_corners",
        "scales: [0.25, 0.5], mode: cubic, antialias: true",
        "sizes: [5, 4], mode: linear, coordinates: crop_and_resize, roi: [[0.1, 1.2], [0, 1]]",
    ],
)
def test_gradients_of_taps(keys: str, shape: str) -> None:
    samples = 1 if shape.startswith("[1") else 2
    check_gradients(spec(layer(keys), x=shape), x=np.random.default_rng(2).normal(size=(samples, 6, 4, 3)))


def test_gradients() -> None:
    for keys in ("scales: 1.5, mode: cubic", "scales: 2", "sizes: 2, mode: linear, antialias: true"):
        check_gradients(spec(layer(keys), x="[1, 4, 2]"), x=np.arange(8.0).reshape(1, 4, 2) ** 2)


def test_sizes() -> None:
    text = spec(layer("sizes: [7, 8], keep_aspect_ratio: not_larger"), x="[N, 2, 4, 1]")
    assert str(network(text).outputs["y"].type) == "float64[N, 4, 8, 1]"
    text = spec(layer("scales: 0.5"), x="[N, T, 1]")
    assert str(network(text).outputs["y"].type) == "float64[N, T//2, 1]"
    assert codes(spec(layer("scales: 0.1"), x="[N, 4, 1]")) == ["NW0313"]
    assert codes(spec(layer("scales: [2, 2]"), x="[N, 4, 1]")) == ["NW0309"]
    assert codes(spec(layer("scales: 2, sizes: 8"), x="[N, 4, 1]")) == ["NW0212"]
    assert codes(spec(layer("mode: cubic"), x="[N, 4, 1]")) == ["NW0212"]
    assert codes(spec(layer("scales: 2, coordinates: crop_and_resize"), x="[N, 4, 1]")) == ["NW0212"]


@pytest.mark.torch
@pytest.mark.parametrize(
    ("keys", "arguments"),
    [
        ("mode: nearest, coordinates: asymmetric, nearest: floor", {"mode": "nearest"}),
        ("mode: linear", {"mode": "bilinear", "align_corners": False}),
        ("mode: linear, coordinates: align_corners", {"mode": "bilinear", "align_corners": True}),
        ("mode: cubic", {"mode": "bicubic", "align_corners": False}),
        ("mode: cubic, coordinates: align_corners", {"mode": "bicubic", "align_corners": True}),
    ],
)
@pytest.mark.parametrize("size", [(4, 9), (11, 5)])
def test_interpolation_is_that_of_pytorch(
    keys: str, arguments: dict[str, Any], size: tuple[int, int]
) -> None:
    import torch

    x = np.random.default_rng(1).normal(size=(2, 6, 7, 3))
    found = resized(f"sizes: [{size[0]}, {size[1]}], {keys}", x)
    expected = torch.nn.functional.interpolate(torch.tensor(x).movedim(-1, 1), size, **arguments).movedim(
        1, -1
    )
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-9)
