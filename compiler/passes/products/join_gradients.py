"""Computes the gradients of all weights that share a cotangent as one sum of outer products.

The weights of a recurrence's state, of its input and its bias have sums over the same cotangents, those of the gates in
all steps: by far the longest of their operands, which long sequences or large batches leave in the last cache or in
memory. Each sum would read them again, in pieces of a tile's columns, which nothing fetches ahead. So the data are put
side by side, [h | x | 1], and one product reads the cotangents once; a bias is the row of ones. Every sum has the same
terms in the same order as before, so its bits are the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from netwright.specs.dims import DimLike, product

from ...graph.graph import Graph
from ...graph.node import Node, Value
from ...machine import Machine
from ...ops.products.dot import DotAttributes
from ...ops.values.constant import splat
from ...ops.values.reduce import ReduceAttributes
from ...ops.views.concat import ConcatAttributes
from ...ops.views.layout import ReshapeAttributes
from ...ops.views.slice_pad import SliceAttributes
from ..base import Pass, PassContext

#: Sums of fewer terms are no sums of outer products.
LEAST_TERMS = 64
#: How many times as long as a row of the cotangent a row of the data may be: it is copied to lie beside the others.
MOST_ROWS = 2


@dataclass(frozen=True)
class JoinGradients(Pass):
    """Joins products and sums in order that add up rows of one value, if their results stay in the second cache."""

    name: ClassVar[str] = "join_gradients"
    bodies: ClassVar[bool] = False

    def run(self, graph: Graph, context: PassContext) -> Graph:
        spend = context.limit(lambda _graph, _node, _operands: ())
        families: dict[int, _Family] = {}
        for family in _families(graph, context.machine):
            if spend(graph, family.members[0], ()) is not None:
                families |= {node.id: family for node in family.members}
        if not families:
            return graph
        read: dict[int, tuple[Value, ...]] = {}
        results: dict[Value, Value] = {}

        def rule(new: Graph, node: Node, operands: tuple[Value, ...]) -> Sequence[Value | None] | None:
            family = families.get(node.id)
            if family is not None:
                read[node.id] = operands
                if node is not family.members[-1]:
                    return [None]  # all readers come after the last one
                results.update(_joined(new, family, read))
                return [results[node.values[0]]]
            old = graph.operands(node)
            whole = tuple(results.get(own, value) for own, value in zip(old, operands, strict=True))
            return None if whole == operands else new.add(node.op, whole, node.attrs).values

        return graph.rewrite(rule)


@dataclass(frozen=True)
class _Family:
    """The products and sums, in the order of the graph, that add up rows of ``cotangent`` in one order."""

    cotangent: Value
    order: str
    members: list[Node]


def _families(graph: Graph, machine: Machine) -> list[_Family]:
    alike: dict[tuple[Value, str], list[Node]] = {}
    for node in graph:
        added = _added(graph, node)
        if added is not None:
            alike.setdefault(added, []).append(node)
    families = [_Family(value, order, members) for (value, order), members in alike.items()]
    return [family for family in families if _pays(graph, family, machine)]


def _added(graph: Graph, node: Node) -> tuple[Value, str] | None:
    """The value whose rows ``node`` adds up in a given order, from zero on, and that order."""
    attrs, operands = node.attrs, graph.operands(node)
    if isinstance(attrs, DotAttributes):
        matrices = all(graph.type(value).rank == 2 for value in operands)
        if (attrs.lhs_contract, attrs.rhs_contract) != ((0,), (0,)) or not matrices or len(operands) != 2:
            return None
        value, order = operands[1], attrs.order
        source = graph.producer(value)
        if isinstance(source.attrs, ReshapeAttributes):
            (before,) = graph.operands(source)
            if graph.type(before).shape[-1:] == graph.type(value).shape[-1:]:
                value = before
    elif isinstance(attrs, ReduceAttributes) and attrs.op == "sum" and len(operands) == 1:
        (value,), order = operands, attrs.order
        if attrs.axes != tuple(range(graph.type(value).rank - 1)):
            return None
    else:
        return None
    return None if order == "any" else (value, order)


def _pays(graph: Graph, family: _Family, machine: Machine) -> bool:
    members = family.members
    if len(members) < 2 or not any(isinstance(node.attrs, DotAttributes) for node in members):
        return False
    *leading, columns = graph.type(family.cotangent).shape
    terms, rows = product(leading), sum(_rows(node) for node in members)
    if not isinstance(columns, int) or not isinstance(rows, int):
        return False
    if isinstance(terms, int) and terms < LEAST_TERMS:
        return False
    # What is computed from the sums, such as new weights, reads them from memory.
    itemsize = np.dtype(graph.type(family.cotangent).dtype).itemsize
    if rows > MOST_ROWS * columns or rows * columns * itemsize > machine.l2_bytes // 2:
        return False
    values = {node.values[0] for node in members}
    if values & set(graph.outputs.values()):
        return False
    return all(reader.id > members[-1].id for value in values for reader, _ in graph.uses(value))


def _rows(node: Node) -> DimLike:
    """How many rows of the joined product ``node`` has: a sum is one."""
    return node.types[0].shape[0] if isinstance(node.attrs, DotAttributes) else 1


def _joined(new: Graph, family: _Family, read: dict[int, tuple[Value, ...]]) -> dict[Value, Value]:
    """Adds the product of a family; the result of each member by its value. ``read``: the operands of each, in the new
    graph."""
    products = [node for node in family.members if isinstance(node.attrs, DotAttributes)]
    sums = [node for node in family.members if isinstance(node.attrs, ReduceAttributes)]
    flat = read[products[0].id][1]
    source = new.producer(flat)
    before = new.operands(source)[0] if isinstance(source.attrs, ReshapeAttributes) else flat
    *leading, columns = new.type(before).shape
    data = [_in_steps(new, read[node.id][0], leading) for node in products]
    if sums:
        data.append(splat(new, 1, new.type(before).with_shape((*leading, 1))))
    beside = new.apply("concat", *data, attrs=ConcatAttributes(len(leading)))
    rows = new.type(beside).shape[-1]
    shape = (new.type(flat).shape[0], rows)
    matrix = new.apply("reshape", beside, attrs=ReshapeAttributes(shape)) if len(leading) > 1 else beside
    whole = new.apply("dot", matrix, flat, attrs=products[0].attrs)
    results: dict[Value, Value] = {}
    start: DimLike = 0
    for node in products:
        stop = start + _rows(node)
        cut = SliceAttributes.along((rows, columns), 0, start, stop)
        results[node.values[0]] = new.apply("slice", whole, attrs=cut)
        start = stop
    for node in sums:
        last = new.apply("slice", whole, attrs=SliceAttributes.along((rows, columns), 0, start, start + 1))
        results[node.values[0]] = new.apply("reshape", last, attrs=ReshapeAttributes((columns,)))
    return results


def _in_steps(new: Graph, data: Value, leading: Sequence[DimLike]) -> Value:
    """``data`` with its rows as steps and samples again, so that it can be stored where it is put."""
    node = new.producer(data)
    if isinstance(node.attrs, ReshapeAttributes):
        (before,) = new.operands(node)
        if new.type(before).shape[:-1] == tuple(leading):
            return before
    shape = (*leading, new.type(data).shape[-1])
    return (
        data if new.type(data).shape == shape else new.apply("reshape", data, attrs=ReshapeAttributes(shape))
    )
