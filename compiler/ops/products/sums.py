"""Gradients of weights as sums in a given order, which go on from where a sum over other steps ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ...graph.graph import Graph
from ...graph.node import Node, Value
from ..protocols import Order, contraction
from ..views.layout import ReshapeAttributes, TransposeAttributes


def summed_in_order(
    graph: Graph,
    source: Graph,
    value: Value,
    arguments: Sequence[Value],
    order: Order,
    start: Value | None,
) -> Value:
    """Appends to ``graph`` what computes ``value`` in ``source`` from ``arguments``, which stand for the inputs there.

    The last contraction on the way to ``value`` adds its terms in ``order``, and goes on from ``start``, a value of
    the same type.
    """
    views, last = _last_contraction(source, value)
    needed = source.extract(source.name, list(source.inputs.items()), [("value", value)])
    if last is None:
        (result,) = graph.inline(needed, arguments)
        return result if start is None else graph.apply("add", start, result)
    for view in views:
        assert start is None or isinstance(view.attrs, TransposeAttributes | ReshapeAttributes)
        if start is not None:
            start = _undone(graph, source, view, start)
    operands = source.extract(
        source.name, list(source.inputs.items()), [(str(i), v) for i, v in enumerate(source.operands(last))]
    )
    attrs: Any = last.attrs
    factors = graph.inline(operands, arguments)
    starts = [] if start is None else [start]
    result = graph.add(last.op, [*factors, *starts], replace(attrs, order=order), layer=last.layer).values[0]
    for view in reversed(views):
        result = graph.add(view.op, [result], view.attrs, layer=view.layer).values[0]
    return result


def _last_contraction(graph: Graph, value: Value) -> tuple[list[Node], Node | None]:
    """The contraction that ``value`` is a reshape or transpose of, and these views, last one first."""
    views: list[Node] = []
    node = graph.producer(value)
    while isinstance(node.attrs, TransposeAttributes | ReshapeAttributes):
        views.append(node)
        node = graph.producer(graph.operands(node)[0])
    op = contraction(node)
    return views, node if op is not None and op.continues else None


def _undone(graph: Graph, source: Graph, view: Node, value: Value) -> Value:
    """What ``view`` makes ``value`` of."""
    if isinstance(view.attrs, TransposeAttributes):
        return graph.apply("transpose", value, attrs=view.attrs.inverse)
    shape = source.type(source.operands(view)[0]).shape
    return graph.apply("reshape", value, attrs=ReshapeAttributes(shape))
