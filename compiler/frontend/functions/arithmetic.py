"""Arithmetic beyond the primitives: rounding, powers, remainders, trigonometric and hyperbolic functions."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import reduce

from ...graph.types import FLOATS
from ..tensor import Number, Tensor, full, where

#: Beyond this x, adding 1 to x² changes nothing.
_LARGE = 1e9


def reciprocal(x: Tensor) -> Tensor:
    """1 / x."""
    return 1 / x


def sign(x: Tensor) -> Tensor:
    """−1, 0 or 1; NaN stays, as does a zero's sign."""
    return where(x.compare("gt", 0), _like(x, 1), where(x.compare("lt", 0), _like(x, -1), x))


def floor(x: Tensor) -> Tensor:
    """⌊x⌋."""
    return x.apply("floor") if x.dtype in FLOATS else x


def ceil(x: Tensor) -> Tensor:
    """⌈x⌉."""
    return -(-x).apply("floor") if x.dtype in FLOATS else x


def trunc(x: Tensor) -> Tensor:
    """x rounded towards zero."""
    return where(x.compare("lt", 0), ceil(x), floor(x)) if x.dtype in FLOATS else x


def rounded(x: Tensor) -> Tensor:
    """The nearest integer; of two, the even one."""
    return x.apply("round") if x.dtype in FLOATS else x


def is_nan(x: Tensor) -> Tensor:
    """Whether x is NaN."""
    return x.compare("ne", x)


def is_inf(x: Tensor) -> Tensor:
    """Whether x is infinite."""
    return x.abs().compare("eq", math.inf)


def tan(x: Tensor) -> Tensor:
    """sin x / cos x."""
    return x.apply("sin") / x.apply("cos")


def sinh(x: Tensor) -> Tensor:
    """(e^x − e^−x) / 2; for small x by its series, since the difference would lose digits."""
    square = x * x
    series = x * reduce(lambda total, n: square / (n * (n + 1)) * total + 1, (10, 8, 6, 4, 2), _like(x, 1))
    half = (x.abs() - math.log(2)).exp()
    far = half - 0.25 / half
    return where(x.abs().compare("lt", 0.3), series, where(x.compare("lt", 0), -far, far))


def cosh(x: Tensor) -> Tensor:
    """(e^x + e^−x) / 2, with the factor ½ inside the exponent, so that it overflows only where the result does."""
    half = (x.abs() - math.log(2)).exp()
    return half + 0.25 / half


def log1p(x: Tensor) -> Tensor:
    """log(1 + x), with the digits that u = 1 + x loses restored: x·log(u)/(u − 1) (Kahan)."""
    u = x + 1
    lost = u - 1
    same = lost.compare("eq", 0).either(u.compare("eq", math.inf))
    return where(same, x, u.log() * x / where(same, _like(x, 1), lost))


def asinh(x: Tensor) -> Tensor:
    """sign(x)·log(|x| + √(x² + 1)) as log1p(|x| + x²/(1 + √(x² + 1))); log(2|x|) where x² might overflow."""
    size = x.abs()
    large = size.compare("gt", _LARGE)
    near = where(large, _like(x, 1), size)
    square = near * near
    y = log1p(near + square / ((square + 1).sqrt() + 1))
    return _odd(x, where(large, size.log() + math.log(2), y))


def acosh(x: Tensor) -> Tensor:
    """log(x + √(x² − 1)) as log1p(t + √(2t + t²)) with t = x − 1, log(2x) where t² might overflow; NaN below 1."""
    large = x.compare("gt", _LARGE)
    t = where(large, _like(x, 0), x - 1)
    y = where(x.compare("lt", 1), _like(x, math.nan), log1p(t + (t * 2 + t * t).sqrt()))
    return where(large, x.log() + math.log(2), y)


def atanh(x: Tensor) -> Tensor:
    """½·log((1 + x) / (1 − x)) as ½·log1p(2x / (1 − x)), odd in x."""
    size = x.abs()
    return _odd(x, log1p(size * 2 / (1 - size)) * 0.5)


def atan(x: Tensor) -> Tensor:
    """The inverse tangent: |x| > 1 by π/2 − atan(1/x), the angle halved twice, then the series."""
    size = x.abs()
    steep = size.compare("gt", 1)
    small = where(steep, 1 / where(steep, size, 1), size)
    for _ in range(2):
        small = small / ((small * small + 1).sqrt() + 1)
    square = small * small
    series = reduce(lambda total, n: 1 / n - total * square, range(21, 0, -2), _like(x, 0))
    angle = small * series * 4
    return _odd(x, where(steep, math.pi / 2 - angle, angle))


def asin(x: Tensor) -> Tensor:
    """atan(x / √(1 − x²)); NaN outside −1 … 1."""
    return atan(x / ((1 - x) * (1 + x)).sqrt())


def acos(x: Tensor) -> Tensor:
    """2·atan(√((1 − x) / (1 + x))); NaN outside −1 … 1."""
    return atan(((1 - x) / (x + 1)).sqrt()) * 2


def power(x: Tensor, y: Tensor) -> Tensor:
    """x^y, as IEEE 754's pow except for the sign of zeros.

    |x|^y = exp(y·log|x|), with the sign of x for odd integers y, and NaN for negative x and fractional y. Integers
    are computed in float64 and rounded.
    """
    if x.dtype not in FLOATS:
        return rounded(power(x.cast("float64"), y.cast("float64"))).cast(x.dtype)
    y = y.cast(x.dtype)
    zero, negative = x.compare("eq", 0), x.compare("lt", 0)
    unit = x.abs().compare("eq", 1)
    size = (where(zero.either(unit), _like(x, 1), x.abs()).log() * where(unit, _like(x, 0), y)).exp()
    half = y * 0.5
    whole, even = y.compare("eq", floor(y)), half.compare("eq", floor(half))
    broken = where(is_inf(x), size, _like(x, math.nan))
    size = where(negative, where(whole, where(even, size, -size), broken), size)
    pole = where(y.compare("lt", 0), _like(x, math.inf), y)
    size = where(zero, where(y.compare("gt", 0), _like(x, 0), pole), size)
    size = where(y.compare("eq", 1), x, size)
    return where(y.compare("eq", 0).either(x.compare("eq", 1)), _like(x, 1), size)


def constant_power(x: Tensor, exponent: Number) -> Tensor:
    """x to a constant power: products for integer exponents up to 8, roots, otherwise the general rule."""
    if x.dtype in FLOATS and exponent < 0 and not math.isinf(exponent):
        return 1 / constant_power(x, -exponent)
    if exponent == 0:
        return _like(x, 1)
    if exponent == 0.5 and x.dtype in FLOATS:
        return x.sqrt()
    if float(exponent).is_integer() and 0 < exponent <= 8:
        return reduce(Tensor.__mul__, [x] * int(exponent))
    dtype = x.dtype if x.dtype in FLOATS else "float64"
    return power(x, full(x.graph, exponent, x.type.with_dtype(dtype)))


def floor_divide(x: Tensor, y: Tensor) -> Tensor:
    """⌊x / y⌋. Integers are computed in float64: exact below 2⁵³."""
    if x.dtype in FLOATS:
        return floor(x / y)
    return floor(x.cast("float64") / y.cast("float64")).cast(x.dtype)


def modulo(x: Tensor, y: Tensor) -> Tensor:
    """x − y·⌊x / y⌋, which has the sign of y. Floats: 0 if the quotient has more digits than the type holds."""
    if x.dtype not in FLOATS:
        return x - y * floor_divide(x, y)
    same_sign = x.compare("lt", 0).apply("eq", y.compare("lt", 0)).either(x.compare("eq", 0))
    return _remainder(x, y, floor, where(same_sign, x, y))


def _remainder(x: Tensor, y: Tensor, cut: Callable[[Tensor], Tensor], of_infinity: Tensor) -> Tensor:
    """x − y·cut(x / y); ``of_infinity`` if y is infinite and x is not, so that the quotient is 0."""
    digits = 24 if x.dtype == "float32" else 53
    quotient = x / y
    lost = (
        quotient.abs()
        .compare("ge", 2.0**digits)
        .both(y.compare("ne", 0))
        .both(x.abs().compare("lt", math.inf))
    )
    safe = where(lost.either(is_inf(y)), _like(x, 0), cut(quotient))
    rest = where(lost, _like(x, 0), x - where(is_inf(y), _like(x, 1), y) * safe)
    return where(is_inf(y).both(x.abs().compare("lt", math.inf)), of_infinity, where(is_inf(x), x - x, rest))


def truncated_modulo(x: Tensor, y: Tensor) -> Tensor:
    """x − y·trunc(x / y), which has the sign of x. Floats: 0 if the quotient has more digits than the type holds."""
    if x.dtype in FLOATS:
        return _remainder(x, y, trunc, x)
    return x - y * trunc(x.cast("float64") / y.cast("float64")).cast(x.dtype)


def _odd(x: Tensor, y: Tensor) -> Tensor:
    """The odd function that is ``y`` at |x|, and close to x near 0: zeros keep their sign, and the slope there
    is 1."""
    return where(x.compare("eq", 0), x, where(x.compare("lt", 0), -y, y))


def clip(x: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """min(max(x, low), high)."""
    return x.maximum(low).minimum(high)


def _like(x: Tensor, number: Number) -> Tensor:
    return full(x.graph, number, x.type)


def absolute(x: Tensor) -> Tensor:
    """|x|."""
    return x if x.dtype.startswith("u") else x.abs()


#: The language's functions of one argument, by name.
POINTWISE: Mapping[str, Callable[[Tensor], Tensor]] = {
    "abs": absolute,
    "tan": tan,
    "asin": asin,
    "acos": acos,
    "atan": atan,
    "sinh": sinh,
    "cosh": cosh,
    "asinh": asinh,
    "acosh": acosh,
    "atanh": atanh,
    "reciprocal": reciprocal,
    "sign": sign,
    "floor": floor,
    "ceil": ceil,
    "trunc": trunc,
    "round": rounded,
    "isnan": is_nan,
    "isinf": is_inf,
    "logical_not": lambda x: x.apply("not"),
}

#: The language's functions of several arguments of one shape and dtype, by name.
JOINT: Mapping[str, Callable[..., Tensor]] = {
    "maximum": lambda *xs: reduce(Tensor.maximum, xs),
    "minimum": lambda *xs: reduce(Tensor.minimum, xs),
    "clip": clip,
    "mod": modulo,
    "fmod": truncated_modulo,
    "logical_and": Tensor.both,
    "logical_or": Tensor.either,
    "logical_xor": lambda a, b: a.apply("ne", b) if a.dtype == "bool" else a.both(b),
}
