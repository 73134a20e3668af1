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
_LOW = 0xFFFFFFFF


def philox(b: Builder, key: Sequence[int | Expr], counter: Sequence[Expr]) -> tuple[Expr, Expr, Expr, Expr]:
    """The four uint32 words of each lane, for a ``key`` of two words and a ``counter`` of four."""
    c0, c1, c2, c3 = (b.cast(word, "uint32") for word in wide_philox(b, key, counter))
    return c0, c1, c2, c3


def wide_philox(
    b: Builder, key: Sequence[int | Expr], counter: Sequence[Expr]
) -> tuple[Expr, Expr, Expr, Expr]:
    """As ``philox``, each word in the low half of an uint64, of which the high half is anything.

    In between, words stay in 64 bits: a vector multiplies the low halves of these, while to narrow and widen it takes
    longer than the rest of a round.
    """
    if any(word.type.dtype != "uint32" for word in counter):
        raise TypeError("the counter of philox is four uint32 values")
    c0, c1, c2, c3 = (b.cast(word, "uint64") for word in counter)
    k0, k1 = (b.like(k & _LOW, c0) if isinstance(k, int) else b.cast(k, "uint64") for k in key)
    for round in range(ROUNDS):
        if round:
            k0, k1 = (_step(b, k, step) for k, step in zip((k0, k1), KEY_STEPS, strict=True))
        first, second = _product(b, c0, MULTIPLIERS[0]), _product(b, c2, MULTIPLIERS[1])
        c0 = b.let("c", b.bit_xor(b.bit_xor(_high(b, second), c1), k0))
        c2 = b.let("c", b.bit_xor(b.bit_xor(_high(b, first), c3), k1))
        c1, c3 = second, first
    return c0, c1, c2, c3


def _step(b: Builder, key: Expr, step: int) -> Expr:
    if isinstance(key, ir.Const):
        return b.like((int(key.value) + step) & _LOW, key)
    return b.let("k", b.add(key, b.like(step, key)))


def _product(b: Builder, x: Expr, multiplier: int) -> Expr:
    """The low word of x times a multiplier, in 64 bits."""
    return b.let("product", b.mul(b.bit_and(x, b.like(_LOW, x)), b.like(multiplier, x)))


def _high(b: Builder, product: Expr) -> Expr:
    return b.shr(product, b.like(32, product))
