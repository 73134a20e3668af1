"""The work of a network, layer by layer: arithmetic operations, and bytes moved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from netwright.specs.dims import substitute

from ...graph.graph import Graph
from ...ops.base import Cost, primitive
from ..network import Network


def work(network: Network) -> dict[str, Cost]:
    """The work of predicting one sample, by layer, over the open sizes except the batch, which is 1.

    FLOPs: a product of [M, K] and [K, N] has 2·M·K·N, a convolution 2·cells·kernel·filters, an elementwise operation
    one per element, a reduction one per element that it reads; moving data has none. Bytes: every operation reads its
    operands and writes its results once. This is the work of the network as written, without the savings of compiling
    (fusion, shared windows, folded constants). A scan counts all its steps.
    """
    single = {name: 1 for name, info in network.dims.items() if info.role == "batch"}
    costs: dict[str, Cost] = {}
    for name, cost in graph_work(network.graphs["predict"], [info.name for info in network.layers]).items():
        costs[name] = Cost(substitute(cost.flops, single), substitute(cost.bytes, single))
    return costs


def graph_work(graph: Graph, layers: Iterable[str]) -> dict[str, Cost]:
    """The work of a graph's operations, by the layer that each was expanded from."""
    known = {name: name for name in layers}
    costs: dict[str, Cost] = {}
    for node in graph:
        if node.op == "input":
            continue
        operands = [graph.type(value) for value in graph.operands(node)]
        cost = primitive(node.op).cost(node.attrs, operands, node.types)
        layer = layer_of(node.layer, known)
        so_far = costs.get(layer, Cost())
        costs[layer] = Cost(so_far.flops + cost.flops, so_far.bytes + cost.bytes)
    return costs


def layer_of(path: str, known: Mapping[str, str]) -> str:
    """The layer that an operation's dotted path belongs to: `enc.0` for `enc.0.forward`."""
    while path not in known and "." in path:
        path = path.rpartition(".")[0]
    return path
