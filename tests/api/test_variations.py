"""Compiled code varies samples as NumPy does."""

from __future__ import annotations

import numpy as np
import pytest

from netwright.compiler.codegen.targets.target import host_target, named_target
from netwright.runtime.augmentation import Varied, in_numpy
from netwright.specs.models.augmentation import (
    AnyAugmentation,
    CropAugmentation,
    FlipAugmentation,
    MaskAugmentation,
    NoiseAugmentation,
    ShiftAugmentation,
)
from netwright.training.variations import compile_variation, variation_compiler

SHIFT, FLIP = ShiftAugmentation(by=(2, 9)), FlipAugmentation()
CROP, NOISE = CropAugmentation(least=0.4), NoiseAugmentation(deviation=30.0)
MASK = MaskAugmentation(axis=2, most=3, count=2)
#: The shape of a sample, its type, the model's, and what happens to it.
CASES: list[tuple[tuple[int, ...], str, str, tuple[AnyAugmentation, ...]]] = [
    ((13, 9, 3), "uint8", "uint8", (SHIFT, FLIP, FlipAugmentation(axis=1), CROP, NOISE, MASK)),
    ((5, 31, 1), "uint8", "float32", (CROP, NOISE, FLIP)),
    ((9, 8, 11), "float32", "float32", (FlipAugmentation(axis=3), CROP, SHIFT)),
    ((40, 7), "float32", "float32", (NOISE, MaskAugmentation(most=50), ShiftAugmentation(by=(45,)), MASK)),
    ((33,), "float64", "float64", (NOISE, FlipAugmentation(axis=1, chance=1.0))),
    ((8, 6), "int64", "int64", (ShiftAugmentation(by=(0, 3)), MASK, FLIP)),
    ((8, 6), "uint16", "float32", (NOISE, CROP)),
    ((8, 6), "int16", "float32", (SHIFT, NOISE, CROP)),
    ((8, 6), "uint32", "float64", (CROP, FLIP)),
    ((8, 6), "float32", "float64", (CROP, NOISE)),
]


@pytest.mark.alike(2)
@pytest.mark.parametrize(("shape", "stored", "dtype", "changes"), CASES)
def test_samples_are_those_of_numpy(
    shape: tuple[int, ...], stored: str, dtype: str, changes: tuple[AnyAugmentation, ...]
) -> None:
    varied = Varied("x", changes, 5, np.dtype(stored), shape, np.dtype(dtype))
    compiled, reference = compile_variation(varied, host_target()), in_numpy(varied)
    assert compiled is not None
    generator = np.random.default_rng(1)
    values = generator.normal(0, 100, (60, *shape))
    samples = np.abs(values).astype(stored) if "uint" in stored else values.astype(stored)
    before, rows = samples.copy(), generator.integers(0, 2**40, 60)
    crops = any(isinstance(change, CropAugmentation) for change in changes)
    lengths = np.full(60, shape[0]) if crops else generator.integers(0, shape[0] + 1, 60)
    whole = compiled(samples, lengths, rows, 3)
    expected = reference(samples, lengths, rows, 3)
    assert whole.dtype == expected.dtype or stored == "int16"
    assert expected.dtype == (dtype if "int" in stored and (crops or NOISE in changes) else stored)
    # A logarithm, sine or cosine may differ in its last bits: a whole number, then, where it was nearly a half.
    tolerance = 1e-12 if dtype == "float64" else 1e-6
    np.testing.assert_allclose(whole, expected, rtol=tolerance, atol=100 * tolerance)
    assert (whole != expected).mean() < 1e-3 or dtype == "float64"
    if NOISE not in changes:
        np.testing.assert_array_equal(whole, expected)
    some = np.array([59, 3, 17])
    np.testing.assert_array_equal(compiled(samples[some], lengths[some], rows[some], 3), whole[some])
    assert (compiled(samples, lengths, rows, 4) != whole).any()
    np.testing.assert_array_equal(samples, before)


def test_what_has_no_kernel_is_left_to_numpy() -> None:
    for stored, dtype, shape, change in (
        ("float16", "float32", (4, 4), NOISE),
        ("int64", "int64", (4, 4), NOISE),
        ("float32", "float32", (2, 1 << 15), CROP),
        ("float32", "float32", (0, 4), SHIFT),
    ):
        varied = Varied("x", (change,), 0, np.dtype(stored), shape, np.dtype(dtype))
        assert compile_variation(varied, host_target()) is None
    assert variation_compiler(None) is None


@pytest.mark.skipif("x86_64" not in host_target().triple, reason="needs another CPU of the same family")
def test_a_processor_without_wide_vectors_draws_the_same_noise() -> None:
    varied = Varied("x", (NOISE,), 5, np.dtype(np.uint8), (7, 5), np.dtype(np.uint8))
    samples, lengths = np.full((9, 7, 5), 100, np.uint8), np.full(9, 7)
    made = [compile_variation(varied, target) for target in (host_target(), named_target("x86-64"))]
    first, second = (each(samples, lengths, np.arange(9), 0) for each in made if each is not None)
    np.testing.assert_array_equal(first, second)
