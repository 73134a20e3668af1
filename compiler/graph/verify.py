"""Checks that a graph is valid: its structure, and that every type agrees with the shape rules."""

from __future__ import annotations

from collections.abc import Sequence

from .graph import Graph
from .node import InputAttributes, Node
from .rules import ShapeError, rules_of
from .types import TensorType


class VerificationError(Exception):
    """The graph is invalid: a bug in the compiler, not an error in a spec."""


class Verified:
    """What need not be looked at again: operations with their attributes and types, and bodies of scans. They are told
    apart by their ids, which is fast, and kept, so that nothing else gets these ids.
    """

    def __init__(self) -> None:
        self.operations: dict[tuple[str | int, ...], tuple[object, ...]] = {}
        self.bodies: dict[int, Graph] = {}


def verify(graph: Graph, verified: Verified | None = None) -> None:
    """Raises VerificationError if ``graph`` is invalid. What is valid is added to ``verified``, and not looked at again
    in another graph: a pass leaves most nodes as they were.
    """
    verified = Verified() if verified is None else verified
    names = set()
    for node in graph:
        operands = graph.operands(node)
        for source, port in operands:
            if source >= node.id or not 0 <= port < len(graph.node(source).types):
                raise VerificationError(f"%{node.id} = {node.op}: an operand that is no earlier value")
        if isinstance(node.attrs, InputAttributes):
            names.add(node.attrs.name)
            if graph.inputs.get(node.attrs.name) not in node.values or node.types != (node.attrs.type,):
                raise VerificationError(f"%{node.id}: the input {node.attrs.name!r} is not what it says")
            continue
        types = [graph.type(value) for value in operands]
        key = (node.op, id(node.attrs), id(node.types), *map(id, types))
        if key not in verified.operations:
            _operation(node, types, verified)
            verified.operations[key] = (node.attrs, node.types, *types)
    if names != graph.inputs.keys():
        raise VerificationError(f"inputs {sorted(graph.inputs.keys() ^ names)} have no node or no name")
    for name, value in graph.outputs.items():
        if value.node >= len(graph) or value.port >= len(graph.producer(value).types):
            raise VerificationError(f"the output {name!r} is no value of the graph")


def _operation(node: Node, operands: Sequence[TensorType], verified: Verified) -> None:
    """Repeats the shape inference of a node, and verifies its body, if it has one."""
    try:
        types = tuple(rules_of(node.op).infer(node.attrs, operands))
    except ShapeError as error:
        raise VerificationError(f"%{node.id} = {node.op}: {error}") from error
    if types != node.types:
        shown = ", ".join(map(str, types))
        raise VerificationError(f"%{node.id} = {node.op}: its rule gives {shown}")
    body = getattr(node.attrs, "body", None)
    if isinstance(body, Graph) and id(body) not in verified.bodies:
        verify(body, verified)
        verified.bodies[id(body)] = body
