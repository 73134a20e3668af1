"""``interleave``: operands whose cells alternate, as the phases of a transposed convolution make up its result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from netwright.specs.dims import DimLike, Shape, evaluate

from ...graph.graph import Graph
from ...graph.node import Attributes, Node, Value
from ...graph.rules import ShapeError
from ...graph.types import FLOATS, TensorType
from ..base import Sample, stack_all
from ..contexts import EvaluationContext, GradientContext
from ..protocols import NotAffine, Storage, View
from .slice_pad import SliceAttributes


@dataclass(frozen=True, slots=True)
class InterleaveAttributes(Attributes):
    """How many operands alternate along each axis; their product is the number of operands."""

    strides: tuple[int, ...]


class Interleave(View):
    """Element i of the operand of phase p is element i·stride + p, on each axis; phases are in row-major order.

    Along an axis of n cells phase p has ⌈(n − p) / stride⌉ of them.
    """

    name = "interleave"
    attributes = InterleaveAttributes
    cheap = True
    unchanged = "some"

    def infer(self, attrs: InterleaveAttributes, operands: Sequence[TensorType]) -> Sequence[TensorType]:
        strides = attrs.strides
        if not strides or min(strides) < 1 or len(operands) != np.prod(strides):
            raise ShapeError(f"interleave of {len(operands)} operands by {strides}")
        first, phases = operands[0], list(np.ndindex(*strides))
        for position, type in enumerate(operands):
            if type.rank != len(strides) or type.dtype != first.dtype:
                raise ShapeError(f"interleave of {first} and {type} by {strides}", position)
        shape: list[DimLike] = []
        for axis, stride in enumerate(strides):
            alone = [0] * len(strides)
            total: DimLike = 0
            for phase in range(stride):
                alone[axis] = phase
                total = total + operands[phases.index(tuple(alone))].shape[axis]
            shape.append(total)
        for position, (phase, type) in enumerate(zip(phases, operands, strict=True)):
            if type.shape != cells_of(tuple(shape), strides, phase):
                raise ShapeError(f"interleave by {strides}: {type} is no phase {phase} of {shape}", position)
        return [first.with_shape(tuple(shape))]

    def evaluate(
        self, context: EvaluationContext, attrs: InterleaveAttributes, operands: Sequence[np.ndarray]
    ) -> Sequence[np.ndarray]:
        (type,) = self.infer(attrs, [TensorType(str(x.dtype), x.shape) for x in operands])
        result = np.empty([evaluate(size, context.dims) for size in type.shape], operands[0].dtype)
        for phase, operand in zip(np.ndindex(*attrs.strides), operands, strict=True):
            cells = tuple(slice(p, None, stride) for p, stride in zip(phase, attrs.strides, strict=True))
            result[cells] = operand
        return [result]

    def gradient(
        self, context: GradientContext, node: Node, cotangents: Sequence[Value | None]
    ) -> Sequence[Value | None]:
        graph, (dy,) = context.graph, cotangents
        operands = graph.operands(node)
        if dy is None or node.types[0].dtype not in FLOATS:
            return [None] * len(operands)
        assert isinstance(node.attrs, InterleaveAttributes)
        strides = node.attrs.strides
        slices: list[Value | None] = []
        for phase, operand in zip(np.ndindex(*strides), operands, strict=True):
            limit = tuple(
                p + (size - 1) * stride + 1
                for p, size, stride in zip(phase, graph.type(operand).shape, strides, strict=True)
            )
            slices.append(graph.apply("slice", dy, attrs=SliceAttributes(phase, limit, strides)))
        return slices

    def vectorize(
        self,
        graph: Graph,
        attrs: InterleaveAttributes,
        operands: Sequence[Value],
        stacked: Sequence[bool],
        length: DimLike,
    ) -> Value | None:
        values = stack_all(graph, operands, stacked, length)
        return graph.apply("interleave", *values, attrs=InterleaveAttributes((1, *attrs.strides)))

    def storage(self, attrs: InterleaveAttributes, operands: Sequence[TensorType], guarded: bool) -> Storage:
        return "into"

    def read(
        self, attrs: InterleaveAttributes, operands: Sequence[TensorType], index: Sequence[Any]
    ) -> Sequence[Any]:
        raise NotAffine(self.name)  # which operand an element comes from depends on a remainder

    def write(
        self,
        attrs: InterleaveAttributes,
        operands: Sequence[TensorType],
        position: int,
        index: Sequence[Any],
    ) -> tuple[Any, ...]:
        phase = np.unravel_index(position, attrs.strides)
        return tuple(i * stride + int(p) for i, stride, p in zip(index, attrs.strides, phase, strict=True))

    def samples(self) -> Sequence[Sample]:
        def x(*shape: int) -> TensorType:
            return TensorType("float64", shape)

        return [
            Sample((x(2, 3), x(2, 2)), InterleaveAttributes((1, 2))),
            Sample((x(2, 2, 3), x(2, 2, 3), x(1, 2, 3), x(1, 2, 3)), InterleaveAttributes((2, 2, 1))),
            Sample((x(2), x(2), x(1)), InterleaveAttributes((3,))),
        ]


def cells_of(shape: Shape, strides: Sequence[int], phase: Sequence[int]) -> Shape:
    """The shape of one phase's operand: how many cells of ``shape`` belong to it."""
    per_axis = zip(shape, strides, phase, strict=True)
    return tuple((size - p + stride - 1) // stride if stride > 1 else size for size, stride, p in per_axis)
