"""Multiplies sequences in the order in which they are in memory: dot(transpose(x), W) becomes transpose(dot(x, W)).

A loop leaves its results step by step, and what follows a recurrence takes them sample by sample. A product reads each
row by itself, in any order; so if its rows get shorter, its results are what should be transposed. Before gradients,
theirs come in the loop's order, too: the cotangents of the sequence go back as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from ..graph.graph import Graph
from ..graph.node import Node, Value
from ..ops.dot import DotAttributes
from ..ops.layout import TransposeAttributes
from .base import Pass, PassContext


@dataclass(frozen=True)
class TransposeResults(Pass):
    """Moves transposes of rows behind the products that make them shorter, if no other reads them."""

    name: ClassVar[str] = "transpose_results"

    def run(self, graph: Graph, context: PassContext) -> Graph:
        def rule(new: Graph, node: Node, operands: tuple[Value, ...]) -> Sequence[Value] | None:
            transpose = _moved(graph, node)
            if transpose is None:
                return None
            (rows,) = new.operands(new.producer(operands[0]))
            result = new.add(node.op, [rows, operands[1]], node.attrs, layer=node.layer).values[0]
            return [new.apply("transpose", result, attrs=transpose)]

        return graph.rewrite(context.limit(rule))


def _moved(graph: Graph, node: Node) -> TransposeAttributes | None:
    """The transpose of its rows that is to follow the product ``node``, if there is one."""
    if not _shortens_rows(graph, node):
        return None
    rows = graph.operands(node)[0]
    attrs = graph.producer(rows).attrs
    if not isinstance(attrs, TransposeAttributes) or attrs.permutation[-1] != graph.type(rows).rank - 1:
        return None
    alone = all(position == 0 and _shortens_rows(graph, reader) for reader, position in graph.uses(rows))
    return attrs if alone and rows not in graph.outputs.values() else None


def _shortens_rows(graph: Graph, node: Node) -> bool:
    """Whether ``node`` is a product of rows and a matrix with fewer columns than terms."""
    attrs = node.attrs
    if not isinstance(attrs, DotAttributes) or attrs.batch or len(graph.operands(node)) > 2:
        return False
    left, right = map(graph.type, graph.operands(node))
    if attrs.lhs_contract != (left.rank - 1,) or right.rank != 2:
        return False
    terms, columns = left.shape[-1], node.types[0].shape[-1]
    return isinstance(terms, int) and isinstance(columns, int) and columns < terms
