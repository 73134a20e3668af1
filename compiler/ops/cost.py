"""The work of a whole graph."""

from __future__ import annotations

from netwright.specs.dims import DimLike

from ..graph.graph import Graph
from .base import Cost, primitive


def cost_of(graph: Graph) -> Cost:
    """The work of all operations, scans with all their steps."""
    flops: DimLike = 0
    moved: DimLike = 0
    for node in graph:
        if node.op != "input":
            types = [graph.type(value) for value in graph.operands(node)]
            own = primitive(node.op).cost(node.attrs, types, node.types)
            flops, moved = flops + own.flops, moved + own.bytes
    return Cost(flops, moved)
