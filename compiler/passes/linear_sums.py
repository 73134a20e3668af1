"""Sums of linear terms from sums that are known: Σ (s·g + c·x) = s·Σg + c·Σx, where s and c are the same in all terms.

The gradient of batch normalization asks for such sums: of what it returns, for the bias of the convolution before, and
of a part of that, for the mean. Both consist of the cotangent, whose sum is the gradient of the shift, and of the
centered data, whose sum is 0. So neither takes a pass over the data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from netwright.specs.dims import DimLike, Shape, product

from ..graph.graph import Graph
from ..graph.node import Node, Value
from ..graph.types import FLOATS, TensorType
from ..ops.base import BroadcastAttributes
from ..ops.constant import DimValueAttributes, splat
from ..ops.reduce import ReduceAttributes
from .base import Pass, PassContext
from .simplify import scalar_of

#: The longest chain of operations that is followed.
MOST_STEPS = 16


@dataclass(frozen=True)
class LinearSums(Pass):
    """Computes sums of linear terms from sums of their parts, if no new pass over the data is needed."""

    name: ClassVar[str] = "linear_sums"

    def run(self, graph: Graph, context: PassContext) -> Graph:
        known: dict[tuple[Value, tuple[int, ...]], Value] = {}

        def rule(new: Graph, node: Node, operands: tuple[Value, ...]) -> Sequence[Value] | None:
            attrs = node.attrs
            if not isinstance(attrs, ReduceAttributes) or attrs.op != "sum" or attrs.order != "any":
                return None
            (x,) = operands
            if new.type(x).dtype not in FLOATS or 0 in new.type(x).shape:
                return None
            total = _Sums(new, attrs.axes, known, node.types[0]).of(x, 0) if _computes(new, x) else None
            if total is not None:
                return [total]
            (value,) = new.add(node.op, operands, attrs, layer=node.layer).values
            known[x, attrs.axes] = value
            return [value]

        return graph.rewrite(context.limit(rule))


def _computes(graph: Graph, value: Value) -> bool:
    """Whether ``value`` is an operation that sums can be taken apart at."""
    return graph.producer(value).op in ("add", "sub", "neg", "mul", "div")


@dataclass(frozen=True)
class _Sums:
    """Sums over ``axes``, as values of ``type``, from the ``known`` ones."""

    graph: Graph
    axes: tuple[int, ...]
    known: dict[tuple[Value, tuple[int, ...]], Value]
    type: TensorType

    def of(self, value: Value, steps: int) -> Value | None:
        """The sum of ``value``; None if it takes a pass over data."""
        if (value, self.axes) in self.known:
            return self.known[value, self.axes]
        g, node = self.graph, self.graph.producer(value)
        if steps == MOST_STEPS or not _computes(g, value):
            return None
        operands = g.operands(node)
        if node.op == "sub" and self._is_centered(*operands):
            return splat(g, 0, self.type)
        if node.op in ("mul", "div"):
            return self._scaled(node, operands, steps)
        sums = [self._term(operand, steps) for operand in operands]
        return None if None in sums else g.apply(node.op, *(total for total in sums if total is not None))

    def _term(self, value: Value, steps: int) -> Value | None:
        same = self._same(value)
        if same is None:
            return self.of(value, steps + 1)
        return self.graph.apply("mul", same, self._count(self.graph.type(value).shape))

    def _scaled(self, node: Node, operands: tuple[Value, ...], steps: int) -> Value | None:
        x, y = operands
        if (factor := self._same(y)) is not None:
            total = self.of(x, steps + 1)
            return None if total is None else self.graph.apply(node.op, total, factor)
        if node.op == "mul" and (factor := self._same(x)) is not None:
            total = self.of(y, steps + 1)
            return None if total is None else self.graph.apply("mul", factor, total)
        return None

    def _same(self, value: Value) -> Value | None:
        """What all terms have in common, in the shape of a sum, if ``value`` is the same along the summed axes."""
        g = self.graph
        scalar = scalar_of(g, value)
        if scalar is not None:
            return splat(g, scalar, self.type)
        node = g.producer(value)
        if not isinstance(node.attrs, BroadcastAttributes) or set(node.attrs.axes) & set(self.axes):
            return None
        (inner,) = g.operands(node)
        if g.type(inner).shape == self.type.shape:
            return inner
        kept = [axis for axis in range(g.type(value).rank) if axis not in self.axes]
        axes = tuple(kept.index(axis) for axis in node.attrs.axes)
        return g.apply("broadcast", inner, attrs=BroadcastAttributes(self.type.shape, axes))

    def _count(self, shape: Shape) -> Value:
        """The number of terms of each sum."""
        g, count = self.graph, self._number(shape)
        if isinstance(count, int):
            return splat(g, count, self.type)
        number = g.apply("dim_value", attrs=DimValueAttributes(count, self.type.dtype))
        return g.apply("broadcast", number, attrs=BroadcastAttributes(self.type.shape, ()))

    def _number(self, shape: Shape) -> DimLike:
        return product(shape[axis] for axis in self.axes)

    def _is_centered(self, x: Value, mean: Value) -> bool:
        """Whether ``mean`` is the mean of ``x`` over the summed axes, repeated."""
        g, total = self.graph, self.known.get((x, self.axes))
        inner = self._same(mean)
        if total is None or inner is None or g.producer(inner).op != "div":
            return False
        numerator, count = g.operands(g.producer(inner))
        number: DimLike | float | None = scalar_of(g, count)
        while number is None and isinstance(g.producer(count).attrs, BroadcastAttributes):
            (count,) = g.operands(g.producer(count))
        attrs = g.producer(count).attrs
        if isinstance(attrs, DimValueAttributes):
            number = attrs.size
        return numerator == total and number == self._number(g.type(x).shape)
