"""Computes equal things once: merges nodes of one operation with equal attributes and the same operands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from ..graph.graph import Graph
from ..graph.node import Attributes, Node, Value
from .base import Pass, PassContext


@dataclass(frozen=True)
class MergeCommonSubexpressions(Pass):
    """Merges any equal nodes: every operation is pure, random bits included."""

    name: ClassVar[str] = "merge_common_subexpressions"

    def run(self, graph: Graph, context: PassContext) -> Graph:
        known: dict[tuple[str, Attributes, tuple[Value, ...]], tuple[Value, ...]] = {}

        def rule(new: Graph, node: Node, operands: tuple[Value, ...]) -> Sequence[Value] | None:
            # the id that ``new`` will give the copy of this node
            copy = tuple(Value(len(new), port) for port in range(len(node.types)))
            existing = known.setdefault((node.op, node.attrs, operands), copy)
            return None if existing == copy else existing

        return graph.rewrite(context.limit(rule))
