"""Local algebraic rules: each looks at one node and the producers of its operands, and returns a simpler value.

All rules preserve NaN and infinity (so x·0 stays); a sum with zero may turn −0 into 0. Rules for operations that only
move elements are in ``simplify_views``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from ..graph.graph import Graph
from ..graph.node import Node, Value
from ..ops.base import primitive
from ..ops.products.dot import DotAttributes
from ..ops.values.cast import CastAttributes
from ..ops.values.constant import ConstantAttributes
from ..ops.values.reduce import ReduceAttributes
from ..ops.views.layout import TransposeAttributes
from .base import Pass, PassContext
from .views.simplify_views import VIEW_RULES, sum_of_pads

Simplification = Callable[[Graph, Node, tuple[Value, ...]], Value | None]


@dataclass(frozen=True)
class Simplify(Pass):
    """Applies the rules until none applies, at most ``rounds`` times.

    ``differentiated``: gradients have been taken, so operations that matter to them alone are no longer needed.
    """

    name: ClassVar[str] = "simplify"

    differentiated: bool = False
    rounds: int = 8

    def run(self, graph: Graph, context: PassContext) -> Graph:
        def rule(new: Graph, node: Node, operands: tuple[Value, ...]) -> Sequence[Value] | None:
            if self.differentiated and primitive(node.op).gradients_only:
                return [operands[0]]
            for simplification in _RULES.get(node.op, ()):
                if (value := simplification(new, node, operands)) is not None:
                    return [value]
            return None

        for _ in range(self.rounds):
            before, graph = graph, graph.rewrite(context.limit(rule))
            if graph is before:
                break
        return graph


def scalar_of(graph: Graph, value: Value) -> float | int | bool | None:
    """The number that fills a constant value; None for any other value."""
    attrs = graph.producer(value).attrs
    return attrs.scalar if isinstance(attrs, ConstantAttributes) else None


def negated(graph: Graph, value: Value) -> Value | None:
    """The operand, if ``value`` is a negation."""
    node = graph.producer(value)
    return graph.operands(node)[0] if node.op == "neg" else None


def _add(g: Graph, node: Node, xs: tuple[Value, ...]) -> Value | None:
    a, b = xs
    if scalar_of(g, b) == 0:
        return a
    if scalar_of(g, a) == 0:
        return b
    if (c := negated(g, b)) is not None:
        return g.apply("sub", a, c)
    if (c := negated(g, a)) is not None:
        return g.apply("sub", b, c)
    return None


def _sub(g: Graph, node: Node, xs: tuple[Value, ...]) -> Value | None:
    a, b = xs
    if scalar_of(g, b) == 0:
        return a
    if scalar_of(g, a) == 0 and node.types[0].dtype not in ("uint8", "uint32", "uint64"):
        return g.apply("neg", b)
    c = negated(g, b)
    return None if c is None else g.apply("add", a, c)


def _mul(g: Graph, node: Node, xs: tuple[Value, ...]) -> Value | None:
    for a, b in (xs, xs[::-1]):
        if scalar_of(g, b) == 1:
            return a
        if scalar_of(g, b) == -1:
            return g.apply("neg", a)
    return None


def _div(g: Graph, node: Node, xs: tuple[Value, ...]) -> Value | None:
    return xs[0] if scalar_of(g, xs[1]) == 1 else None


def _neg(g: Graph, node: Node, xs: tuple[Value, ...]) -> Value | None:
    producer = g.producer(xs[0])
    if producer.op == "sub":
        a, b = g.operands(producer)
        return g.apply("sub", b, a)
    return negated(g, xs[0])


def _select(g: Graph, node: Node, xs: tuple[Value, ...]) -> Value | None:
    condition, a, b = xs
    if a == b:
        return a
    chosen = scalar_of(g, condition)
    return None if chosen is None else a if chosen else b


def _cast(g: Graph, node: Node, xs: tuple[Value, ...]) -> Value | None:
    assert isinstance(node.attrs, CastAttributes)
    return xs[0] if g.type(xs[0]).dtype == node.attrs.dtype else None


def _reduce(g: Graph, node: Node, xs: tuple[Value, ...]) -> Value | None:
    assert isinstance(node.attrs, ReduceAttributes)
    return xs[0] if not node.attrs.axes else None


def _not(g: Graph, node: Node, xs: tuple[Value, ...]) -> Value | None:
    producer = g.producer(xs[0])
    return g.operands(producer)[0] if producer.op == "not" else None


def _dot(g: Graph, node: Node, xs: tuple[Value, ...]) -> Value | None:
    """Reads a transposed operand in its original order, if that keeps the order of the free axes."""
    attrs = node.attrs
    assert isinstance(attrs, DotAttributes)
    contract = [attrs.lhs_contract, attrs.rhs_contract]
    operands = list(xs)
    for position, value in enumerate(xs[:2]):
        inner = g.producer(value).attrs
        if not isinstance(inner, TransposeAttributes):
            continue
        order = inner.permutation
        free = [order[axis] for axis in attrs.free(len(order), contract[position])]
        if free == sorted(free) and order[: attrs.batch] == tuple(range(attrs.batch)):
            operands[position] = g.operands(value.node)[0]
            contract[position] = tuple(order[axis] for axis in contract[position])
    if tuple(operands) == xs:
        return None
    attrs = replace(attrs, lhs_contract=contract[0], rhs_contract=contract[1])
    return g.apply("dot", *operands, attrs=attrs)


_RULES: dict[str, tuple[Simplification, ...]] = {
    "add": (_add, sum_of_pads),
    "sub": (_sub,),
    "mul": (_mul,),
    "div": (_div,),
    "neg": (_neg,),
    "not": (_not,),
    "select": (_select,),
    "cast": (_cast,),
    "reduce": (_reduce,),
    "dot": (_dot,),
    **VIEW_RULES,
}
