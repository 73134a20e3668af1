"""What the operations of loop IR compute, on NumPy arrays of lanes: the arithmetic of the loop interpreter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from .far import far_sine
from .ir import FAR

Lanes: TypeAlias = np.ndarray[Any, np.dtype[Any]]


def fma(a: Lanes, b: Lanes, c: Lanes) -> Lanes:
    """a·b + c with one rounding (Boldo and Melquiond, "Emulation of FMA and correctly rounded sums", 2008)."""
    if a.dtype == np.float32:
        # The product is exact in float64; rounding the sum to odd there makes the second rounding harmless.
        wide = a.astype(np.float64) * b
        return _sum_to_odd(wide, c.astype(np.float64)).astype(np.float32)
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
