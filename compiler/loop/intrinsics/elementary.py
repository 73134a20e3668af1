"""Elementary functions as loop IR: branch-free arithmetic on scalars or vectors, without a math library.

Errors, in units in the last place of the result, over all normal inputs (tests sweep float32 densely): exp 4,
log 4, sigmoid 4, tanh 6, erf 8, sin and cos 4; in float64 8 each. Far from 0 (``FAR``) sin and cos are exact to
0.51 in float32, to 2 in float64. NaN gives NaN, infinities their limits;
subnormal inputs and results may count as zero.
"""

from __future__ import annotations

import math

from ..builder import Builder
from ..ir import FAR, Expr
from .coefficients import ERFC, FORMATS, Format, Polynomial


def exp(b: Builder, x: Expr) -> Expr:
    """e^x = 2^n·e^r with n = ⌊x / ln 2⌋, so that every 2^n needed is a normal number, 0 or ∞."""
    f = _format(x)
    low, high = f.exp_range
    # Compare and select preserve a NaN, and cost less than min and max.
    x = b.select(b.lt(x, b.like(low, x)), b.like(low, x), x)
    x = b.let("x", b.select(b.gt(x, b.like(high, x)), b.like(high, x), x))
    rounder = b.like(f.rounder, x)
    shifted = b.let("n", b.add(b.fma(x, b.like(1 / math.log(2), x), b.like(-0.5, x)), rounder))
    n = b.sub(shifted, rounder)
    r = b.let("r", _subtract_multiple(b, x, n, f.ln_2))
    bits = b.bitcast(shifted, f.bits)
    scale = b.add(b.shl(bits, b.like(f.mantissa, bits)), b.like(f.bits_of_one, bits))
    return b.mul(b.fma(r, _polynomial(b, r, f.exp), b.like(1.0, x)), b.bitcast(scale, x.type.dtype))


def log(b: Builder, x: Expr) -> Expr:
    """ln x = e·ln 2 + ln(1 + f) with √½ ≤ 1 + f < √2; -∞ at 0, NaN below."""
    f = _format(x)
    x = b.let("x", x)
    bits = b.let("bits", b.bitcast(x, f.bits))
    width = b.like(f.mantissa, bits)
    exponent = b.let("e", b.shr(b.sub(bits, b.like(f.root_half, bits)), width))
    m = b.bitcast(b.sub(bits, b.shl(exponent, width)), x.type.dtype)
    e = b.let("e", b.cast(exponent, x.type.dtype))
    r = b.let("f", b.sub(m, b.like(1.0, x)))
    square = b.let("square", b.mul(r, r))
    rest = b.mul(b.mul(r, square), _polynomial(b, r, f.log))
    rest = b.fma(e, b.like(f.ln_2[1], x), rest)
    rest = b.fma(square, b.like(-0.5, x), rest)
    y = b.fma(e, b.like(f.ln_2[0], x), b.add(r, rest))
    y = b.select(b.lt(x, b.like(math.inf, x)), y, x)
    below = b.select(b.lt(x, b.like(0.0, x)), b.like(math.nan, x), b.like(-math.inf, x))
    return b.select(b.lt(x, b.like(f.least, x)), below, y)


def sigmoid(b: Builder, x: Expr) -> Expr:
    """1 / (1 + e^-x). The alternative ½ + ½·tanh(x/2) would lose all relative accuracy for negative x."""
    one = b.like(1.0, x)
    return b.div(one, b.add(one, exp(b, b.neg(x))))


def tanh(b: Builder, x: Expr) -> Expr:
    """float32: x·P(x²)/Q(x²) up to where the result is 1; float64: that near 0, else 1 - 2/(e^2|x| + 1)."""
    f = _format(x)
    x = b.let("x", x)
    if x.type.dtype == "float32":
        return _saturating(b, x, f.odd_limits[0], f.tanh)
    magnitude = b.let("magnitude", b.abs(x))
    one = b.like(1.0, x)
    far = b.sub(one, b.div(b.like(2.0, x), b.add(exp(b, b.add(magnitude, magnitude)), one)))
    near = b.lt(magnitude, b.like(f.odd_limits[0], x))
    return b.select(near, _odd(b, x, f.tanh), _with_sign(b, far, x))


def erf(b: Builder, x: Expr) -> Expr:
    """float32: x·P(x²)/Q(x²) to where the result is 1; float64: that near 0, else 1 - e^(-x²)·P(x)/Q(x)."""
    f = _format(x)
    x = b.let("x", x)
    if x.type.dtype == "float32":
        return _saturating(b, x, f.odd_limits[1], f.erf)
    magnitude = b.let("magnitude", b.abs(_clamp(b, x, 6.0)))
    one = b.like(1.0, x)
    ratio = b.div(_polynomial(b, magnitude, ERFC[0]), _polynomial(b, magnitude, ERFC[1]))
    far = b.sub(one, b.mul(exp(b, b.neg(b.mul(magnitude, magnitude))), ratio))
    near = b.lt(magnitude, b.like(f.odd_limits[1], x))
    return b.select(near, _odd(b, x, f.erf), _with_sign(b, far, x))


def sin(b: Builder, x: Expr) -> Expr:
    """sin x. Beyond ``FAR``, a separate function behind a rarely taken branch finds the quadrant."""
    x = b.let("x", x)
    return b.select(b.eq(x, b.like(0.0, x)), x, _periodic(b, x, 0))


def cos(b: Builder, x: Expr) -> Expr:
    """cos x, computed like ``sin``."""
    return _periodic(b, x, 1)


def _periodic(b: Builder, x: Expr, quadrants: int) -> Expr:
    """sin(x + quadrants·π/2), from sin and cos of the distance r to the nearest multiple of π/2."""
    f = _format(x)
    x = b.let("x", x)
    rounder = b.like(f.rounder, x)
    shifted = b.let("n", b.fma(x, b.like(2 / math.pi, x), rounder))
    r = b.let("r", _subtract_multiple(b, x, b.let("n", b.sub(shifted, rounder)), f.half_pi))
    sine, cosine = _near(b, r)
    y = _in_quadrant(b, sine, cosine, b.bitcast(shifted, f.bits), quadrants)
    return b.select(b.le(b.abs(x), b.like(FAR[x.type.dtype], x)), y, b.sin_far(x, quadrants))


def cos_sin_of_turns(b: Builder, x: Expr) -> tuple[Expr, Expr]:
    """cos 2πx and sin 2πx for 0 ≤ x ≤ 1: quarters of turns are subtracted exactly."""
    f = _format(x)
    x, rounder = b.let("x", x), b.like(f.rounder, x)
    shifted = b.let("n", b.fma(x, b.like(4.0, x), rounder))
    rest = b.fma(b.sub(shifted, rounder), b.like(-0.25, x), x)
    near = _near(b, b.let("r", b.mul(rest, b.like(2 * math.pi, x))))
    sine, cosine = (b.let("near", value) for value in near)
    quadrant = b.bitcast(shifted, f.bits)
    return _in_quadrant(b, sine, cosine, quadrant, 1), _in_quadrant(b, sine, cosine, quadrant, 0)


def _near(b: Builder, r: Expr) -> tuple[Expr, Expr]:
    """sin r and cos r for |r| ≤ π/4."""
    f = _format(r)
    u = b.let("u", b.mul(r, r))
    sine = b.fma(b.mul(r, u), _polynomial(b, u, f.sin), r)
    cosine = b.fma(b.mul(u, u), _polynomial(b, u, f.cos), b.fma(u, b.like(-0.5, r), b.like(1.0, r)))
    return sine, cosine


def _in_quadrant(b: Builder, sine: Expr, cosine: Expr, quadrant: Expr, more: int) -> Expr:
    """sin(r + (quadrant + more)·π/2) from sin r and cos r."""
    f = _format(sine)
    quadrant = b.let("quadrant", b.add(quadrant, b.like(more, quadrant)) if more else quadrant)
    even = b.eq(b.bit_and(quadrant, b.like(1, quadrant)), b.like(0, quadrant))
    y = b.bitcast(b.select(even, sine, cosine), f.bits)
    sign = {"int32": 31, "int64": 63}[f.bits]
    flip = b.shl(b.bit_and(quadrant, b.like(2, quadrant)), b.like(sign - 1, quadrant))
    return b.bitcast(b.bit_xor(y, flip), sine.type.dtype)


def _format(x: Expr) -> Format:
    try:
        return FORMATS[x.type.dtype]
    except KeyError:
        raise TypeError(f"elementary functions are for float32 and float64, not {x.type}") from None


def _polynomial(b: Builder, x: Expr, coefficients: Polynomial) -> Expr:
    total = b.like(coefficients[-1], x)
    for c in reversed(coefficients[:-1]):
        total = b.fma(total, x, b.like(c, x))
    return total


def _subtract_multiple(b: Builder, x: Expr, n: Expr, parts: Polynomial) -> Expr:
    """x - n·constant: the first product cancels exactly inside the fma."""
    n = b.let("n", n)
    for part in parts:
        x = b.fma(n, b.like(-part, x), x)
    return x


def _odd(b: Builder, x: Expr, fit: tuple[Polynomial, Polynomial]) -> Expr:
    """x·P(x²)/Q(x²)."""
    x = b.let("x", x)
    u = b.let("u", b.mul(x, x))
    return b.div(b.mul(x, _polynomial(b, u, fit[0])), _polynomial(b, u, fit[1]))


def _saturating(b: Builder, x: Expr, limit: float, fit: tuple[Polynomial, Polynomial]) -> Expr:
    """x·P(x²)/Q(x²) clamped to ±1: it is just above 1 from ``limit`` on, so the result is exact there."""
    return _clamp(b, _odd(b, _clamp(b, x, limit), fit), 1.0)


def _clamp(b: Builder, x: Expr, limit: float) -> Expr:
    """x clamped to ±limit; NaN stays NaN."""
    x = b.let("x", x)
    x = b.let("x", b.select(b.gt(x, b.like(limit, x)), b.like(limit, x), x))
    return b.let("x", b.select(b.lt(x, b.like(-limit, x)), b.like(-limit, x), x))


def _with_sign(b: Builder, magnitude: Expr, x: Expr) -> Expr:
    return b.select(b.lt(x, b.like(0.0, x)), b.neg(magnitude), magnitude)
