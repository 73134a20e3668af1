"""The random numbers of ``specs.random`` as loop IR, made of Philox's words."""

from __future__ import annotations

from ..builder import Builder
from ..ir import Expr
from .elementary import cos_sin_of_turns, log


def uniform_float64(b: Builder, high: Expr, low: Expr) -> Expr:
    """``specs.random.uniform_float64`` of the low halves of uint64: no operation rounds."""

    def number(whole: Expr) -> Expr:
        """A whole number below 2⁵², as the low bits of one from 2⁵² on."""
        bits = b.bit_or(whole, b.like(0x4330000000000000, whole))
        value = b.bitcast(bits, "float64")
        return b.sub(value, b.like(2.0**52, value))

    lanes = high.type.lanes
    mask = b.const(0xFFFFFFFF, "uint64", lanes)
    upper = number(b.bit_and(high, mask))
    lower = number(b.shr(b.bit_and(low, mask), b.const(11, "uint64", lanes)))
    return b.fma(upper, b.like(2.0**-32, upper), b.mul(lower, b.like(2.0**-53, lower)))


def normals(b: Builder, first: Expr, second: Expr) -> tuple[Expr, Expr]:
    """``specs.random.normals`` of two uniforms. Logarithm, sine and cosine are not rounded as NumPy's are: a number may
    differ in its last bits.
    """
    logarithm = log(b, b.sub(b.like(1.0, first), first))
    radius = b.let("radius", b.sqrt(b.mul(b.like(-2.0, first), logarithm)))
    cosine, sine = cos_sin_of_turns(b, second)
    return b.let("normal", b.mul(radius, cosine)), b.let("normal", b.mul(radius, sine))
