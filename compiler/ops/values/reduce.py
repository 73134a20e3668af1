"""``reduce`` (sum, max, min over axes) and ``argmax``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from netwright.specs.dims import DimLike, product

from ...graph.graph import Graph
from ...graph.node import Attributes, Node, Value
from ...graph.rules import ShapeError
from ...graph.types import FLOATS, TensorType
from ..base import BroadcastAttributes, Cost, Sample, moved_bytes
from ..contexts import EvaluationContext, GradientContext
from ..protocols import Contraction, Opaque, Order, check_start, neutral
from .constant import IotaAttributes, zeros_like

_REDUCE = {"sum": np.sum, "max": np.max, "min": np.min}

#: How lowering combines the elements of a sum, a maximum or a minimum.
COMBINE = {"sum": "add", "max": "max", "min": "min"}


@dataclass(frozen=True, slots=True)
class ReduceAttributes(Attributes):
    """``op`` is sum, max or min (NaN wins); ``axes``, ascending, are removed from the shape.

    For no elements the sum is 0, the maximum −∞ and the minimum ∞ (of integers, the least and the greatest value).
    ``order``: see ``protocols.Order``; the first axis is the outermost.
    """

    optional: ClassVar[tuple[str, ...]] = ("order",)

    op: str
    axes: tuple[int, ...]
    order: Order = "any"


class Reduce(Contraction):
    """Combines elements along axes. The cotangent of a maximum goes to the first one in row-major order of the
    reduced axes. A second operand is where sums start."""

    name = "reduce"
    attributes = ReduceAttributes
    factor_count = 1
    continues = True

    def infer(self, attrs: ReduceAttributes, operands: Sequence[TensorType]) -> Sequence[TensorType]:
        x, *start = operands
        axes = attrs.axes
        if list(axes) != sorted(set(axes)) or not all(0 <= axis < x.rank for axis in axes):
            raise ShapeError(f"reduce of {x} over axes {axes}", 0)
        if attrs.op not in _REDUCE or x.dtype == "bool":
            raise ShapeError(f"reduce cannot take the {attrs.op} of {x.dtype}", 0)
        result = x.with_shape(tuple(size for axis, size in enumerate(x.shape) if axis not in axes))
        if start and attrs.op != "sum":
            raise ShapeError(f"a reduce to the {attrs.op} starts from no operand", 1)
        check_start(self.name, attrs.order, start, result, 1)
        return [result]

    def evaluate(
        self, context: EvaluationContext, attrs: ReduceAttributes, operands: Sequence[np.ndarray]
    ) -> Sequence[np.ndarray]:
        x, *start = operands
        if attrs.op == "sum":
            total = np.sum(x, axis=attrs.axes, dtype=x.dtype)
            return [total + start[0] if start else total]
        return [_REDUCE[attrs.op](x, axis=attrs.axes, initial=neutral(COMBINE[attrs.op], x.dtype.name))]

    def gradient(
        self, context: GradientContext, node: Node, cotangents: Sequence[Value | None]
    ) -> Sequence[Value | None]:
        graph, (dy,) = context.graph, cotangents
        x, *start = graph.operands(node)
        attrs = node.attrs
        assert isinstance(attrs, ReduceAttributes)
        if dy is None or node.types[0].dtype not in FLOATS:
            return [None, *(None for _ in start)]
        shape = graph.type(x).shape
        kept = tuple(axis for axis in range(len(shape)) if axis not in attrs.axes)
        spread = graph.apply("broadcast", dy, attrs=BroadcastAttributes(shape, kept))
        if attrs.op == "sum" or not attrs.axes:
            return [spread, *(dy for _ in start)]
        # Chosen: along each reduced axis, last first, the index is that of the first extremum of what
        # remains.
        values = x if attrs.op == "max" else graph.apply("neg", x)
        chosen: Value | None = None
        rest = tuple(range(len(shape)))
        for axis in reversed(attrs.axes):
            own = graph.type(values).shape
            position = rest.index(axis)
            first = graph.apply("argmax", values, attrs=ArgmaxAttributes(position))
            rest = tuple(a for a in rest if a != axis)
            along = graph.apply("broadcast", first, attrs=BroadcastAttributes(shape, rest))
            here = graph.apply("iota", attrs=IotaAttributes("int64", shape, axis))
            match = graph.apply("eq", here, along)
            chosen = match if chosen is None else graph.apply("and", chosen, match)
            if len(own) - 1 > len(kept):
                values = graph.apply("reduce", values, attrs=ReduceAttributes("max", (position,)))
        assert chosen is not None
        return [graph.apply("select", chosen, spread, zeros_like(graph, spread))]

    def vectorize(
        self,
        graph: Graph,
        attrs: ReduceAttributes,
        operands: Sequence[Value],
        stacked: Sequence[bool],
        length: DimLike,
    ) -> Value | None:
        if len(operands) > 1:
            return None
        shifted = replace(attrs, axes=tuple(axis + 1 for axis in attrs.axes))
        return graph.apply("reduce", *operands, attrs=shifted)

    def combine(self, attrs: ReduceAttributes) -> str:
        return COMBINE[attrs.op]

    def reduction_shape(self, attrs: ReduceAttributes, operands: Sequence[TensorType]) -> Sequence[DimLike]:
        return [operands[0].shape[axis] for axis in attrs.axes]

    def factors(
        self,
        attrs: ReduceAttributes,
        operands: Sequence[TensorType],
        index: Sequence[Any],
        reduction: Sequence[Any],
    ) -> Sequence[tuple[int, Sequence[Any]]]:
        kept, summed = iter(index), dict(zip(attrs.axes, reduction, strict=True))
        axes = range(operands[0].rank)
        return [(0, tuple(summed[axis] if axis in summed else next(kept) for axis in axes))]

    def cost(self, attrs: Any, operands: Sequence[TensorType], results: Sequence[TensorType]) -> Cost:
        return Cost(operands[0].size, moved_bytes(operands, results))

    def samples(self) -> Sequence[Sample]:
        x = TensorType("float64", (2, 3, 4))
        samples = [Sample((x,), ReduceAttributes("sum", axes)) for axes in [(0,), (1, 2), (0, 1, 2), ()]]
        for op in ("max", "min"):
            for axes in [(1,), (0, 2), (1, 2)]:
                samples.append(Sample((x,), ReduceAttributes(op, axes), ("distinct",)))
        samples.append(Sample((TensorType("int64", (5,)),), ReduceAttributes("sum", (0,)), ("index:9",)))
        samples.append(Sample((x,), ReduceAttributes("sum", (0, 1), "descending")))
        samples.append(
            Sample((x, TensorType("float64", (4,))), ReduceAttributes("sum", (0, 1), "descending"))
        )
        return samples


@dataclass(frozen=True, slots=True)
class ArgmaxAttributes(Attributes):
    """The ``axis`` that is searched and removed from the shape."""

    axis: int


class Argmax(Opaque):
    """Index (int64) of the first maximum along an axis, 0 where it is empty; a NaN counts as the maximum."""

    name = "argmax"
    attributes = ArgmaxAttributes

    def infer(self, attrs: ArgmaxAttributes, operands: Sequence[TensorType]) -> Sequence[TensorType]:
        (x,) = operands
        if not 0 <= attrs.axis < x.rank:
            raise ShapeError(f"argmax of {x} along axis {attrs.axis}", 0)
        if x.dtype == "bool":
            raise ShapeError("argmax of bool", 0)
        return [TensorType("int64", (*x.shape[: attrs.axis], *x.shape[attrs.axis + 1 :]))]

    def evaluate(
        self, context: EvaluationContext, attrs: ArgmaxAttributes, operands: Sequence[np.ndarray]
    ) -> Sequence[np.ndarray]:
        (x,) = operands
        if x.shape[attrs.axis] == 0:
            return [np.zeros(x.shape[: attrs.axis] + x.shape[attrs.axis + 1 :], np.int64)]
        return [np.argmax(x, attrs.axis)]

    def vectorize(
        self,
        graph: Graph,
        attrs: ArgmaxAttributes,
        operands: Sequence[Value],
        stacked: Sequence[bool],
        length: DimLike,
    ) -> Value | None:
        return graph.apply("argmax", *operands, attrs=ArgmaxAttributes(attrs.axis + 1))

    def cost(self, attrs: Any, operands: Sequence[TensorType], results: Sequence[TensorType]) -> Cost:
        return Cost(product(operands[0].shape), moved_bytes(operands, results))

    def lower(
        self,
        builder: Any,
        attrs: ArgmaxAttributes,
        operands: Sequence[Any],
        results: Sequence[Any],
        lanes: int,
    ) -> None:
        b, (x,), (y,) = builder, operands, results
        with b.nest(y.shape, kind="parallel") as (index, _, _):
            best = b.register("best", b.const(neutral("max", x.dtype), x.dtype))
            where = b.register("where", b.const(0, "int64"))
            with b.loop("k", 0, x.shape[attrs.axis]) as k:
                value = b.let("v", b.load(x, (*index[: attrs.axis], k, *index[attrs.axis :])))
                first_nan = b.logical_and(b.ne(value, value), b.eq(best, best))
                better = b.let("better", b.logical_or(b.gt(value, best), first_nan))
                b.assign(where, b.select(better, b.index_value(k, "int64"), where))
                b.assign(best, b.select(better, value, best))
            b.store(y, index, where)

    def samples(self) -> Sequence[Sample]:
        x = TensorType("float64", (3, 4))
        return [Sample((x,), ArgmaxAttributes(axis), ("distinct",), ()) for axis in (0, 1)]
