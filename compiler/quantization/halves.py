"""Weights of 16 bits: kernels widen them as they load them, and compute in float32."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..frontend.network import Network, Parameter
from ..graph.graph import Graph
from ..graph.node import Node, Value
from ..graph.types import TensorType
from ..machine import Machine
from ..ops.widen import Half, WidenAttributes, halves
from ..passes.base import PassContext
from ..passes.dead_code import RemoveDeadCode
from ..pipeline import run
from .rewrite import without_idle
from .sites import Key, Site, find_products, weights_of

#: Larger numbers have no half precision.
_MOST = {"float16": 65504.0, "bfloat16": float(np.float32(3.38e38))}


def halved_network(
    network: Network, weights: Mapping[str, NDArray], machine: Machine, format: Half
) -> tuple[Network, dict[str, NDArray]]:
    """The network with weights of 16 bits in all products outside of recurrences, and its weights by name. Weights with
    numbers beyond the format stay as they are."""
    graphs: dict[str, Graph] = {}
    stored: dict[Key, NDArray] = {}
    for name in ("predict", "loss"):
        if name in network.graphs:
            graph = run({name: network.graphs[name]}, machine, stop_after="graph")[name]
            sites = find_products(graph)
            arrays = weights_of(graph, sites, weights)
            fitting = {
                key: array for key, array in arrays.items() if np.abs(array).max(initial=0) <= _MOST[format]
            }
            graphs[name] = _halved(graph, [site for site in sites if site.key in fitting], fitting, format)
            stored |= fitting
    read = {name for graph in graphs.values() for name in graph.inputs}
    parameters = {name: p for name, p in network.parameters.items() if name in read}
    values: dict[str, NDArray] = {name: weights[name] for name in parameters}
    for key, array in stored.items():
        name = _name(key, format)
        parameters[name] = Parameter(name, TensorType("uint16", array.shape), "parameter", (), key.layer)
        values[name] = halves(array, format)
    made = replace(network, parameters=parameters, graphs=graphs, states={}, fitted=(), quantized=True)
    return made, values


def _name(key: Key, format: Half) -> str:
    return f"{key.layer or 'network'}.{key.op}{key.number or ''}.{format}"


def _halved(graph: Graph, sites: Sequence[Site], arrays: Mapping[Key, NDArray], format: Half) -> Graph:
    at = {site.node.id: site for site in sites}

    def rule(new: Graph, node: Node, operands: tuple[Value, ...]) -> Sequence[Value] | None:
        site = at.get(node.id)
        if site is None:
            return None
        stored = new.input(_name(site.key, format), TensorType("uint16", arrays[site.key].shape), "parameter")
        wide = new.apply("widen", stored, attrs=WidenAttributes(format))
        given = [wide if position == site.position else value for position, value in enumerate(operands)]
        return new.add(node.op, given, node.attrs).values

    return without_idle(RemoveDeadCode().run(graph.rewrite(rule), PassContext("halves")))
