"""``concat``: operands one after the other along an axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from netwright.specs.dims import DimLike

from ...graph.graph import Graph
from ...graph.node import Attributes, Node, Value
from ...graph.rules import ShapeError
from ...graph.types import FLOATS, TensorType
from ..base import Sample, stack_all
from ..contexts import EvaluationContext, GradientContext
from ..protocols import Source, Storage, View
from .slice_pad import SliceAttributes


@dataclass(frozen=True, slots=True)
class ConcatAttributes(Attributes):
    """The ``axis`` along which the operands are joined; they agree in all others."""

    axis: int


class Concat(View):
    """Joins one or more operands in order."""

    name = "concat"
    attributes = ConcatAttributes
    cheap = True
    unchanged = "some"

    def infer(self, attrs: ConcatAttributes, operands: Sequence[TensorType]) -> Sequence[TensorType]:
        if not operands:
            raise ShapeError("concat of nothing")
        axis, first = attrs.axis, operands[0]
        if not 0 <= axis < first.rank:
            raise ShapeError(f"concat along axis {axis} of {first}", 0)
        total: DimLike = 0
        for position, type in enumerate(operands):
            others = type.rank == first.rank and _without(type.shape, axis) == _without(first.shape, axis)
            if not others or type.dtype != first.dtype:
                raise ShapeError(f"concat of {first} and {type} along axis {axis}", position)
            total = total + type.shape[axis]
        return [first.with_shape((*first.shape[:axis], total, *first.shape[axis + 1 :]))]

    def evaluate(
        self, context: EvaluationContext, attrs: ConcatAttributes, operands: Sequence[np.ndarray]
    ) -> Sequence[np.ndarray]:
        return [np.concatenate(operands, attrs.axis)]

    def gradient(
        self, context: GradientContext, node: Node, cotangents: Sequence[Value | None]
    ) -> Sequence[Value | None]:
        graph, (dy,) = context.graph, cotangents
        operands = graph.operands(node)
        if dy is None or node.types[0].dtype not in FLOATS:
            return [None] * len(operands)
        assert isinstance(node.attrs, ConcatAttributes)
        axis, shape = node.attrs.axis, node.types[0].shape
        start: DimLike = 0
        slices: list[Value | None] = []
        for operand in operands:
            limit = start + graph.type(operand).shape[axis]
            slices.append(graph.apply("slice", dy, attrs=SliceAttributes.along(shape, axis, start, limit)))
            start = limit
        return slices

    def vectorize(
        self,
        graph: Graph,
        attrs: ConcatAttributes,
        operands: Sequence[Value],
        stacked: Sequence[bool],
        length: DimLike,
    ) -> Value | None:
        values = stack_all(graph, operands, stacked, length)
        return graph.apply("concat", *values, attrs=ConcatAttributes(attrs.axis + 1))

    def storage(self, attrs: ConcatAttributes, operands: Sequence[TensorType], guarded: bool) -> Storage:
        return "into"

    def read(
        self, attrs: ConcatAttributes, operands: Sequence[TensorType], index: Sequence[Any]
    ) -> Sequence[Source]:
        axis = attrs.axis
        start: DimLike = 0
        sources: list[Source] = []
        for position, type in enumerate(operands):
            own = tuple(i - start if a == axis else i for a, i in enumerate(index))
            start = start + type.shape[axis]
            # The first source that fits is used, so each needs only its upper bound.
            last = position == len(operands) - 1
            sources.append(Source(position, own, () if last else (start - 1 - index[axis],)))
        return sources

    def write(
        self, attrs: ConcatAttributes, operands: Sequence[TensorType], position: int, index: Sequence[Any]
    ) -> tuple[Any, ...]:
        start: DimLike = 0
        for type in operands[:position]:
            start = start + type.shape[attrs.axis]
        return tuple(start + i if a == attrs.axis else i for a, i in enumerate(index))

    def samples(self) -> Sequence[Sample]:
        def x(*shape: int) -> TensorType:
            return TensorType("float64", shape)

        return [
            Sample((x(2, 3), x(2, 1), x(2, 4)), ConcatAttributes(1)),
            Sample((x(2, 3), x(1, 3)), ConcatAttributes(0)),
            Sample((x(2),), ConcatAttributes(0)),
        ]


def _without(shape: tuple[DimLike, ...], axis: int) -> tuple[DimLike, ...]:
    return shape[:axis] + shape[axis + 1 :]
