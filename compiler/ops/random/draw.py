"""``draw_uniforms`` and ``draw_normals``: numbers of a stream of ``specs.random``, from any of its counters on."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from netwright.specs.dims import DimLike
from netwright.specs.random import Stream, normals

from ...graph.node import Attributes
from ...graph.rules import ShapeError
from ...graph.types import TensorType
from ..base import Cost, Sample, moved_bytes, sizes
from ..contexts import EvaluationContext
from ..protocols import Opaque

#: The operand that names the stream and its first counter: the two words of the key, the upper two of the counter, and
#: the lower half of the first one.
WORDS = TensorType("uint64", (5,))


@dataclass(frozen=True, slots=True)
class DrawAttributes(Attributes):
    """How many counters are used: each has two numbers."""

    counters: DimLike


class _Draw(Opaque):
    attributes = DrawAttributes
    more: Sequence[TensorType] = ()
    """The operands behind that which names the stream."""

    def infer(self, attrs: DrawAttributes, operands: Sequence[TensorType]) -> Sequence[TensorType]:
        wanted = [WORDS, *self.more]
        if len(operands) != len(wanted):
            raise ShapeError(f"{self.name} takes {len(wanted)} operands, not {len(operands)}")
        for position, (type, expected) in enumerate(zip(operands, wanted, strict=True)):
            if type != expected:
                raise ShapeError(f"{self.name} takes {expected} there, not {type}", position)
        return self.results(attrs)

    @abstractmethod
    def results(self, attrs: DrawAttributes) -> Sequence[TensorType]:
        """The types of the results."""

    def stream(
        self, context: EvaluationContext, attrs: DrawAttributes, words: np.ndarray
    ) -> tuple[Stream, np.ndarray]:
        """The stream that an operand names, and the counters."""
        key0, key1, upper0, upper1, first = (int(word) for word in words)
        (count,) = sizes(context, (attrs.counters,))
        counters = np.arange(first, first + count, dtype=np.uint64)
        return Stream((key0, key1), (upper0, upper1)), counters

    def pairs(self, b: Any, words: Any, i: Any, lanes: int) -> tuple[Any, Any]:
        """Both uniforms of each of the counters from the i-th on."""

        def word(number: int) -> Any:
            return b.broadcast(b.load(words, (number,)), lanes)

        counter = b.let("counter", b.add(word(4), b.lane_index(i, "uint64", lanes)))
        counter = b.add(counter, b.ramp("uint64", lanes)) if lanes > 1 else counter
        counter = b.let("counter", counter)
        low, high = b.cast(counter, "uint32"), b.cast(b.shr(counter, b.like(32, counter)), "uint32")
        upper = [b.cast(word(number), "uint32") for number in (2, 3)]
        drawn = b.wide_philox([word(0), word(1)], (low, high, *upper))
        return b.uniform_float64(*drawn[:2]), b.uniform_float64(*drawn[2:])

    def cost(self, attrs: Any, operands: Sequence[TensorType], results: Sequence[TensorType]) -> Cost:
        return Cost(60 * results[0].size, moved_bytes(operands, results))


class DrawUniforms(_Draw):
    """Uniform numbers in [0, 1), float64: the first of each counter, and the second."""

    name = "draw_uniforms"

    def results(self, attrs: DrawAttributes) -> Sequence[TensorType]:
        return [TensorType("float64", (attrs.counters,))] * 2

    def evaluate(
        self, context: EvaluationContext, attrs: DrawAttributes, operands: Sequence[np.ndarray]
    ) -> Sequence[np.ndarray]:
        stream, counters = self.stream(context, attrs, operands[0])
        return [*stream.pairs(counters)]

    def lower(
        self, builder: Any, attrs: DrawAttributes, operands: Sequence[Any], results: Sequence[Any], lanes: int
    ) -> None:
        b, count = builder, attrs.counters
        with b.loop("i", 0, count, lanes, kind="parallel") as i:
            for result, value in zip(results, self.pairs(b, operands[0], i, lanes), strict=True):
                b.store(result, (i,), value, count - i)

    def samples(self) -> Sequence[Sample]:
        return [Sample((WORDS,), DrawAttributes(count), ("index:1000",)) for count in (1, 37)]


class DrawNormals(_Draw):
    """Bounds of mean + deviation·z, for normal numbers z: float32 below and above it.

    The second operand has the mean, the deviation, and how far the result may be from that of the formulas in
    ``specs.random``, which may have been rounded otherwise. Elements 2i and 2i + 1 are those of counter i. Where both
    bounds are equal, they are the number that the formulas give in float32.
    """

    name = "draw_normals"
    more = (TensorType("float64", (3,)),)

    def results(self, attrs: DrawAttributes) -> Sequence[TensorType]:
        return [TensorType("float32", (2 * attrs.counters,))] * 2

    def evaluate(
        self, context: EvaluationContext, attrs: DrawAttributes, operands: Sequence[np.ndarray]
    ) -> Sequence[np.ndarray]:
        words, (mean, deviation, tolerance) = operands
        stream, counters = self.stream(context, attrs, words)
        values = mean + deviation * np.stack(normals(*stream.pairs(counters)), axis=-1).reshape(-1)
        return [(values + sign * tolerance).astype(np.float32) for sign in (-1, 1)]

    def lower(
        self, builder: Any, attrs: DrawAttributes, operands: Sequence[Any], results: Sequence[Any], lanes: int
    ) -> None:
        b, count, (words, shape) = builder, attrs.counters, operands
        wide = max(1, lanes // 2)
        mean, deviation, tolerance = (
            b.let("shape", b.broadcast(b.load(shape, (number,)), wide)) for number in range(3)
        )
        order = [lane for pair in zip(range(wide), range(wide, 2 * wide), strict=True) for lane in pair]
        with b.loop("i", 0, count, wide, kind="parallel") as i:
            values = [
                b.let("value", b.fma(deviation, normal, mean))
                for normal in b.normals(*self.pairs(b, words, i, wide))
            ]
            for result, bound in zip(results, (b.sub, b.add), strict=True):
                first, second = (b.cast(bound(value, tolerance), "float32") for value in values)
                b.store(result, (2 * i,), b.shuffle(first, second, order), 2 * (count - i))

    def samples(self) -> Sequence[Sample]:
        return [
            Sample((WORDS, *self.more), DrawAttributes(count), ("index:1000", "positive"))
            for count in (1, 37)
        ]
