"""Views that keep every element: ``reshape``, ``transpose``, ``reverse`` and ``broadcast``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from netwright.specs.dims import DimLike, Shape, product

from ...graph.graph import Graph
from ...graph.node import Attributes, Node, Value
from ...graph.rules import ShapeError
from ...graph.types import FLOATS, TensorType
from ..base import BroadcastAttributes, Sample, sizes
from ..contexts import EvaluationContext, GradientContext
from ..protocols import NotAffine, Source, Storage, View
from ..values.reduce import ReduceAttributes


def show(shape: Shape) -> str:
    """A shape as messages print it."""
    return f"[{', '.join(map(str, shape))}]"


@dataclass(frozen=True, slots=True)
class ReshapeAttributes(Attributes):
    """``shape`` of the result."""

    shape: Shape


class Reshape(View):
    """The same elements, in row-major order, in another shape of provably the same size."""

    name = "reshape"
    attributes = ReshapeAttributes
    cheap = True

    def infer(self, attrs: ReshapeAttributes, operands: Sequence[TensorType]) -> Sequence[TensorType]:
        (x,) = operands
        if product(attrs.shape) != x.size:
            raise ShapeError(
                f"{show(x.shape)} has {x.size} elements, {show(attrs.shape)} has {product(attrs.shape)}", 0
            )
        return [x.with_shape(attrs.shape)]

    def evaluate(
        self, context: EvaluationContext, attrs: ReshapeAttributes, operands: Sequence[np.ndarray]
    ) -> Sequence[np.ndarray]:
        return [operands[0].reshape(sizes(context, attrs.shape))]

    def gradient(
        self, context: GradientContext, node: Node, cotangents: Sequence[Value | None]
    ) -> Sequence[Value | None]:
        graph, (dy,) = context.graph, cotangents
        if dy is None:
            return [None]
        shape = graph.type(graph.operands(node)[0]).shape
        return [graph.apply("reshape", dy, attrs=ReshapeAttributes(shape))]

    def vectorize(
        self,
        graph: Graph,
        attrs: ReshapeAttributes,
        operands: Sequence[Value],
        stacked: Sequence[bool],
        length: DimLike,
    ) -> Value | None:
        return graph.apply("reshape", *operands, attrs=ReshapeAttributes((length, *attrs.shape)))

    def storage(self, attrs: ReshapeAttributes, operands: Sequence[TensorType], guarded: bool) -> Storage:
        """Only axes of size 1 may be added or removed: any other reshape would divide indices."""
        return "index" if _squeezed(attrs.shape) == _squeezed(operands[0].shape) else "alias"

    def read(
        self, attrs: ReshapeAttributes, operands: Sequence[TensorType], index: Sequence[Any]
    ) -> Sequence[Source]:
        kept = [i for i, size in zip(index, attrs.shape, strict=True) if size != 1]
        if self.storage(attrs, operands, False) == "alias":
            raise NotAffine(self.name)
        position = iter(kept)
        return [Source(0, tuple(0 if size == 1 else next(position) for size in operands[0].shape))]

    def write(
        self, attrs: ReshapeAttributes, operands: Sequence[TensorType], position: int, index: Sequence[Any]
    ) -> tuple[Any, ...]:
        back = self.read(ReshapeAttributes(operands[0].shape), [operands[0].with_shape(attrs.shape)], index)
        return back[0].index

    def samples(self) -> Sequence[Sample]:
        x = TensorType("float64", (2, 6))
        return [
            Sample((x,), ReshapeAttributes((3, 4))),
            Sample((x,), ReshapeAttributes((2, 1, 6, 1))),
            Sample((TensorType("float64", (1, 1)),), ReshapeAttributes(())),
        ]


def _squeezed(shape: Shape) -> Shape:
    """``shape`` without its unit axes."""
    return tuple(size for size in shape if size != 1)


@dataclass(frozen=True, slots=True)
class TransposeAttributes(Attributes):
    """Result axis i is operand axis ``permutation[i]``."""

    permutation: tuple[int, ...]

    @property
    def inverse(self) -> TransposeAttributes:
        return TransposeAttributes(tuple(int(i) for i in np.argsort(self.permutation)))


class Transpose(View):
    """The operand with its axes permuted."""

    name = "transpose"
    attributes = TransposeAttributes
    cheap = True

    def infer(self, attrs: TransposeAttributes, operands: Sequence[TensorType]) -> Sequence[TensorType]:
        (x,) = operands
        if sorted(attrs.permutation) != list(range(x.rank)):
            raise ShapeError(f"{attrs.permutation} does not permute the axes of {x}", 0)
        return [x.with_shape(tuple(x.shape[axis] for axis in attrs.permutation))]

    def evaluate(
        self, context: EvaluationContext, attrs: TransposeAttributes, operands: Sequence[np.ndarray]
    ) -> Sequence[np.ndarray]:
        return [operands[0].transpose(attrs.permutation)]

    def gradient(
        self, context: GradientContext, node: Node, cotangents: Sequence[Value | None]
    ) -> Sequence[Value | None]:
        (dy,) = cotangents
        assert isinstance(node.attrs, TransposeAttributes)
        return [None if dy is None else context.graph.apply("transpose", dy, attrs=node.attrs.inverse)]

    def vectorize(
        self,
        graph: Graph,
        attrs: TransposeAttributes,
        operands: Sequence[Value],
        stacked: Sequence[bool],
        length: DimLike,
    ) -> Value | None:
        permutation = (0, *(axis + 1 for axis in attrs.permutation))
        return graph.apply("transpose", *operands, attrs=TransposeAttributes(permutation))

    def read(
        self, attrs: TransposeAttributes, operands: Sequence[TensorType], index: Sequence[Any]
    ) -> Sequence[Source]:
        return [Source(0, tuple(index[axis] for axis in attrs.inverse.permutation))]

    def write(
        self, attrs: TransposeAttributes, operands: Sequence[TensorType], position: int, index: Sequence[Any]
    ) -> tuple[Any, ...]:
        return tuple(index[axis] for axis in attrs.permutation)

    def samples(self) -> Sequence[Sample]:
        x = TensorType("float64", (2, 3, 4))
        return [Sample((x,), TransposeAttributes(p)) for p in [(1, 2, 0), (0, 2, 1), (0, 1, 2)]]


@dataclass(frozen=True, slots=True)
class ReverseAttributes(Attributes):
    """The ``axes`` to reverse."""

    axes: tuple[int, ...]


class Reverse(View):
    """The operand with some axes reversed."""

    name = "reverse"
    attributes = ReverseAttributes
    cheap = True

    def infer(self, attrs: ReverseAttributes, operands: Sequence[TensorType]) -> Sequence[TensorType]:
        (x,) = operands
        if len(set(attrs.axes)) != len(attrs.axes) or not all(0 <= axis < x.rank for axis in attrs.axes):
            raise ShapeError(f"reverse of {x} along {attrs.axes}", 0)
        return [x]

    def evaluate(
        self, context: EvaluationContext, attrs: ReverseAttributes, operands: Sequence[np.ndarray]
    ) -> Sequence[np.ndarray]:
        return [np.flip(operands[0], attrs.axes)]

    def gradient(
        self, context: GradientContext, node: Node, cotangents: Sequence[Value | None]
    ) -> Sequence[Value | None]:
        (dy,) = cotangents
        return [None if dy is None else context.graph.apply("reverse", dy, attrs=node.attrs)]

    def vectorize(
        self,
        graph: Graph,
        attrs: ReverseAttributes,
        operands: Sequence[Value],
        stacked: Sequence[bool],
        length: DimLike,
    ) -> Value | None:
        return graph.apply("reverse", *operands, attrs=ReverseAttributes(tuple(a + 1 for a in attrs.axes)))

    def read(
        self, attrs: ReverseAttributes, operands: Sequence[TensorType], index: Sequence[Any]
    ) -> Sequence[Source]:
        shape = operands[0].shape
        return [Source(0, tuple(shape[a] - 1 - i if a in attrs.axes else i for a, i in enumerate(index)))]

    def write(
        self, attrs: ReverseAttributes, operands: Sequence[TensorType], position: int, index: Sequence[Any]
    ) -> tuple[Any, ...]:
        return tuple(self.read(attrs, operands, index)[0].index)

    def samples(self) -> Sequence[Sample]:
        x = TensorType("float64", (2, 3, 4))
        return [Sample((x,), ReverseAttributes(axes)) for axes in [(0,), (0, 2)]]


class Broadcast(View):
    """The operand repeated along new axes. An axis of size 1 is not stretched: it is reshaped away first."""

    name = "broadcast"
    attributes = BroadcastAttributes
    cheap = True
    rematerialize = True
    stacks_gradient = True

    def infer(self, attrs: BroadcastAttributes, operands: Sequence[TensorType]) -> Sequence[TensorType]:
        (x,) = operands
        axes = attrs.axes
        valid = list(axes) == sorted(set(axes)) and all(0 <= axis < len(attrs.shape) for axis in axes)
        if not valid or tuple(attrs.shape[axis] for axis in axes) != x.shape:
            raise ShapeError(f"broadcast of {x} to axes {axes} of {show(attrs.shape)}", 0)
        return [x.with_shape(attrs.shape)]

    def evaluate(
        self, context: EvaluationContext, attrs: BroadcastAttributes, operands: Sequence[np.ndarray]
    ) -> Sequence[np.ndarray]:
        shape = sizes(context, attrs.shape)
        aligned = [size if axis in attrs.axes else 1 for axis, size in enumerate(shape)]
        return [np.broadcast_to(operands[0].reshape(aligned), shape)]

    def gradient(
        self, context: GradientContext, node: Node, cotangents: Sequence[Value | None]
    ) -> Sequence[Value | None]:
        (dy,) = cotangents
        if dy is None or node.types[0].dtype not in FLOATS:
            return [None]
        assert isinstance(node.attrs, BroadcastAttributes)
        new_axes = tuple(a for a in range(len(node.attrs.shape)) if a not in node.attrs.axes)
        if not new_axes:
            return [dy]
        return [context.graph.apply("reduce", dy, attrs=ReduceAttributes("sum", new_axes))]

    def resized(self, attrs: BroadcastAttributes, shape: Shape) -> BroadcastAttributes | None:
        same = all(shape[axis] == attrs.shape[axis] for axis in attrs.axes)
        return BroadcastAttributes(shape, attrs.axes) if same else None

    def vectorize(
        self,
        graph: Graph,
        attrs: BroadcastAttributes,
        operands: Sequence[Value],
        stacked: Sequence[bool],
        length: DimLike,
    ) -> Value | None:
        axes = tuple(axis + 1 for axis in attrs.axes)
        if stacked[0]:
            axes = (0, *axes)
        return graph.apply("broadcast", *operands, attrs=BroadcastAttributes((length, *attrs.shape), axes))

    def read(
        self, attrs: BroadcastAttributes, operands: Sequence[TensorType], index: Sequence[Any]
    ) -> Sequence[Source]:
        return [Source(0, tuple(index[axis] for axis in attrs.axes))]

    def samples(self) -> Sequence[Sample]:
        return [
            Sample((TensorType("float64", (3,)),), BroadcastAttributes((2, 3, 4), (1,))),
            Sample((TensorType("float64", ()),), BroadcastAttributes((2, 3), ())),
            Sample((TensorType("float64", (2, 4)),), BroadcastAttributes((2, 3, 4), (0, 2))),
        ]
