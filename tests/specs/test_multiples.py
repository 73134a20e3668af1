"""Dims that are multiples: what is joined again after strides, what is refused, what is said of a wrong size."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path

import numpy as np
import pytest

import netwright
from netwright.compiler.frontend.build import build_network
from netwright.runtime.errors import InputError
from netwright.specs.load import load_spec_text
from netwright.specs.manifest import DimInfo
from netwright.specs.specialize import DimError, specialize

from ..acceptance.linking import need_linker

UNET = """\
netwright: 1
model: unet
dims: {N: batch, H: {min: 1, multiple_of: 4}, W: {multiple_of: 4, max: 70}}
inputs: {x: {shape: [N, H, W, 3]}}
layers:
  - {name: a, type: conv2d, filters: 4, kernel_size: 3, padding: same, activation: relu}
  - {name: p, type: max_pool2d, pool_size: 2}
  - {name: b, type: conv2d, filters: 4, kernel_size: 3, padding: same, activation: relu}
  - {name: p2, type: max_pool2d, pool_size: 2}
  - {name: u, type: up_sampling2d, size: 2}
  - {name: c, type: concat, inputs: [u, b]}
  - {name: u2, type: up_sampling2d, size: 2}
  - {name: d, type: concat, inputs: [u2, a]}
  - {name: r, type: reshape, shape: [N, H//2, 2, "W//4", 4, 12], expect: [N, "2*(H//4)", 2, "W//4", 4, 12]}
outputs: {y: d, z: r}
"""


def unet(tmp_path: Path) -> netwright.Model:
    path = tmp_path / "unet.yaml"
    path.write_text(UNET)
    return netwright.load(path)


def test_a_network_that_fits_for_multiples_alone(tmp_path: Path) -> None:
    model = unet(tmp_path)
    assert model.is_valid, model.diagnostics
    assert [str(size) for size in model.network.outputs["y"].type.shape] == ["N", "H", "W", "12"]
    native = model.compile(seed=1, entries=["predict"])
    reference = model.compile(seed=1, entries=["predict"], engine="reference")
    for height, width in ((4, 4), (12, 32), (64, 8)):
        x = np.random.default_rng(height).standard_normal((2, height, width, 3)).astype(np.float32)
        ours, wanted = native.predict(x=x), reference.predict(x=x)
        assert ours["y"].shape == (2, height, width, 12)
        for name, value in wanted.items():
            np.testing.assert_allclose(ours[name], value, rtol=1e-4, atol=1e-4)


def test_without_the_multiple_it_is_refused() -> None:
    load = load_spec_text(UNET.replace("multiple_of: 4, max: 70", "min: 4, max: 70"))
    _, diagnostics = build_network(load)
    (error,) = diagnostics.errors
    assert error.code == "NW0308"
    assert error.help == "they agree where dims: {W: {multiple_of: 4}}"


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((1, 30, 8, 3), "axis 1 is 30, but H must be at least 4 and a multiple of 4: 28 or 32"),
        ((1, 2, 8, 3), "axis 1 is 2, but H must be at least 4 and a multiple of 4: 4"),
        ((1, 4, 72, 3), "axis 2 is 72, but W must be from 4 to 68 and a multiple of 4: 68"),
    ],
)
def test_a_wrong_size_names_the_nearest_that_fit(tmp_path: Path, shape: tuple[int, ...], words: str) -> None:
    program = unet(tmp_path).compile(seed=1, entries=["predict"], engine="reference")
    with pytest.raises(InputError) as caught:
        program.predict(x=np.zeros(shape, np.float32))
    assert words in str(caught.value)


def test_an_executable_names_them_too(tmp_path: Path) -> None:
    need_linker()
    program = unet(tmp_path).compile(seed=1, entries=["predict"])
    path = tmp_path / "unet"
    program.save(path)
    for height, words in ((30, "28 or 32"), (1, "at least 4"), (32, "")):
        np.save(tmp_path / "x.npy", np.zeros((1, height, 8, 3), np.float32))
        done = subprocess.run(
            [path, "-i", "x=x.npy", "-o", "y.npz"], cwd=tmp_path, capture_output=True, text=True, timeout=60
        )
        assert (done.returncode == 0) == (not words), done.stderr
        assert words in done.stderr


def test_a_spec_is_narrowed_to_multiples() -> None:
    load = load_spec_text(UNET)
    model = specialize(load, {"H": "6k", "W": 8}).model
    assert model is not None
    assert (model.dims["H"].multiple_of, model.dims["H"].least) == (12, 12)
    assert model.layers[-1].shape == ("N", "H//2", 2, 2, 4, 12)  # type: ignore[union-attr]
    for wrong in ({"H": "k"}, {"H": "0k"}, {"H": 6}, {"W": "80k"}, {"H": (5, 7)}):
        with pytest.raises(DimError):
            specialize(load, wrong)


@pytest.mark.parametrize(
    "dims",
    ["{multiple_of: 0}", "{multiple_of: 2.0}", "{min: 5, max: 7, multiple_of: 4}", "{multiple_of: '4'}"],
)
def test_what_is_no_multiple(dims: str) -> None:
    assert load_spec_text(UNET.replace("{min: 1, multiple_of: 4}", dims)).diagnostics.has_errors


def test_sizes_that_a_dim_admits() -> None:
    info = DimInfo(name="H", min=32, max=100, multiple_of=32)
    assert [size for size in range(200) if info.admits(size)] == [32, 64, 96]
    assert info.nearest(50) == (32, 64)
    assert info.nearest(7) == (32,)
    assert info.nearest(500) == (96,)
    assert (info.fitted(95), info.fitted(1), info.fitted(1000)) == (64, 32, 96)


def test_a_library_s_header_says_which_sizes_it_admits(tmp_path: Path) -> None:
    need_linker()
    program = unet(tmp_path).compile(seed=1, entries=["predict"])
    program.save(tmp_path / "unet.so", "shared")
    header = (tmp_path / "unet.h").read_text()
    assert "H from 4, a multiple of 4" in header
    assert "int32_t unet_admits(const int64_t *dims);" in header
    admits = ctypes.CDLL(str(tmp_path / "unet.so")).unet_admits
    for sizes, answer in (
        ((1, 4, 4), 1),
        ((1, 8, 68), 1),
        ((0, 4, 4), 0),
        ((1, 0, 4), 0),
        ((1, 6, 4), 0),
        ((1, 4, 6), 0),
        ((1, 4, 72), 0),
    ):
        assert admits((ctypes.c_int64 * 3)(*sizes)) == answer, sizes
