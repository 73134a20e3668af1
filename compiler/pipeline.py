"""The passes between autodiff and lowering, in order."""

from __future__ import annotations

from .graph.analysis import ancestors
from .graph.graph import Graph
from .passes.narrow import narrow_windows


def optimize(graph: Graph) -> Graph:
    """The graph that is lowered."""
    graph = eliminate_dead(graph)  # what no output needs would count as a use below
    graph = narrow_windows(graph)  # gradients of padded convolutions, cut to the cells that exist
    return eliminate_dead(graph)


def eliminate_dead(graph: Graph) -> Graph:
    """The graph without what no output needs."""
    needed = {value.node for value in ancestors(graph, graph.outputs.values())}
    return graph.rewrite(lambda new, node, operands: None, keep=lambda node: node.id in needed)
