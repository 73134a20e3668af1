"""The passes between autodiff and lowering, in order."""

from __future__ import annotations

from .graph.analysis import ancestors
from .graph.graph import Graph


def optimize(graph: Graph) -> Graph:
    """The graph that is lowered: what no output needs is gone."""
    needed = {value.node for value in ancestors(graph, graph.outputs.values())}
    return graph.rewrite(lambda new, node, operands: None, keep=lambda node: node.id in needed)
