"""``permutation``: the order of samples in an epoch, the same in every engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from netwright.specs.dims import DimLike, Shape
from netwright.specs.random import permutation_keys

from ...graph.node import Attributes
from ...graph.rules import ShapeError
from ...graph.types import TensorType
from ...loop.intrinsics.philox import philox
from ..base import KEY, Cost, Sample, moved_bytes, sizes
from ..contexts import EvaluationContext
from ..protocols import Opaque
from .gather import OUT_OF_RANGE

#: A pass of the sort goes by so many bits of the keys. The number of passes is even: the last one ends where the first
#: one began.
_DIGIT, _PASSES = 8, 8


@dataclass(frozen=True, slots=True)
class PermutationAttributes(Attributes):
    """``key`` of the stream (two 32-bit words, see ``specs.random.key_for``) and the ``count`` of samples."""

    key: tuple[int, int]
    count: DimLike


class Permutation(Opaque):
    """The numbers below ``count`` in the order of 64 random bits each, of which equal ones stay in order
    (``specs.random.permutation``).

    The operand is the epoch, an integer scalar of which the low 32 bits count. The first result is the order; the
    others are the memory of the sort: the sorted keys, order and keys as they were before its last pass, and how many
    keys have at most each last digit. Each pass sorts stably by a digit of the keys (Knuth, The Art of Computer
    Programming 3, 5.2.5).
    """

    name = "permutation"
    attributes = PermutationAttributes

    def infer(self, attrs: PermutationAttributes, operands: Sequence[TensorType]) -> Sequence[TensorType]:
        (epoch,) = operands
        if epoch.shape != () or epoch.dtype not in ("int32", "int64", "uint32", "uint64"):
            raise ShapeError(f"permutation takes the number of an epoch, an integer scalar, not {epoch}", 0)
        shape: Shape = (attrs.count,)
        order, keys = TensorType("int64", shape), TensorType("uint64", shape)
        return [order, keys, order, keys, TensorType("int64", (1 << _DIGIT,))]

    def evaluate(
        self, context: EvaluationContext, attrs: PermutationAttributes, operands: Sequence[np.ndarray]
    ) -> Sequence[np.ndarray]:
        (count,) = sizes(context, (attrs.count,))
        keys = permutation_keys(attrs.key, int(operands[0]) & 0xFFFFFFFF, count)
        low = keys & np.uint64((1 << _DIGIT * (_PASSES - 1)) - 1)
        order, before = (np.argsort(by, kind="stable").astype(np.int64) for by in (keys, low))
        last = (keys >> np.uint64(_DIGIT * (_PASSES - 1))).astype(np.int64)
        counts = np.cumsum(np.bincount(last, minlength=1 << _DIGIT))
        return [order, keys[order], before, keys[before], counts]

    def lower(
        self,
        builder: Any,
        attrs: PermutationAttributes,
        operands: Sequence[Any],
        results: Sequence[Any],
        lanes: int,
    ) -> None:
        """One thread makes the keys and sorts them."""
        b, (epoch,), (order, keys, other, other_keys, counts) = builder, operands, results
        with b.nest((), kind="parallel"):
            number = b.let("epoch", b.cast(b.load(epoch, ()), "uint32"))
            with b.loop("i", 0, attrs.count) as i:
                wide = b.let("wide", b.index_value(i, "uint64"))
                high = b.cast(b.shr(wide, b.like(32, wide)), "uint32")
                first, second, _, _ = philox(
                    b, attrs.key, (b.cast(wide, "uint32"), high, b.like(0, number), number)
                )
                upper = b.cast(first, "uint64")
                b.store(keys, (i,), b.bit_or(b.shl(upper, b.like(32, upper)), b.cast(second, "uint64")))
                b.store(order, (i,), b.index_value(i, "int64"))
            read, written = (order, keys), (other, other_keys)
            for position in range(_PASSES):
                _sort(b, position * _DIGIT, read, written, counts, attrs.count)
                read, written = written, read

    def cost(self, attrs: Any, operands: Sequence[TensorType], results: Sequence[TensorType]) -> Cost:
        return Cost(100 * results[0].size, _PASSES * moved_bytes(operands, results))

    def samples(self) -> Sequence[Sample]:
        epoch = TensorType("int64", ())
        return [Sample((epoch,), PermutationAttributes(KEY, count), ("index:1000",)) for count in (1, 37)]


def _sort(b: Any, shift: int, read: Any, written: Any, counts: Any, count: DimLike) -> None:
    """Moves the numbers and keys that are ``read`` to where they are ``written``, sorted by the digit at a bit."""

    def digit(i: Any) -> tuple[Any, Any]:
        key = b.let("key", b.load(read[1], (i,)))
        value = b.bit_and(b.shr(key, b.like(shift, key)), b.like((1 << _DIGIT) - 1, key))
        return key, b.let_index("digit", value, 0, 1 << _DIGIT, OUT_OF_RANGE)

    with b.loop("d", 0, 1 << _DIGIT) as d:
        b.store(counts, (d,), b.const(0, "int64"))
    with b.loop("i", 0, count) as i:
        _, d = digit(i)
        b.store(counts, (d,), b.add(b.load(counts, (d,)), b.const(1, "int64")))
    start = b.register("start", b.const(0, "int64"))
    with b.loop("d", 0, 1 << _DIGIT) as d:
        size = b.let("size", b.load(counts, (d,)))
        b.store(counts, (d,), start)
        b.assign(start, b.add(start, size))
    with b.loop("i", 0, count) as i:
        key, d = digit(i)
        place = b.let_index("place", b.load(counts, (d,)), 0, count, OUT_OF_RANGE)
        b.store(written[1], (place,), key)
        b.store(written[0], (place,), b.load(read[0], (i,)))
        b.store(counts, (d,), b.index_value(place + 1, "int64"))
