"""What ``sin_far`` and ``cos_far`` compute, bit by bit. Integer arithmetic reduces x (M. Payne and R. Hanek, "Radian
reduction for trigonometric functions", 1983); a series in float64 computes the function of the rest."""

from __future__ import annotations

import math
from functools import cache

#: Words of 64 bits that hold 2/π: a zero word, then as many as the largest finite number needs.
WORDS = 20
#: Terms after which both series have float64's precision up to π/4.
_TERMS = 9
#: Coefficients of (sin √u / √u - 1)/u and (cos √u - 1 + u/2)/u², highest power first.
SINE = tuple((-1) ** k / math.factorial(2 * k + 1) for k in range(_TERMS - 1, 0, -1))
COSINE = tuple((-1) ** k / math.factorial(2 * k) for k in range(_TERMS, 1, -1))


def far_sine(x: float, quadrants: int) -> float:
    """sin(x + quadrants·π/2) for |x| > 1e4; NaN for infinities and NaN."""
    if not math.isfinite(x):
        return math.nan
    fraction, exponent = math.frexp(abs(x))
    # x = m·2^e. The relevant bits of 2/π are those whose product with m·2^e is below 4, and 190 after the point.
    m, place = int(math.ldexp(fraction, 53)), exponent - 53 + 62
    window = two_over_pi() >> (64 * WORDS - place - 192) & (2**192 - 1)
    product = m * window & (2**192 - 1)
    n = (product + 2**189 >> 190) % 4
    distance = product >> 62 & (2**128 - 1)
    below = distance >= 2**127
    size = 2**128 - distance if below else distance
    turn = float(size >> 64) * 2.0**-64 + float(size & (2**64 - 1)) * 2.0**-128
    r = turn * (math.pi / 2)
    if below != (x < 0):
        r = -r
    quadrant = (-n if x < 0 else n) + quadrants
    u = r * r
    sine, cosine = r + r * u * _horner(u, SINE), (-0.5 * u + 1.0) + u * u * _horner(u, COSINE)
    y = cosine if quadrant % 2 else sine
    return -y if quadrant & 2 else y


def _horner(u: float, coefficients: tuple[float, ...]) -> float:
    total = coefficients[0]
    for coefficient in coefficients[1:]:
        total = total * u + coefficient
    return total


@cache
def two_over_pi() -> int:
    """The words as one number, the first word highest; by Machin's formula, π/4 = 4·arctan(1/5) - arctan(1/239)."""
    bits = 64 * (WORDS - 1)
    one = 1 << (bits + 64)

    def arctan(divisor: int) -> int:
        power, total, k = one // divisor, 0, 0
        while power:
            total += (-1) ** k * (power // (2 * k + 1))
            power //= divisor * divisor
            k += 1
        return total

    return (one << bits) // (2 * (4 * arctan(5) - arctan(239)))
