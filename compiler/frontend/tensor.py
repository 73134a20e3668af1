"""Tensors: values of a graph with operators, so that expansions read like the formulas that they implement.

Operators and functions append primitives. Shapes broadcast as in NumPy (aligned at the last axis, a static 1
stretches), unlike those of the primitives themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from netwright.specs.dims import DimLike, Shape, product

from ..formulas import Fourier
from ..graph.graph import Graph
from ..graph.node import Attributes, Value
from ..graph.rules import ShapeError
from ..graph.types import TensorType
from ..ops.base import BroadcastAttributes
from ..ops.products.dot import DotAttributes
from ..ops.values.cast import CastAttributes
from ..ops.values.constant import ConstantAttributes, DimValueAttributes, IotaAttributes
from ..ops.values.reduce import ArgmaxAttributes, ReduceAttributes
from ..ops.views.concat import ConcatAttributes
from ..ops.views.layout import ReshapeAttributes, ReverseAttributes, TransposeAttributes, show
from ..ops.views.slice_pad import PadAttributes, SliceAttributes

Number = int | float


@dataclass(frozen=True, slots=True)
class Tensor:
    """A value of a graph. Methods raise ShapeError if types do not fit."""

    graph: Graph
    value: Value

    @property
    def type(self) -> TensorType:
        return self.graph.type(self.value)

    @property
    def shape(self) -> Shape:
        return self.type.shape

    @property
    def dtype(self) -> str:
        return self.type.dtype

    @property
    def rank(self) -> int:
        return len(self.shape)

    def apply(self, op: str, *others: Tensor, attrs: Attributes | None = None) -> Tensor:
        """Appends a primitive with one result; this value is its first operand."""
        return Tensor(
            self.graph, self.graph.apply(op, self.value, *(other.value for other in others), attrs=attrs)
        )

    # Elementwise.

    def __add__(self, other: Tensor | Number) -> Tensor:
        return self._binary("add", other)

    __radd__ = __add__

    def __sub__(self, other: Tensor | Number) -> Tensor:
        return self._binary("sub", other)

    def __rsub__(self, other: Number) -> Tensor:
        return self._splat(other)._binary("sub", self)

    def __mul__(self, other: Tensor | Number) -> Tensor:
        return self._binary("mul", other)

    __rmul__ = __mul__

    def __truediv__(self, other: Tensor | Number) -> Tensor:
        return self._binary("div", other)

    def __rtruediv__(self, other: Number) -> Tensor:
        return self._splat(other)._binary("div", self)

    def __neg__(self) -> Tensor:
        return self.apply("neg")

    def compare(self, op: str, other: Tensor | Number) -> Tensor:
        """Bools; ``op`` is eq, ne, lt, le, gt or ge."""
        return self._binary(op, other)

    def maximum(self, other: Tensor | Number) -> Tensor:
        return self._binary("max", other)

    def minimum(self, other: Tensor | Number) -> Tensor:
        return self._binary("min", other)

    def both(self, other: Tensor) -> Tensor:
        return self._binary("and", other)

    def either(self, other: Tensor) -> Tensor:
        return self._binary("or", other)

    def negated(self) -> Tensor:
        """The other truth values."""
        return self.apply("not")

    def _binary(self, op: str, other: Tensor | Number) -> Tensor:
        if not isinstance(other, Tensor):
            return self.apply(op, self._splat(other))
        shape = broadcast_shapes(self.shape, other.shape)
        return self.to(shape).apply(op, other.to(shape))

    def _splat(self, number: Number) -> Tensor:
        return full(self.graph, number, self.type)

    def exp(self) -> Tensor:
        return self.apply("exp")

    def log(self) -> Tensor:
        return self.apply("log")

    def tanh(self) -> Tensor:
        return self.apply("tanh")

    def sigmoid(self) -> Tensor:
        return self.apply("sigmoid")

    def erf(self) -> Tensor:
        return self.apply("erf")

    def sqrt(self) -> Tensor:
        return self.apply("sqrt")

    def abs(self) -> Tensor:
        return self.apply("abs")

    def cast(self, dtype: str) -> Tensor:
        return self if dtype == self.dtype else self.apply("cast", attrs=CastAttributes(dtype))

    def detached(self) -> Tensor:
        """The same value, treated as a constant by differentiation."""
        return self.apply("stop_gradient")

    # Shape.

    def to(self, shape: Shape) -> Tensor:
        """Broadcast to a shape that ``broadcast_shapes`` returned."""
        if self.shape == shape:
            return self
        offset = len(shape) - self.rank
        kept = [i for i, size in enumerate(self.shape) if size == shape[offset + i]]
        squeezed = self.reshape(tuple(self.shape[i] for i in kept))
        return squeezed.broadcast(shape, tuple(offset + i for i in kept))

    def broadcast(self, shape: Shape, axes: Sequence[int]) -> Tensor:
        """Repeated along new axes: axis i becomes axis ``axes[i]`` of the result."""
        if shape == self.shape:
            return self
        return self.apply("broadcast", attrs=BroadcastAttributes(tuple(shape), tuple(axes)))

    def reshape(self, shape: Sequence[DimLike]) -> Tensor:
        shape = tuple(shape)
        return self if shape == self.shape else self.apply("reshape", attrs=ReshapeAttributes(shape))

    def transpose(self, *permutation: int) -> Tensor:
        return self.apply("transpose", attrs=TransposeAttributes(permutation))

    def swap_leading(self) -> Tensor:
        """Swaps the first two axes, [N, T, …] and [T, N, …]."""
        return self.transpose(1, 0, *range(2, self.rank))

    def pad(self, low: Sequence[DimLike], high: Sequence[DimLike], fill: float = 0) -> Tensor:
        if not any(low) and not any(high):
            return self
        return self.apply("pad", attrs=PadAttributes(tuple(low), tuple(high), (0,) * self.rank, fill))

    def slice(self, axis: int, start: DimLike, limit: DimLike) -> Tensor:
        """``start`` to ``limit`` of one axis."""
        return self.apply("slice", attrs=SliceAttributes.along(self.shape, axis, start, limit))

    def first(self, axis: int, count: DimLike) -> Tensor:
        """The first ``count`` positions of one axis."""
        return self if count == self.shape[axis] else self.slice(axis, 0, count)

    def strided(self, axis: int, start: DimLike, limit: DimLike, step: int) -> Tensor:
        """Every ``step``-th element of one axis, from ``start`` to before ``limit``."""
        along = SliceAttributes.along(self.shape, axis, start, limit)
        steps = tuple(step if i == axis else 1 for i in range(self.rank))
        return self.apply("slice", attrs=SliceAttributes(along.start, along.limit, steps))

    def reverse(self, *axes: int) -> Tensor:
        """Reverses some axes."""
        return self.apply("reverse", attrs=ReverseAttributes(axes))

    def move_axis(self, axis: int, position: int) -> Tensor:
        """Moves one axis to another position; the others keep their order."""
        order = [i for i in range(self.rank) if i != axis]
        order.insert(position, axis)
        return self if order == sorted(order) else self.transpose(*order)

    def take(self, axis: int, position: DimLike) -> Tensor:
        """One position of an axis, which is removed from the shape."""
        rest = (*self.shape[:axis], *self.shape[axis + 1 :])
        return self.slice(axis, position, position + 1).reshape(rest)

    # Reductions.

    def reduce(self, op: str, axes: Sequence[int], *, keep: bool = False) -> Tensor:
        """sum, max or min over axes; with ``keep`` these stay, with size 1."""
        result = self.apply("reduce", attrs=ReduceAttributes(op, tuple(sorted(axes)))) if axes else self
        if keep:
            return result.reshape(tuple(1 if i in axes else size for i, size in enumerate(self.shape)))
        return result

    def sum(self, axes: Sequence[int] | None = None, *, keep: bool = False) -> Tensor:
        return self.reduce("sum", range(self.rank) if axes is None else axes, keep=keep)

    def mean(self, axes: Sequence[int], *, keep: bool = False) -> Tensor:
        return self.sum(axes, keep=keep) / self.count(product(self.shape[axis] for axis in axes))

    def count(self, size: DimLike) -> Tensor | Number:
        """A size as a number of this tensor's dtype."""
        return size if isinstance(size, int) else dim_value(self.graph, size, self.dtype)

    def argmax(self, axis: int) -> Tensor:
        return self.apply("argmax", attrs=ArgmaxAttributes(axis))

    # Products and tables.

    def dot(self, other: Tensor, lhs: Sequence[int], rhs: Sequence[int], batch: int = 0) -> Tensor:
        return self.apply("dot", other, attrs=DotAttributes(tuple(lhs), tuple(rhs), batch))

    def matmul(self, kernel: Tensor) -> Tensor:
        """The last axis times a matrix."""
        return self.dot(kernel, [self.rank - 1], [0])

    def gather(self, indices: Tensor) -> Tensor:
        """Rows by index; an index out of range is an error at run time."""
        return self.apply("gather", indices)


def broadcast_shapes(a: Shape, b: Shape) -> Shape:
    """The common shape of two, by NumPy's rule. Raises ShapeError."""
    rank = max(len(a), len(b))
    left: Shape = ((1,) * (rank - len(a))) + a
    right: Shape = ((1,) * (rank - len(b))) + b
    for x, y in zip(left, right, strict=True):
        if x != y and x != 1 and y != 1:
            raise ShapeError(f"{show(a)} and {show(b)} do not broadcast: {x} is not {y}")
    return tuple(y if x == 1 else x for x, y in zip(left, right, strict=True))


def constant(graph: Graph, array: np.ndarray) -> Tensor:
    """An array that is part of the graph."""
    return Tensor(graph, graph.apply("constant", attrs=ConstantAttributes.of(array)))


def computed(graph: Graph, formula: Fourier, dtype: str) -> Tensor:
    """A table of numbers that follow a formula."""
    return Tensor(graph, graph.apply("constant", attrs=ConstantAttributes.by(formula, dtype)))


def full(graph: Graph, number: Number | bool, type: TensorType) -> Tensor:
    """A tensor with one number in every element."""
    data = np.asarray(number).astype(type.dtype).tobytes()
    return Tensor(graph, graph.apply("constant", attrs=ConstantAttributes(type.dtype, type.shape, data)))


def iota(graph: Graph, dtype: str, shape: Shape, axis: int) -> Tensor:
    """A tensor whose elements are their own index along an axis."""
    return Tensor(graph, graph.apply("iota", attrs=IotaAttributes(dtype, shape, axis)))


def dim_value(graph: Graph, size: DimLike, dtype: str) -> Tensor:
    """A size as a scalar."""
    return Tensor(graph, graph.apply("dim_value", attrs=DimValueAttributes(size, dtype)))


def concat(tensors: Sequence[Tensor], axis: int) -> Tensor:
    """Tensors joined along an axis."""
    first, *rest = tensors
    return first.apply("concat", *rest, attrs=ConcatAttributes(axis)) if rest else first


def where(condition: Tensor, a: Tensor, b: Tensor | Number) -> Tensor:
    """``a`` where the condition holds, otherwise ``b``; all are broadcast."""
    b = b if isinstance(b, Tensor) else full(a.graph, b, a.type.with_shape(()))
    shape = broadcast_shapes(broadcast_shapes(condition.shape, a.shape), b.shape)
    return condition.to(shape).apply("select", a.to(shape), b.to(shape))
