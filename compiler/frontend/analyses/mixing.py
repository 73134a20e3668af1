"""Which layers mix the samples of a batch, so that a part of a batch gives something else than the whole."""

from __future__ import annotations

from netwright.specs.dims import DimLike, dim_symbols

from ...graph.graph import Graph
from ...ops.base import primitive
from ...ops.protocols import Contraction
from ...ops.scans.scan_attributes import ScanAttributes


def mixing_layer(graph: Graph, batch: DimLike) -> str | None:
    """The first layer of a forward graph that adds up, or runs, over the samples of a batch of this size."""
    symbols = dim_symbols(batch)
    for node in graph:
        if node.op == "input":
            continue
        types, op = [graph.type(value) for value in graph.operands(node)], primitive(node.op)
        sizes: list[DimLike] = []
        if isinstance(op, Contraction):
            sizes += op.reduction_shape(node.attrs, types)
        elif isinstance(node.attrs, ScanAttributes):
            sizes.append(node.attrs.length)
        if any(symbols & dim_symbols(size) for size in sizes):
            return node.layer
    return None
