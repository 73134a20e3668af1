"""Checks that a graph is valid: its structure, and that every type agrees with the shape rules."""

from __future__ import annotations

from .graph import Graph
from .node import InputAttributes, Node
from .rules import ShapeError, rules_of


class VerificationError(Exception):
    """The graph is invalid: a bug in the compiler, not an error in a spec."""


def verify(graph: Graph, verified: dict[int, Graph] | None = None) -> None:
    """Raises VerificationError if ``graph`` is invalid. ``verified`` holds bodies of scans, by their ids, that need not
    be looked at again; those that are valid are added.
    """
    known: dict[int, Graph] = {} if verified is None else verified
    names = set()
    edges = _edges(graph)
    for node in graph:
        _structure(graph, node, edges.get(node.id, []))
        if isinstance(node.attrs, InputAttributes):
            names.add(node.attrs.name)
            if graph.inputs.get(node.attrs.name) not in node.values or node.types != (node.attrs.type,):
                raise VerificationError(f"%{node.id}: the input {node.attrs.name!r} is not what it says")
            continue
        try:
            types = tuple(
                rules_of(node.op).infer(node.attrs, [graph.type(value) for value in graph.operands(node)])
            )
        except ShapeError as error:
            raise VerificationError(f"%{node.id} = {node.op}: {error}") from error
        if types != node.types:
            shown = ", ".join(map(str, types))
            raise VerificationError(f"%{node.id} = {node.op}: its rule gives {shown}")
        body = getattr(node.attrs, "body", None)
        if isinstance(body, Graph) and id(body) not in known:
            verify(body, known)
            known[id(body)] = body
    if names != graph.inputs.keys():
        raise VerificationError(f"inputs {sorted(graph.inputs.keys() ^ names)} have no node or no name")
    for name, value in graph.outputs.items():
        if value.node >= len(graph) or value.port >= len(graph.producer(value).types):
            raise VerificationError(f"the output {name!r} is no value of the graph")


def _edges(graph: Graph) -> dict[int, list[tuple[int, int, int]]]:
    """The in-edges of each node that has some: (position, source, port). All are read at once, since networkx's view of
    the edges of one node takes longer to make than to read."""
    edges: dict[int, list[tuple[int, int, int]]] = {}
    for source, target, position, port in graph.network.edges(keys=True, data="port"):
        edges.setdefault(target, []).append((position, source, port))
    return edges


def _structure(graph: Graph, node: Node, edges: list[tuple[int, int, int]]) -> None:
    if sorted(position for position, _, _ in edges) != list(range(len(edges))):
        raise VerificationError(f"%{node.id} = {node.op}: operand positions are not 0, 1, 2, …")
    for _, source, port in edges:
        if source >= node.id or not 0 <= port < len(graph.node(source).types):
            raise VerificationError(f"%{node.id} = {node.op}: an operand that is no earlier value")
