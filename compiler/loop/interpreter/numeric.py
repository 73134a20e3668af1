"""What the operations of loop IR compute, on NumPy arrays of lanes: the arithmetic of the loop interpreter."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from functools import cache
from typing import Any, TypeAlias

import numpy as np

from ..ir import FAR
from .far import far_sine

Lanes: TypeAlias = np.ndarray[Any, np.dtype[Any]]
#: By the bytes of a number: up to so many lanes calling the C library for each is faster than emulation.
_FEW = {4: 4, 8: 16}
#: Where the sum of a product and a number in float64 is half way between two numbers of float32: these bits are only 1.
_REST, _HALF = 0x1FFFFFFF, 0x10000000
_LEAST = float(np.finfo(np.float32).tiny)


def fma(a: Lanes, b: Lanes, c: Lanes) -> Lanes:
    """a·b + c with one rounding, which the C library computes where there are few lanes."""
    library = _library_fma(a.itemsize) if a.size <= _FEW[a.itemsize] else None
    if library is None:
        return emulated_fma(a, b, c)
    lanes = zip(a.tolist(), b.tolist(), c.tolist(), strict=True)
    return np.array([library(*values) for values in lanes], a.dtype)


@cache
def _library_fma(size: int) -> Callable[[float, float, float], float] | None:
    """The function of the C library; None where it may be wrong (Windows) or not be there."""
    if sys.platform != "linux":
        return None
    name, type = ("fmaf", ctypes.c_float) if size == 4 else ("fma", ctypes.c_double)
    function = getattr(ctypes.CDLL(None), name, None)
    if function is not None:
        function.argtypes, function.restype = [type] * 3, type
    return function


def emulated_fma(a: Lanes, b: Lanes, c: Lanes) -> Lanes:
    """a·b + c with one rounding (Boldo and Melquiond, "Emulation of FMA and correctly rounded sums", 2008)."""
    if a.dtype == np.float32:
        # The product is exact in float64. Rounding the sum twice matters where the first result is half way between two
        # numbers of float32, or below the least normal one: there, rounding to odd makes the second one harmless.
        wide = a.astype(np.float64) * b
        total = wide + c
        if ((total.view(np.int64) & _REST) == _HALF).any() or (np.abs(total) < _LEAST).any():
            total = _sum_to_odd(wide, c.astype(np.float64))
        return total.astype(np.float32)
    plain = a * b + c
    high, low = _two_product(a, b)
    upper, lower = _two_sum(c, low)
    total, rest = _two_sum(high, upper)
    exact = total + _sum_to_odd(lower, rest)
    # Splitting overflows for huge factors, and infinities have no parts.
    return np.where(np.isfinite(exact), exact, plain)


def dot4(a: Lanes, b: Lanes, c: Lanes) -> Lanes:
    """c plus sums of four products of bytes each; four elements of ``a`` are for all lanes."""
    products = a.astype(np.int32).reshape(-1, 4) * b.astype(np.int32).reshape(-1, 4)
    return c + products.sum(1, dtype=np.int32)


def _two_sum(a: Lanes, b: Lanes) -> tuple[Lanes, Lanes]:
    """Rounded sum and its exact error (Knuth)."""
    total = a + b
    shadow = total - a
    return total, (a - (total - shadow)) + (b - shadow)


def _two_product(a: Lanes, b: Lanes) -> tuple[Lanes, Lanes]:
    """Rounded float64 product and its exact error (Dekker)."""

    def split(x: Lanes) -> tuple[Lanes, Lanes]:
        scaled = x * 134217729.0
        high = scaled - (scaled - x)
        return high, x - high

    product = a * b
    (a_high, a_low), (b_high, b_low) = split(a), split(b)
    return product, ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low


def _sum_to_odd(a: Lanes, b: Lanes) -> Lanes:
    """The float64 sum, rounded to the neighbour with an odd last bit if it is inexact."""
    total, rest = _two_sum(a, b)
    even = (total.view(np.int64) & 1) == 0
    toward = np.where(rest > 0, np.inf, -np.inf)
    return np.where((rest != 0) & even & np.isfinite(total), np.nextafter(total, toward), total)


def _divide(a: Lanes, b: Lanes) -> Lanes:
    if a.dtype.kind == "f":
        return a / b
    quotient = np.floor_divide(a, b)
    return quotient + ((quotient < 0) & (quotient * b != a)).astype(a.dtype)


def _remainder(a: Lanes, b: Lanes) -> Lanes:
    return a - _divide(a, b) * b


def _far(x: Lanes, quadrants: int) -> Lanes:
    far = ~(np.abs(x) <= np.asarray(FAR[x.dtype.name], x.dtype))
    result = np.zeros_like(x)
    result[far] = [far_sine(float(element), quadrants) for element in x[far]]
    return result


UNARY: dict[str, Callable[[Lanes], Lanes]] = {
    "neg": np.negative,
    "abs": np.abs,
    "sqrt": np.sqrt,
    "floor": np.floor,
    "round": np.rint,
    "not": np.invert,
    "sin_far": lambda x: _far(x, 0),
    "cos_far": lambda x: _far(x, 1),
}

BINARY: dict[str, Callable[[Lanes, Lanes], Lanes]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": _divide,
    "rem": _remainder,
    "max": np.maximum,
    "min": np.minimum,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
    "shl": np.left_shift,
    "shr": np.right_shift,
}

COMPARE: dict[str, Callable[[Lanes, Lanes], Lanes]] = {
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
}


def cast(x: Lanes, dtype: str) -> Lanes:
    """Value conversion as ``ir.Cast`` defines it."""
    target = np.dtype(dtype)
    if target.kind == "b":
        return x != 0
    if x.dtype.kind != "f" or target.kind == "f":
        return x.astype(target)
    info = np.iinfo(target)
    whole = np.trunc(x)
    fits = (whole >= float(info.min)) & (whole < float(info.max) + (1 if info.bits < 64 else 0))
    result = np.where(fits, whole, 0).astype(target)
    result = np.where(whole >= float(info.max), info.max, result)
    return np.where(whole <= float(info.min), info.min, result).astype(target)


def reduce_lanes(op: str, x: Lanes) -> Lanes:
    """All lanes combined: the upper half with the lower half until one is left."""
    while x.size > 1:
        half = x.size // 2
        x = BINARY[op](x[:half], x[half:])
    return x
