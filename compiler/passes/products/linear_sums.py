"""Sums of linear terms from sums that are known: Σ (s·g + c·x) = s·Σg + c·Σx, where s and c are the same in all terms.

The gradient of batch normalization asks for such sums: of what it returns, for the bias of the convolution before, and
of a part of that, for the mean. Both consist of the cotangent, whose sum is the gradient of the shift, and of the
centered data, whose sum is 0. So neither takes a pass over the data.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from netwright.specs.dims import DimLike, product

from ...graph.graph import Graph
from ...graph.node import Node, Value
from ...graph.types import FLOATS, TensorType
from ...ops.base import BroadcastAttributes
from ...ops.values.constant import DimValueAttributes, splat
from ...ops.values.reduce import ReduceAttributes
from ..base import Pass, PassContext
from ..simplify import scalar_of

#: The longest chain of operations that is followed.
MOST_STEPS = 16


#: Adds a sum to the graph.
Emit: TypeAlias = Callable[[], Value]
#: Sums that are values of a graph, by what is added up and the axes.
Known: TypeAlias = dict[tuple[Value, tuple[int, ...]], Value]


@dataclass(frozen=True)
class LinearSums(Pass):
    """Computes sums of linear terms from sums of their parts, if no new pass over the data is needed."""

    name: ClassVar[str] = "linear_sums"

    def run(self, graph: Graph, context: PassContext) -> Graph:
        before: Known = {}
        sums = [node for node in graph if _is_sum(graph, node)]
        for node in sums:
            (x,), total = graph.operands(node), node.values[0]
            if _linear(graph, node, x, before) is not None:
                break
            before[x, _axes(node)] = total
        else:
            return graph
        known: Known = {}
        candidates = {node.id for node in sums}

        def rule(new: Graph, node: Node, operands: tuple[Value, ...]) -> Sequence[Value] | None:
            if node.id not in candidates:
                return None
            emit = _linear(new, node, operands[0], known)
            total = new.add(node.op, operands, node.attrs).values[0] if emit is None else emit()
            known[operands[0], _axes(node)] = total
            return [total]

        return graph.rewrite(context.limit(rule))


def _is_sum(graph: Graph, node: Node) -> bool:
    """Whether ``node`` is a sum of floats in any order."""
    attrs = node.attrs
    if not isinstance(attrs, ReduceAttributes) or attrs.op != "sum" or attrs.order != "any":
        return False
    type = graph.type(graph.operands(node)[0])
    return type.dtype in FLOATS and 0 not in type.shape


def _axes(node: Node) -> tuple[int, ...]:
    assert isinstance(node.attrs, ReduceAttributes)
    return node.attrs.axes


def _linear(graph: Graph, node: Node, x: Value, known: Known) -> Emit | None:
    """How to compute the sum ``node`` of ``x`` from known sums; None if ``x`` is no combination of their terms."""
    return _Sums(graph, _axes(node), known, node.types[0]).of(x, 0)


@dataclass(frozen=True)
class _Sums:
    """Sums over ``axes``, as values of ``type``, from the ``known`` ones. Nothing is added to the graph until a result
    is called."""

    graph: Graph
    axes: tuple[int, ...]
    known: Known
    type: TensorType

    def of(self, value: Value, steps: int) -> Emit | None:
        """The sum of ``value``; None if it takes a pass over data."""
        if (value, self.axes) in self.known:
            total = self.known[value, self.axes]
            return lambda: total
        g, node = self.graph, self.graph.producer(value)
        if steps == MOST_STEPS or node.op not in ("add", "sub", "neg", "mul", "div"):
            return None
        operands = g.operands(node)
        if node.op == "sub" and self._is_centered(*operands):
            return lambda: splat(g, 0, self.type)
        if node.op in ("mul", "div"):
            left, right = operands
            return self._scaled(node.op, left, right, steps)
        terms = [self._term(operand, steps) for operand in operands]
        sums = [emit for emit in terms if emit is not None]
        return (lambda: g.apply(node.op, *(emit() for emit in sums))) if len(sums) == len(terms) else None

    def _term(self, value: Value, steps: int) -> Emit | None:
        same = self._same(value)
        if same is None:
            return self.of(value, steps + 1)
        return lambda: self.graph.apply("mul", same(), self._count(value))

    def _scaled(self, op: str, x: Value, y: Value, steps: int) -> Emit | None:
        for terms, factor in ((x, y), (y, x))[: 1 + (op == "mul")]:
            same = self._same(factor)
            if same is None:
                continue
            total = self.of(terms, steps + 1)
            if total is not None:
                return lambda total=total, same=same: self.graph.apply(op, total(), same())
        return None

    def _same(self, value: Value) -> Emit | None:
        """What all terms have in common, in the shape of a sum; None if ``value`` varies along the summed axes."""
        g, scalar = self.graph, scalar_of(self.graph, value)
        if scalar is not None:
            return lambda: splat(g, scalar, self.type)
        attrs = g.producer(value).attrs
        if not isinstance(attrs, BroadcastAttributes) or set(attrs.axes) & set(self.axes):
            return None
        (inner,) = g.operands(value.node)
        if g.type(inner).shape == self.type.shape:
            return lambda: inner
        kept = [axis for axis in range(g.type(value).rank) if axis not in self.axes]
        axes = tuple(kept.index(axis) for axis in attrs.axes)
        return lambda: g.apply("broadcast", inner, attrs=BroadcastAttributes(self.type.shape, axes))

    def _count(self, value: Value) -> Value:
        """The number of terms of each sum of ``value``."""
        g, count = self.graph, self._number(value)
        if isinstance(count, int):
            return splat(g, count, self.type)
        number = g.apply("dim_value", attrs=DimValueAttributes(count, self.type.dtype))
        return g.apply("broadcast", number, attrs=BroadcastAttributes(self.type.shape, ()))

    def _number(self, value: Value) -> DimLike:
        shape = self.graph.type(value).shape
        return product(shape[axis] for axis in self.axes)

    def _is_centered(self, x: Value, mean: Value) -> bool:
        """Whether ``mean`` is the mean of ``x`` over the summed axes, repeated."""
        g, total, node = self.graph, self.known.get((x, self.axes)), self.graph.producer(mean)
        if not isinstance(node.attrs, BroadcastAttributes) or set(node.attrs.axes) & set(self.axes):
            return False
        (inner,) = g.operands(node)
        quotient = g.producer(inner)
        if quotient.op != "div" or g.operands(quotient)[0] != total:
            return False
        _, count = g.operands(quotient)
        while isinstance(g.producer(count).attrs, BroadcastAttributes):
            (count,) = g.operands(count.node)
        attrs = g.producer(count).attrs
        return scalar_of(g, count) == self._number(x) or (
            isinstance(attrs, DimValueAttributes) and attrs.size == self._number(x)
        )
