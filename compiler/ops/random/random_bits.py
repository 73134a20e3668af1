"""``random_bits``: counter-based random words, the same in every engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from netwright.specs.dims import DimLike, Shape
from netwright.specs.random import philox4x32

from ...graph.node import Attributes
from ...graph.rules import ShapeError
from ...graph.types import TensorType
from ...loop.intrinsics.philox import philox
from ..base import KEY, Cost, Sample, moved_bytes, sizes
from ..contexts import EvaluationContext
from ..protocols import Generator

_MASK = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class RandomBitsAttributes(Attributes):
    """``key`` of the stream (two 32-bit words, see ``specs.random.key_for``), ``shape`` of the result, and the number
    of its ``first`` element, where it is a part of a larger array."""

    key: tuple[int, int]
    shape: Shape
    first: DimLike = 0


class RandomBits(Generator):
    """uint32 words: the first of Philox4x32-10 at counter (element low, element high, time, step).

    Operands: the scalar step and, inside a recurrence, the scalar time (integers; their low 32 bits count). The
    element is the row-major position, so a word does not depend on layout, threads or unrolling.
    """

    name = "random_bits"
    attributes = RandomBitsAttributes

    def infer(self, attrs: RandomBitsAttributes, operands: Sequence[TensorType]) -> Sequence[TensorType]:
        if len(operands) not in (1, 2):
            raise ShapeError(f"random_bits takes a step and maybe a time, not {len(operands)} operands")
        for position, type in enumerate(operands):
            if type.shape != () or type.dtype not in ("int32", "int64", "uint32", "uint64"):
                raise ShapeError(f"random_bits counts by integer scalars, not by {type}", position)
        return [TensorType("uint32", attrs.shape)]

    def evaluate(
        self, context: EvaluationContext, attrs: RandomBitsAttributes, operands: Sequence[np.ndarray]
    ) -> Sequence[np.ndarray]:
        shape = sizes(context, attrs.shape)
        (first,) = sizes(context, (attrs.first,))
        elements = np.arange(first, first + int(np.prod(shape, dtype=np.int64)), dtype=np.uint64)
        counter = np.zeros((elements.size, 4), np.uint32)
        counter[:, 0] = elements & np.uint64(_MASK)
        counter[:, 1] = elements >> np.uint64(32)
        counter[:, 2] = int(operands[1]) & _MASK if len(operands) == 2 else 0
        counter[:, 3] = int(operands[0]) & _MASK
        return [philox4x32(attrs.key, counter)[:, 0].reshape(shape)]

    def emit_at(
        self,
        builder: Any,
        attrs: RandomBitsAttributes,
        operands: Sequence[Any],
        type: TensorType,
        index: Sequence[Any],
        lanes: int,
    ) -> Any:
        element: DimLike = 0
        for size, position in zip(type.shape, index, strict=True):
            element = element * size + position
        wide = builder.lane_index(attrs.first + element, "uint64", lanes)
        step, *time = (builder.broadcast(builder.cast(x, "uint32"), lanes) for x in operands)
        counter = [
            builder.cast(wide, "uint32"),
            builder.cast(builder.shr(wide, builder.like(32, wide)), "uint32"),
            time[0] if time else builder.const(0, "uint32", lanes),
            step,
        ]
        return philox(builder, attrs.key, counter)[0]

    def cost(self, attrs: Any, operands: Sequence[TensorType], results: Sequence[TensorType]) -> Cost:
        return Cost(60 * results[0].size, moved_bytes(operands, results))

    def samples(self) -> Sequence[Sample]:
        step = TensorType("int64", ())
        attrs = RandomBitsAttributes(KEY, (3, 5))
        part = RandomBitsAttributes(KEY, (3, 5), 2**33 + 5)
        return [
            Sample((step,), attrs, ("index:1000",)),
            Sample((step,), part, ("index:1000",)),
            Sample((step, step), attrs, ("index:1000", "index:50")),
        ]
