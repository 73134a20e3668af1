"""Computes only the pieces that are read: slice(dot(x, W)) becomes dot(x, slice(W)).

A gate's slice of ``x @ W + h @ U + b`` becomes a sum of products with slices of the weights. These products share an
operand, so they are fused with the gates' arithmetic into one kernel, and nothing in between is stored. That pays
where a product has few rows; with many, one wide product fills the registers better than four narrow ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

from netwright.specs.dims import Dim, product

from ...graph.graph import Graph
from ...graph.node import Node, Value
from ...ops.base import BroadcastAttributes, primitive
from ...ops.products.dot import DotAttributes
from ...ops.protocols import Elementwise
from ...ops.views.slice_pad import SliceAttributes
from ..base import Pass, PassContext

Cut = tuple[int, int]
"""Start and limit of a piece along the partition's axis."""


@dataclass(frozen=True)
class Partition:
    """Disjoint pieces of a value along ``axis``, outside which nothing of it is read."""

    axis: int
    cuts: frozenset[Cut]


@dataclass(frozen=True)
class SliceOfDot(Pass):
    """Moves slices up through elementwise operations, broadcasts and products, if every reader is a slice."""

    name: ClassVar[str] = "slice_of_dot"

    max_rows: int = 4

    def run(self, graph: Graph, context: PassContext) -> Graph:
        partitions = self._partitions(graph)
        pieces: dict[tuple[Value, Cut], Value] = {}

        def piece(new: Graph, old: Value, moved: Value, axis: int, cut: Cut) -> Value:
            if (old, cut) in pieces:
                return pieces[old, cut]
            return new.apply("slice", moved, attrs=SliceAttributes.along(new.type(moved).shape, axis, *cut))

        def rule(new: Graph, node: Node, operands: tuple[Value, ...]) -> Sequence[Value] | None:
            old = graph.operands(node)
            if isinstance(node.attrs, SliceAttributes) and (sliced := _cut(graph, node)) is not None:
                existing = pieces.get((old[0], sliced[1]))
                return None if existing is None else [existing]
            partition = partitions.get(node.values[0])
            if partition is not None:
                for cut in sorted(partition.cuts):
                    values = [
                        value if axis is None else piece(new, source, value, axis, cut)
                        for source, value, axis in zip(
                            old, operands, _axes(graph, node, partition.axis), strict=True
                        )
                    ]
                    attrs = node.attrs
                    if isinstance(attrs, BroadcastAttributes):
                        shape = list(attrs.shape)
                        shape[partition.axis] = cut[1] - cut[0]
                        attrs = BroadcastAttributes(tuple(shape), attrs.axes)
                    pieces[node.values[0], cut] = new.apply(node.op, *values, attrs=attrs)
            return None

        return graph.rewrite(context.limit(rule)) if partitions else graph

    def _partitions(self, graph: Graph) -> dict[Value, Partition]:
        """The partition of each value of which only disjoint pieces are read, and which can be computed in pieces."""
        outputs = set(graph.outputs.values())
        partitions: dict[Value, Partition] = {}
        for id in reversed(range(len(graph))):
            node = graph.node(id)
            if node.values[0] in outputs or not self._divisible(graph, node):
                continue
            readers = [_pieces_read(graph, reader, partitions) for reader, _ in graph.uses(node.values[0])]
            axes = {partition.axis for partition in readers if partition is not None}
            if None in readers or len(axes) != 1:
                continue
            (axis,) = axes
            cuts = frozenset(cut for partition in readers if partition is not None for cut in partition.cuts)
            ordered = sorted(cuts)
            disjoint = all(a[1] <= b[0] for a, b in pairwise(ordered))
            if disjoint:
                partitions[node.values[0]] = Partition(axis, cuts)
        return _with_products(graph, partitions)

    def _divisible(self, graph: Graph, node: Node) -> bool:
        if isinstance(node.attrs, DotAttributes):
            if len(graph.operands(node)) > 2:
                return False
            shape = graph.type(graph.operands(node)[0]).shape
            rows = product(shape[axis] for axis in node.attrs.free(len(shape), node.attrs.lhs_contract))
            return isinstance(rows, int) and rows <= self.max_rows
        return node.op == "broadcast" or (node.op != "input" and isinstance(primitive(node.op), Elementwise))


def _with_products(graph: Graph, partitions: dict[Value, Partition]) -> dict[Value, Partition]:
    """``partitions`` without the operations that lead to no product: computing them in pieces would gain nothing."""
    kept: set[Value] = set()
    for value in sorted(partitions, key=lambda value: value.node):
        node = graph.producer(value)
        if node.op == "dot" or any(operand in kept for operand in graph.operands(node)):
            kept.add(value)
    for value in partitions.keys() - kept:
        readers = (reader.values[0] for reader, _ in graph.uses(value))
        if graph.producer(value).op == "broadcast" and any(reader in kept for reader in readers):
            kept.add(value)
    return {value: partition for value, partition in partitions.items() if value in kept}


def _pieces_read(graph: Graph, node: Node, known: dict[Value, Partition]) -> Partition | None:
    """The pieces that ``node`` reads of an operand; None if it reads all of it."""
    if isinstance(node.attrs, SliceAttributes):
        sliced = _cut(graph, node)
        return None if sliced is None else Partition(sliced[0], frozenset([sliced[1]]))
    return known.get(node.values[0]) if isinstance(primitive(node.op), Elementwise) else None


def _cut(graph: Graph, node: Node) -> tuple[int, Cut] | None:
    """Axis, start and limit of a slice that cuts one axis of fixed size, with stride 1."""
    attrs = node.attrs
    assert isinstance(attrs, SliceAttributes)
    shape = graph.type(graph.operands(node)[0]).shape
    cut = [
        (axis, (start, limit))
        for axis, (start, limit, size) in enumerate(zip(attrs.start, attrs.limit, shape, strict=True))
        if (start, limit) != (0, size)
    ]
    if len(cut) != 1 or any(stride != 1 for stride in attrs.stride):
        return None
    axis, (start, limit) = cut[0]
    if isinstance(start, Dim) or isinstance(limit, Dim):
        return None
    return axis, (start, limit)


def _axes(graph: Graph, node: Node, axis: int) -> tuple[int | None, ...]:
    """For each operand, the axis that corresponds to ``axis`` of the result; None for an operand without it."""
    attrs = node.attrs
    operands = graph.operands(node)
    if isinstance(attrs, DotAttributes):
        if axis < attrs.batch:
            return (axis, axis)
        free_a = attrs.free(graph.type(operands[0]).rank, attrs.lhs_contract)
        free_b = attrs.free(graph.type(operands[1]).rank, attrs.rhs_contract)
        place = axis - attrs.batch
        return (free_a[place], None) if place < len(free_a) else (None, free_b[place - len(free_a)])
    if isinstance(attrs, BroadcastAttributes):
        return (attrs.axes.index(axis) if axis in attrs.axes else None,)
    return (axis,) * len(operands)
