"""What the operations that vary samples share: their operands, and the numbers that belong to a sample in an epoch."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from netwright.specs.dims import DimLike, Shape, product
from netwright.specs.random import sample_uniforms
from netwright.specs.variations import Draw, varied_type

from ...graph.node import Attributes
from ...graph.rules import ShapeError
from ...graph.types import TensorType
from ..base import Cost, Sample, moved_bytes, sizes
from ..contexts import EvaluationContext
from ..indexing.gather import OUT_OF_RANGE
from ..protocols import Opaque

#: The types of which samples are computed with, in float64 on the way.
COMPUTED = ("float32", "float64", "int8", "uint8", "uint16", "int32")

#: Up to so many neighbours are handled one by one.
FEW = 4


@dataclass(frozen=True, slots=True)
class VaryAttributes(Attributes):
    """``key`` of the random stream (see ``specs.random.key_for``), ``shape`` of a sample, the ``dtype`` that the model
    takes, and the type in which the numbers were ``stored``, which is that of the samples or a narrower one: what is
    computed is rounded to it.
    """

    key: tuple[int, int]
    shape: Shape
    dtype: str
    stored: str


class Vary(Opaque):
    """Samples [N, S], each in one row, with the numbers of the samples [N], the epoch [], and how many steps of each
    sample count [N]: all int64. Each sample is changed by random numbers that are its own in an epoch.

    The change in NumPy is in ``specs.variations``.
    """

    computes: bool = False
    """Whether it computes new numbers, in place of moving those that are there."""

    def infer(self, attrs: VaryAttributes, operands: Sequence[TensorType]) -> Sequence[TensorType]:
        if len(operands) != 4:
            raise ShapeError(f"{self.name} takes samples, their numbers, an epoch and lengths")
        samples, rows, epoch, lengths = operands
        if samples.rank != 2 or samples.shape[1] != product(attrs.shape):
            raise ShapeError(f"{self.name} of samples of the shape {list(attrs.shape)}, not of {samples}", 0)
        per_sample = TensorType("int64", samples.shape[:1])
        for position, (type, wanted) in enumerate(
            ((rows, per_sample), (epoch, TensorType("int64", ())), (lengths, per_sample)), 1
        ):
            if type != wanted:
                raise ShapeError(f"{self.name} takes {wanted} there, not {type}", position)
        if not self.computes:
            return [samples]
        if samples.dtype not in COMPUTED:
            raise ShapeError(f"{self.name} computes with {', '.join(COMPUTED)}, not with {samples.dtype}", 0)
        if not np.can_cast(attrs.stored, samples.dtype):
            raise ShapeError(f"{self.name} of {samples.dtype} can't have been stored as {attrs.stored}", 0)
        return [replace(samples, dtype=varied_type(np.dtype(samples.dtype), np.dtype(attrs.dtype)).name)]

    def evaluate(
        self, context: EvaluationContext, attrs: VaryAttributes, operands: Sequence[np.ndarray]
    ) -> Sequence[np.ndarray]:
        samples, rows, epoch, lengths = operands

        def draw(count: int) -> np.ndarray:
            return sample_uniforms(attrs.key, int(epoch) & 0xFFFFFFFF, rows, count)

        shaped = samples.reshape(len(samples), *sizes(context, attrs.shape))
        taken = varied_type(samples.dtype, np.dtype(attrs.dtype)) if self.computes else samples.dtype
        varied = self.vary(attrs, shaped.astype(attrs.stored), lengths, draw)
        return [varied.reshape(samples.shape).astype(taken)]

    @abstractmethod
    def vary(self, attrs: Any, samples: np.ndarray, lengths: np.ndarray, draw: Draw) -> np.ndarray:
        """The changed ``samples`` [N, *shape], of the type in which they were stored."""

    def lower(
        self, builder: Any, attrs: Any, operands: Sequence[Any], results: Sequence[Any], lanes: int
    ) -> None:
        """Threads divide the samples."""
        b, (samples, rows, epochs, lengths), (y,) = builder, operands, results
        with b.loop("n", 0, samples.shape[0], kind="parallel") as n:
            number = b.cast(b.load(rows, (n,)), "uint64")
            epoch = b.cast(b.load(epochs, ()), "uint32")
            steps = b.let_index("steps", b.load(lengths, (n,)), 0, attrs.shape[0] + 1, OUT_OF_RANGE)
            own = VariedSample(b, attrs, n, samples, y, number, epoch, steps, lanes)
            self.lower_sample(own, attrs)

    @abstractmethod
    def lower_sample(self, sample: VariedSample, attrs: Any) -> None:
        """Emits the change of one sample."""

    def cost(self, attrs: Any, operands: Sequence[TensorType], results: Sequence[TensorType]) -> Cost:
        return Cost(results[0].size, moved_bytes(operands, results))

    def samples(self) -> Sequence[Sample]:
        return [
            Sample(
                (
                    TensorType(dtype, (3, product(attrs.shape))),
                    TensorType("int64", (3,)),
                    TensorType("int64", ()),
                    TensorType("int64", (3,)),
                ),
                attrs,
                (
                    "normal" if dtype == attrs.stored and "float" in dtype else "index:100",
                    "index:1000",
                    "index:50",
                    f"index:{attrs.shape[0] + 1}",
                ),
                differentiable=(),
            )
            for dtype, attrs in self.cases()
        ]

    @abstractmethod
    def cases(self) -> Sequence[tuple[str, Any]]:
        """Types of samples, and attributes, for tests."""


@dataclass(frozen=True)
class VariedSample:
    """Sample ``n`` of a kernel that ``b`` builds: it lies in row n of ``x`` and goes to row n of ``y``. ``lanes``: how
    many elements of y's dtype a native vector holds."""

    b: Any
    attrs: Any
    n: Any
    x: Any
    y: Any
    number: Any
    epoch: Any
    steps: Any
    lanes: int

    @property
    def size(self) -> DimLike:
        """How many elements it has."""
        return product(self.attrs.shape)

    @property
    def counted(self) -> DimLike:
        """How many elements its steps have."""
        return self.steps * product(self.attrs.shape[1:])

    @property
    def wide(self) -> int:
        """How many float64 a native vector holds."""
        return max(1, self.lanes * np.dtype(self.y.dtype).itemsize // 8)

    def uniforms(self, count: int) -> list[Any]:
        """The first ``count`` of its numbers, float64 scalars."""
        b, drawn = self.b, []
        for counter in range((count + 1) // 2):
            drawn += [b.let("u", each) for each in self.pair(b.const(counter, "uint64"))]
        return drawn[:count]

    def pair(self, counter: Any) -> tuple[Any, Any]:
        """Both numbers of each counter (uint64)."""
        b, lanes = self.b, counter.type.lanes
        low = b.broadcast(b.cast(self.number, "uint32"), lanes)
        high = b.broadcast(b.cast(b.shr(self.number, b.like(32, self.number)), "uint32"), lanes)
        words = b.wide_philox(
            self.attrs.key, (b.cast(counter, "uint32"), low, high, b.broadcast(self.epoch, lanes))
        )
        return b.uniform_float64(*words[:2]), b.uniform_float64(*words[2:])

    def whole(self, stem: str, value: Any, low: DimLike, high: DimLike) -> Any:
        """The index ⌊value⌋, low ≤ it < high."""
        b = self.b
        return b.let_index(stem, b.cast(b.floor(value), "int64"), low, high, OUT_OF_RANGE)

    def as_result(self, value: Any) -> Any:
        """Float64 numbers in the result's type; whole ones are rounded, and stay within the limits of the data's."""
        b, stored = self.b, np.dtype(self.attrs.stored)
        if stored.kind == "f":
            value = b.cast(value, stored.name)
        else:
            limits = np.iinfo(stored)
            low, high = b.like(float(limits.min), value), b.like(float(limits.max), value)
            value = b.let("value", value)
            value = b.let("value", b.select(b.lt(value, low), low, value))
            value = b.select(b.gt(value, high), high, value)
            # Adding this number rounds to a whole one, half to even, which is then in the low bits.
            rounder = b.like(1.5 * 2.0**52, value)
            value = b.let("value", b.add(value, rounder))
            if np.dtype(self.y.dtype).kind != "f":
                return b.cast(b.bitcast(value, "int64"), self.y.dtype)
            value = b.sub(value, rounder)
        return b.cast(value, self.y.dtype)

    def copy(self, start: DimLike, stop: DimLike, moved: DimLike = 0) -> None:
        """Stores the elements from ``start`` to before ``stop``; they come from ``moved`` elements before."""
        b, lanes = self.b, self._lanes_for(start, stop)
        with b.loop("i", start, stop, lanes) as i:
            value = b.load(self.x, (self.n, i - moved), lanes, stop - i)
            b.store(self.y, (self.n, i), b.cast(value, self.y.dtype), stop - i)

    def clear(self, start: DimLike, stop: DimLike) -> None:
        """Stores zeros from ``start`` to before ``stop``."""
        b, lanes = self.b, self._lanes_for(start, stop)
        with b.loop("i", start, stop, lanes) as i:
            b.store(self.y, (self.n, i), b.const(0, self.y.dtype, lanes), stop - i)

    def _lanes_for(self, start: DimLike, stop: DimLike) -> int:
        count = stop - start
        return 1 if isinstance(count, int) and count <= FEW else self.lanes
