"""Philox4x32-10 as loop IR (Salmon and others, "Parallel random numbers: as easy as 1, 2, 3", 2011).

Counter-based: each lane gets its words from (key, counter) alone, so that streams do not depend on order,
threads or unrolling. The words are those of ``specs.random``.
"""

from __future__ import annotations

from collections.abc import Sequence

from .. import ir
from ..builder import Builder
from ..ir import Expr

MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
KEY_STEPS = (0x9E3779B9, 0xBB67AE85)
ROUNDS = 10


def philox(b: Builder, key: Sequence[int | Expr], counter: Sequence[Expr]) -> tuple[Expr, Expr, Expr, Expr]:
    """The four uint32 words of each lane, for a ``key`` of two words and a ``counter`` of four."""
    c0, c1, c2, c3 = counter
    if any(word.type.dtype != "uint32" for word in counter):
        raise TypeError("the counter of philox is four uint32 values")
    k0, k1 = (b.like(k & 0xFFFFFFFF, c0) if isinstance(k, int) else k for k in key)
    for round in range(ROUNDS):
        if round:
            k0, k1 = (_step(b, k, step) for k, step in zip((k0, k1), KEY_STEPS, strict=True))
        high0, low0 = _wide_product(b, c0, MULTIPLIERS[0])
        high1, low1 = _wide_product(b, c2, MULTIPLIERS[1])
        c0 = b.let("c", b.bit_xor(b.bit_xor(high1, c1), k0))
        c2 = b.let("c", b.bit_xor(b.bit_xor(high0, c3), k1))
        c1, c3 = low1, low0
    return c0, c1, c2, c3


def _step(b: Builder, key: Expr, step: int) -> Expr:
    if isinstance(key, ir.Const):
        return b.like((int(key.value) + step) & 0xFFFFFFFF, key)
    return b.let("k", b.add(key, b.like(step, key)))


def _wide_product(b: Builder, x: Expr, multiplier: int) -> tuple[Expr, Expr]:
    """The high and low words of x·multiplier."""
    wide = b.cast(x, "uint64")
    product = b.let("product", b.mul(wide, b.like(multiplier, wide)))
    high = b.cast(b.shr(product, b.like(32, product)), "uint32")
    return high, b.let("low", b.cast(product, "uint32"))
