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
from ..ops.scans.scan_attributes import ScanAttributes
from ..ops.values.widen import Half, WidenAttributes, halves
from ..passes.base import PassContext
from ..passes.dead_code import RemoveDeadCode
from ..pipeline import run
from .rewrite import without_idle
from .sites import Constant, Key, Site, find_constant_weights, find_products, weights_of

#: Larger numbers have no half precision.
_MOST = {"float16": 65504.0, "bfloat16": float(np.float32(3.38e38))}


def halved_network(
    network: Network, weights: Mapping[str, NDArray], machine: Machine, format: Half
) -> tuple[Network, dict[str, NDArray]]:
    """The network with weights of 16 bits in all products, and its weights by name. Weights with numbers beyond the
    format stay as they are."""
    graphs: dict[str, Graph] = {}
    stored: dict[Key, NDArray] = {}
    for name, given in network.reading().items():
        graph = run({name: given}, machine, stop_after="graph")[name]
        sites = [*find_products(graph), *find_constant_weights(graph)]
        arrays = weights_of(graph, sites, weights)
        fitting = {
            key: array for key, array in arrays.items() if np.abs(array).max(initial=0) <= _MOST[format]
        }
        chosen = [site for site in sites if site.key in fitting]
        graphs[name] = _halved(graph, chosen, fitting, format, _once(chosen, fitting, machine))
        stored |= fitting
    read = {name for graph in graphs.values() for name in graph.inputs}
    parameters = {name: p for name, p in network.parameters.items() if name in read}
    values: dict[str, NDArray] = {name: weights[name] for name in parameters}
    for key, array in stored.items():
        name = _name(key, format)
        parameters[name] = Parameter(name, TensorType("uint16", array.shape), "parameter", (), key.layer)
        values[name] = halves(array, format)
    whole = graphs.pop("whole", None)
    made = replace(
        network, parameters=parameters, graphs=graphs, states={}, fitted=(), quantized=True, whole=whole
    )
    return made, values


def _name(key: Key, format: Half) -> str:
    return f"{key.layer or 'network'}.{key.op}{key.number or ''}.{format}"


def _once(
    sites: Sequence[Site | Constant], arrays: Mapping[Key, NDArray], machine: Machine
) -> frozenset[int]:
    """The recurrences whose weights are widened once, after loading: those that a core's own caches hold in float32,
    which gain nothing from fewer bytes. Without vectors there are none: memory is scarce where they are missing."""
    if machine.lanes("float32") == 1:
        return frozenset()
    sizes: dict[int, int] = {}
    for site in sites:
        if isinstance(site, Constant):
            sizes[site.node.id] = sizes.get(site.node.id, 0) + arrays[site.key].nbytes
    return frozenset(id for id, size in sizes.items() if size <= machine.l2_bytes)


def _halved(
    graph: Graph,
    sites: Sequence[Site | Constant],
    arrays: Mapping[Key, NDArray],
    format: Half,
    once: frozenset[int],
) -> Graph:
    at: dict[int, list[Site | Constant]] = {}
    for site in sites:
        at.setdefault(site.node.id, []).append(site)
    attrs = WidenAttributes(format)
    stored: dict[str, Value] = {}

    def rule(new: Graph, node: Node, operands: tuple[Value, ...]) -> Sequence[Value] | None:
        if node.id not in at:
            return None
        given = list(operands)
        for site in at[node.id]:
            name, type = _name(site.key, format), TensorType("uint16", arrays[site.key].shape)
            if name not in stored:
                stored[name] = new.input(name, type, "parameter")
            given[site.position] = stored[name]
        positions = {site.position for site in at[node.id]}
        if isinstance(node.attrs, ScanAttributes) and node.id not in once:
            return new.add(
                node.op, given, _widened_within(node.attrs, positions, attrs), layer=node.layer
            ).values
        read = [
            new.apply("widen", value, attrs=attrs) if place in positions else value
            for place, value in enumerate(given)
        ]
        if node.id in once:
            read = [
                new.apply("copy", value) if place in positions else value for place, value in enumerate(read)
            ]
        return new.add(node.op, read, node.attrs, layer=node.layer).values

    return without_idle(RemoveDeadCode().run(graph.rewrite(rule), PassContext("halves")))


def _widened_within(attrs: ScanAttributes, positions: set[int], how: WidenAttributes) -> ScanAttributes:
    """The scan that is given the consts at ``positions`` in 16 bits, and widens them in each step."""
    inner = Graph(attrs.body.name)
    arguments: list[Value] = []
    for position, (name, value) in enumerate(attrs.body.inputs.items()):
        type = attrs.body.type(value)
        half = position in positions
        given = inner.input(name, type.with_dtype("uint16") if half else type, "body")
        arguments.append(inner.apply("widen", given, attrs=how) if half else given)
    for name, value in zip(attrs.body.outputs, inner.inline(attrs.body, arguments), strict=True):
        inner.set_output(name, value)
    return replace(attrs, body=inner)
