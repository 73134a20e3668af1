"""``pad`` and ``slice``, which are adjoint to each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from netwright.specs.dims import DimLike, Shape, bounds, ceil_div

from ...graph.graph import Graph
from ...graph.node import Attributes, Node, Value
from ...graph.rules import ShapeError
from ...graph.types import FLOATS, TensorType
from ..base import Sample, sizes
from ..contexts import EvaluationContext, GradientContext
from ..protocols import Margins, NotAffine, Source, Storage, View


@dataclass(frozen=True, slots=True)
class SliceAttributes(Attributes):
    """Per axis: cells ``start``, ``start + stride``, … below ``limit``; none where that is up to ``stride - 1`` before
    ``start``, as the limit of a slice of a slice without cells is."""

    start: Shape
    limit: Shape
    stride: tuple[int, ...]

    @classmethod
    def along(cls, shape: Shape, axis: int, start: DimLike, limit: DimLike) -> SliceAttributes:
        """The slice from ``start`` to ``limit`` of one axis, and all of the others."""
        starts: list[DimLike] = [0] * len(shape)
        limits = list(shape)
        starts[axis], limits[axis] = start, limit
        return cls(tuple(starts), tuple(limits), (1,) * len(shape))


@dataclass(frozen=True, slots=True)
class PadAttributes(Attributes):
    """Per axis: cells of ``fill`` before (``low``), after (``high``) and between neighbours (``interior``)."""

    low: Shape
    high: Shape
    interior: tuple[int, ...]
    fill: float | int | bool = 0


class Slice(View):
    """Element i of a result axis is element start + i·stride of the operand's axis."""

    name = "slice"
    attributes = SliceAttributes
    cheap = True
    unchanged = "some"

    def infer(self, attrs: SliceAttributes, operands: Sequence[TensorType]) -> Sequence[TensorType]:
        (x,) = operands
        if not len(attrs.start) == len(attrs.limit) == len(attrs.stride) == x.rank:
            raise ShapeError(f"slice of {x} from {attrs.start} to {attrs.limit} by {attrs.stride}", 0)
        shape: list[DimLike] = []
        for size, start, limit, stride in zip(x.shape, attrs.start, attrs.limit, attrs.stride, strict=True):
            if stride < 1:
                raise ShapeError(f"slice of {x} with stride {stride}", 0)
            for distance in (start, limit - start + stride - 1, size - limit):
                greatest = bounds(distance, {})[1]
                if greatest is not None and greatest < 0:
                    raise ShapeError(f"slice from {start} to {limit} of {size} cells", 0)
            shape.append(ceil_div(limit - start, stride))
        return [x.with_shape(tuple(shape))]

    def evaluate(
        self, context: EvaluationContext, attrs: SliceAttributes, operands: Sequence[np.ndarray]
    ) -> Sequence[np.ndarray]:
        ranges = zip(sizes(context, attrs.start), sizes(context, attrs.limit), attrs.stride, strict=True)
        return [operands[0][tuple(slice(start, max(start, limit), by) for start, limit, by in ranges)]]

    def gradient(
        self, context: GradientContext, node: Node, cotangents: Sequence[Value | None]
    ) -> Sequence[Value | None]:
        graph, (dy,) = context.graph, cotangents
        if dy is None or node.types[0].dtype not in FLOATS:
            return [None]
        attrs = node.attrs
        assert isinstance(attrs, SliceAttributes)
        high = tuple(
            size - start - (cells - 1) * stride - 1
            for size, cells, start, stride in zip(
                graph.type(graph.operands(node)[0]).shape,
                node.types[0].shape,
                attrs.start,
                attrs.stride,
                strict=True,
            )
        )
        interior = tuple(stride - 1 for stride in attrs.stride)
        return [graph.apply("pad", dy, attrs=PadAttributes(attrs.start, high, interior))]

    def vectorize(
        self,
        graph: Graph,
        attrs: SliceAttributes,
        operands: Sequence[Value],
        stacked: Sequence[bool],
        length: DimLike,
    ) -> Value | None:
        shifted = SliceAttributes((0, *attrs.start), (length, *attrs.limit), (1, *attrs.stride))
        return graph.apply("slice", *operands, attrs=shifted)

    def read(
        self, attrs: SliceAttributes, operands: Sequence[TensorType], index: Sequence[Any]
    ) -> Sequence[Source]:
        return [Source(0, tuple(s + i * k for i, s, k in zip(index, attrs.start, attrs.stride, strict=True)))]

    def samples(self) -> Sequence[Sample]:
        x = TensorType("float64", (4, 7))
        return [
            Sample((x,), SliceAttributes((1, 0), (3, 7), (1, 1))),
            Sample((x,), SliceAttributes((0, 1), (4, 6), (3, 2))),
        ]


class Pad(View):
    """Element i of an axis becomes element low + i·(interior + 1)."""

    name = "pad"
    attributes = PadAttributes
    cheap = True
    unchanged = None  # beside the fill

    def infer(self, attrs: PadAttributes, operands: Sequence[TensorType]) -> Sequence[TensorType]:
        (x,) = operands
        if not len(attrs.low) == len(attrs.high) == len(attrs.interior) == x.rank:
            raise ShapeError(f"pad of {x} by {attrs.low}, {attrs.high}, {attrs.interior}", 0)
        for amount in (*attrs.low, *attrs.high, *attrs.interior):
            greatest = bounds(amount, {})[1]
            if greatest is not None and greatest < 0:
                raise ShapeError(f"pad of {x} by a negative amount, {amount}", 0)
        shape = [
            low + high + (size - 1) * (interior + 1) + 1
            for size, low, high, interior in zip(x.shape, attrs.low, attrs.high, attrs.interior, strict=True)
        ]
        return [x.with_shape(tuple(shape))]

    def evaluate(
        self, context: EvaluationContext, attrs: PadAttributes, operands: Sequence[np.ndarray]
    ) -> Sequence[np.ndarray]:
        (x,) = operands
        low, high = sizes(context, attrs.low), sizes(context, attrs.high)
        steps = [interior + 1 for interior in attrs.interior]
        spans = [(size - 1) * step + 1 for size, step in zip(x.shape, steps, strict=True)]  # < 1 for none
        shape = [a + span + b for a, span, b in zip(low, spans, high, strict=True)]
        result = np.full(shape, attrs.fill, x.dtype)
        cells = [slice(a, a + max(span, 0), step) for a, span, step in zip(low, spans, steps, strict=True)]
        result[tuple(cells)] = x
        return [result]

    def gradient(
        self, context: GradientContext, node: Node, cotangents: Sequence[Value | None]
    ) -> Sequence[Value | None]:
        graph, (dy,) = context.graph, cotangents
        if dy is None or node.types[0].dtype not in FLOATS:
            return [None]
        attrs = node.attrs
        assert isinstance(attrs, PadAttributes)
        strides = tuple(interior + 1 for interior in attrs.interior)
        shape = graph.type(graph.operands(node)[0]).shape
        limits = tuple(
            low + (size - 1) * stride + 1 for low, size, stride in zip(attrs.low, shape, strides, strict=True)
        )
        return [graph.apply("slice", dy, attrs=SliceAttributes(attrs.low, limits, strides))]

    def vectorize(
        self,
        graph: Graph,
        attrs: PadAttributes,
        operands: Sequence[Value],
        stacked: Sequence[bool],
        length: DimLike,
    ) -> Value | None:
        shifted = PadAttributes((0, *attrs.low), (0, *attrs.high), (0, *attrs.interior), attrs.fill)
        return graph.apply("pad", *operands, attrs=shifted)

    def storage(self, attrs: PadAttributes, operands: Sequence[TensorType], guarded: bool) -> Storage:
        """Windows read it inline and guard their loads, but not along the last axis, which may be that of the lanes."""
        unguarded = any(attrs.interior) or attrs.low[-1:] + attrs.high[-1:] not in ((), (0, 0))
        return "index" if guarded and not unguarded else "into"

    def fill(self, attrs: PadAttributes) -> float | int | bool:
        return attrs.fill

    def margins(self, attrs: PadAttributes) -> Margins | None:
        return None if any(attrs.interior) else tuple(zip(attrs.low, attrs.high, strict=True))

    def read(
        self, attrs: PadAttributes, operands: Sequence[TensorType], index: Sequence[Any]
    ) -> Sequence[Source]:
        if any(attrs.interior):
            raise NotAffine(self.name)
        inner = tuple(i - low for i, low in zip(index, attrs.low, strict=True))
        conditions: list[Any] = []
        for i, size, low, high in zip(inner, operands[0].shape, attrs.low, attrs.high, strict=True):
            if low != 0:
                conditions.append(i)
            if high != 0:
                conditions.append(size - 1 - i)
        return [Source(0, inner, tuple(conditions)), Source(None, fill=attrs.fill)]

    def write(
        self, attrs: PadAttributes, operands: Sequence[TensorType], position: int, index: Sequence[Any]
    ) -> tuple[Any, ...]:
        return tuple(
            low + i * (interior + 1)
            for i, low, interior in zip(index, attrs.low, attrs.interior, strict=True)
        )

    def samples(self) -> Sequence[Sample]:
        x = TensorType("float64", (2, 3))
        return [
            Sample((x,), PadAttributes((1, 0), (0, 2), (0, 0))),
            Sample((x,), PadAttributes((0, 1), (1, 0), (2, 1), 1.5)),
            Sample((x,), PadAttributes((1, 1), (1, 1), (0, 0), float("-inf")), differentiable=()),
            Sample((TensorType("int64", (3,)),), PadAttributes((1,), (1,), (0,), -1), ("index:5",)),
        ]
