"""Sine and cosine over all exponents, in native code and the loop interpreter, against exact reduction by integers."""

from __future__ import annotations

from decimal import Decimal, localcontext
from fractions import Fraction
from functools import cache

import numpy as np
import pytest

from netwright.compiler.loop import ir
from netwright.compiler.loop.intrinsics.builder import KernelBuilder

from .codegen_harness import run_kernel

#: π with enough digits to reduce the largest float64 to 30 digits.
DIGITS = 360


def pi() -> Decimal:
    """By Gauss' and Legendre's means, in the current precision."""
    a, b, t, p = Decimal(1), 1 / Decimal(2).sqrt(), Decimal("0.25"), Decimal(1)
    for _ in range(12):
        a, b, t, p = (a + b) / 2, (a * b).sqrt(), t - p * ((a - b) / 2) ** 2, 2 * p
    return (a + b) ** 2 / (4 * t)


@cache
def expected_at_points(name: str, dtype: str) -> np.ndarray:
    return exact(points(dtype), int(name == "cos"))


def exact(x: np.ndarray, quadrants: int) -> np.ndarray:
    """sin(x + quadrants·π/2) by the Taylor series of what is left of x."""
    found: list[float] = []
    with localcontext() as context:
        context.prec = DIGITS
        half = pi() / 2
        for value in x:
            part = Fraction(float(value))
            number = Decimal(part.numerator) / part.denominator
            n = (number / half).to_integral_value()
            r, quadrant = number - n * half, (int(n) + quadrants) % 4
            total = term = Decimal(1) if quadrant % 2 else r
            for k in range(2 - quadrant % 2, 34, 2):
                term *= -r * r / (k * (k + 1))
                total += term
            found.append(float(-total if quadrant >= 2 else total))
    return np.array(found)


def points(dtype: str) -> np.ndarray:
    """Both signs of every exponent, the limit of what is near and its neighbours, and what lies close to multiples
    of π/2."""
    info, limit = np.finfo(dtype), np.array(ir.FAR[dtype], dtype)
    exponents = np.arange(info.minexp, info.maxexp)
    mantissas = np.random.default_rng(4).uniform(1, 2, exponents.size)
    every = np.ldexp(mantissas, exponents).astype(dtype)
    borders = np.array([0, limit, info.max, np.nextafter(info.max, np.array(0, dtype))], dtype)
    around = [np.nextafter(limit, np.array(end, dtype)) for end in (0, np.inf)]
    # 6381956970095103·2^797 is the float64 that lies closest to a multiple of π/2 (Kahan); 16367173·2^72 of float32.
    close = [
        6381956970095103.0 * 2.0**797 if dtype == "float64" else 16367173.0 * 2.0**72,
        22.0,
        710.0,
        103993.0,
    ]
    near = np.round(np.arange(1, 60) * np.pi / 2, 7)
    x = np.concatenate([every, borders, around, close, near]).astype(dtype)
    return np.concatenate([x, -x])


def kernel(name: str, dtype: str, size: int, lanes: int) -> ir.Function:
    b = KernelBuilder("k", {})
    x, y = b.buffer("x", dtype, (size,)), b.buffer("y", dtype, (size,), "write")
    with b.loop("i", 0, size, lanes) as i:
        count = None if lanes == 1 else size - i
        b.store(y, (i,), getattr(b, name)(b.load(x, (i,), lanes, count)), count)
    return b.finish()


@pytest.mark.alike(2)
@pytest.mark.parametrize("lanes", [1, 8])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["sin", "cos"])
def test_all_exponents(name: str, dtype: str, lanes: int, deep: bool) -> None:
    """Number by number only a part of them, since the interpreter takes long."""
    part = slice(None, None, 1 if deep or lanes > 1 else 4)
    x = points(dtype)[part].copy()
    expected = expected_at_points(name, dtype)[part]
    unit = np.spacing(np.maximum(np.abs(expected), np.finfo(dtype).tiny).astype(dtype)).astype(np.float64)
    function = kernel(name, dtype, x.size, lanes)
    y = np.zeros_like(x)
    assert run_kernel(function, {}, {"x": x, "y": y}) == 0  # the interpreter gives the same bits
    errors = np.abs(y.astype(np.float64) - expected) / unit
    worst = int(np.argmax(errors))
    assert errors[worst] <= {"float32": 4, "float64": 8}[dtype], float(x[worst])
    far = np.abs(x) > ir.FAR[dtype]
    assert errors[far].max() <= {"float32": 0.51, "float64": 2}[dtype]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_no_number(dtype: str) -> None:
    x = np.array([np.inf, 1, -np.inf, np.nan, 1e30, 0], dtype)
    for name in ("sin", "cos"):
        y = np.zeros_like(x)
        assert run_kernel(kernel(name, dtype, x.size, 8), {}, {"x": x, "y": y}) == 0
        np.testing.assert_array_equal(np.isnan(y), [True, False, True, True, False, False])


def test_both_types_in_one_kernel() -> None:
    """They share the function for one number, which stands in the module once."""
    b = KernelBuilder("k", {})
    single, double = b.buffer("x", "float32", (2,)), b.buffer("y", "float64", (2,))
    first, second = b.buffer("u", "float32", (2,), "write"), b.buffer("v", "float64", (2,), "write")
    with b.loop("i", 0, 2, 1) as i:
        b.store(first, (i,), b.sin(b.load(single, (i,), 1, None)), None)
        b.store(second, (i,), b.cos(b.load(double, (i,), 1, None)), None)
    x, y = np.array([1e30, 2.0], np.float32), np.array([1e300, 2.0])
    u, v = np.zeros_like(x), np.zeros_like(y)
    assert run_kernel(b.finish(), {}, {"x": x, "y": y, "u": u, "v": v}) == 0
    np.testing.assert_allclose(u, exact(x, 0), rtol=1e-6)
    np.testing.assert_allclose(v, exact(y, 1), rtol=1e-12)
