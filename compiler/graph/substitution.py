"""A graph with some of its open sizes replaced by others: in shapes, in attributes, and in the bodies of loops."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

from netwright.specs.dims import Dim, DimLike, substitute

from .graph import Graph
from .node import InputAttributes, Value


def with_sizes(graph: Graph, sizes: Mapping[str, DimLike]) -> Graph:
    """The same graph, where each dim named in ``sizes`` has that size. Raises ShapeError if an operation can't have
    it.
    """
    new = Graph(graph.name)
    moved: dict[Value, Value] = {}
    for node in graph:
        new.layer = node.layer
        if isinstance(node.attrs, InputAttributes):
            type = _replaced(node.attrs.type, sizes)
            moved[node.values[0]] = new.input(node.attrs.name, type, node.attrs.role)
            continue
        operands = [moved[value] for value in graph.operands(node)]
        copy = new.add(node.op, operands, _replaced(node.attrs, sizes))
        moved.update(zip(node.values, copy.values, strict=True))
    new.layer = ""
    for name, value in graph.outputs.items():
        new.set_output(name, moved[value])
    return new


def _replaced(part: Any, sizes: Mapping[str, DimLike]) -> Any:
    if isinstance(part, Dim):
        return substitute(part, sizes)
    if isinstance(part, tuple):
        return tuple(_replaced(item, sizes) for item in part)
    if isinstance(part, Graph):
        return with_sizes(part, sizes)
    if is_dataclass(part) and not isinstance(part, type):
        return replace(
            part,
            **{
                field.name: _replaced(getattr(part, field.name), sizes)
                for field in fields(part)
                if field.init
            },
        )
    return part
