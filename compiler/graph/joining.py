"""Graphs with other names, and two graphs as one."""

from __future__ import annotations

from collections.abc import Mapping

from .graph import Graph
from .node import InputAttributes, Value


def renamed(graph: Graph, names: Mapping[str, str]) -> Graph:
    """The graph with other names for some inputs and outputs."""
    new = Graph(graph.name)
    _copy(graph, new, names)
    return new


def joined(first: Graph, second: Graph, names: Mapping[str, str]) -> Graph:
    """A graph that computes what both compute, from inputs of the same names; ``names`` renames outputs of the second.
    Raises ValueError if an input has another type in the second.
    """
    new = Graph(first.name)
    _copy(first, new, {})
    _copy(second, new, {name: other for name, other in names.items() if name in second.outputs})
    return new


def _copy(graph: Graph, new: Graph, names: Mapping[str, str]) -> None:
    moved: dict[Value, Value] = {}
    for node in graph:
        if node.op == "input":
            attrs = node.attrs
            assert isinstance(attrs, InputAttributes)
            name = names.get(attrs.name, attrs.name)
            if name not in new.inputs:
                new.input(name, attrs.type, attrs.role)
            if new.type(new.inputs[name]) != attrs.type:
                raise ValueError(f"input {name!r} is {new.type(new.inputs[name])} and {attrs.type}")
            moved[node.values[0]] = new.inputs[name]
            continue
        copy = new.add(node.op, [moved[v] for v in graph.operands(node)], node.attrs, layer=node.layer)
        moved.update(zip(node.values, copy.values, strict=True))
    for name, value in graph.outputs.items():
        new.set_output(names.get(name, name), moved[value])
