"""Copies weights that products of all steps read transposed, so that their lanes run along the columns.

The cotangent of a recurrence's input is a product with the transposed weights. Read where they are, these have their
terms contiguous: a tile would run its lanes along the sum and add them up at its end, and such tiles are small. The
product has a row for each step of each sequence, so a copy costs little. Whether it is made depends on no number of
steps: a block of steps has to give the same bits as all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from ..graph.graph import Graph
from ..graph.node import Node, Value
from ..ops.dot import DotAttributes
from ..ops.layout import TransposeAttributes
from ..ops.panels import PanelsAttributes, pack
from .base import Pass, PassContext


@dataclass(frozen=True)
class TurnWeights(Pass):
    """Gives products that left a loop, and whose right side has its terms contiguous, a transposed copy of that side,
    in panels if its columns fill these."""

    name: ClassVar[str] = "turn_weights"

    def run(self, graph: Graph, context: PassContext) -> Graph:
        turned: dict[Value, Value] = {}

        def rule(new: Graph, node: Node, operands: tuple[Value, ...]) -> Sequence[Value] | None:
            attrs = node.attrs
            if not isinstance(attrs, DotAttributes) or attrs.order != "fixed" or attrs.rhs_contract != (1,):
                return None
            left, right, *start = operands
            type = new.type(right)
            lanes = context.machine.lanes(type.dtype)
            columns, terms = type.shape
            if not isinstance(columns, int) or not isinstance(terms, int) or columns < 2 * lanes:
                return None
            if right not in turned:
                turned[right] = _turned(new, right, columns, lanes)
            return new.add(
                "dot", [left, turned[right], *start], replace(attrs, rhs_contract=(0,)), layer=node.layer
            ).values

        return graph.rewrite(context.limit(rule))


def _turned(graph: Graph, matrix: Value, columns: int, lanes: int) -> Value:
    transposed = graph.apply("transpose", matrix, attrs=TransposeAttributes((1, 0)))
    if columns % lanes:
        return graph.apply("copy", transposed)
    return graph.apply("panels", pack(graph, transposed, lanes), attrs=PanelsAttributes(lanes))
