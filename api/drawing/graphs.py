"""Draws a graph of the compiler: one box per operation, without constants."""

from __future__ import annotations

from typing import Any

from netwright.compiler.graph.graph import Graph
from netwright.compiler.graph.node import InputAttributes, Node, Value
from netwright.compiler.ops.base import primitive
from netwright.compiler.ops.protocols import Elementwise, Opaque, View
from netwright.specs.dims import Dim

from ..describe import Family, count_text, shape_text
from .picture import Arrow, Box, Picture

#: Larger pictures are refused, since nobody could read them.
MOST_BOXES = 3000
_LONGEST = 28


def graph_picture(graph: Graph, title: str) -> Picture:
    """Inputs, operations and outputs. Raises ValueError if there are too many to draw."""
    hidden = _hidden(graph)
    shown = [node for node in graph if node.id not in hidden]
    if len(shown) > MOST_BOXES:
        raise ValueError(f"{len(shown):,} operations are too many to draw: write the graph as .txt")
    boxes = [_box(node) for node in shown]
    arrows = [
        Arrow(str(value.node), str(node.id), _port(graph, value))
        for node in shown
        for value in graph.operands(node)
        if value.node not in hidden
    ]
    for name, value in graph.outputs.items():
        kind = "new value" if name in graph.inputs else "output"
        boxes.append(Box(f"output:{name}", name, (kind,), str(graph.type(value)), "output"))
        if value.node not in hidden:
            arrows.append(Arrow(str(value.node), f"output:{name}", _port(graph, value)))
    operations = sum(node.op != "input" for node in graph)
    return Picture(
        title, f"{graph.name} · {count_text(operations, 'operation')}", tuple(boxes), tuple(arrows)
    )


def _hidden(graph: Graph) -> set[int]:
    """The constants, and the values computed from constants alone."""
    hidden: set[int] = set()
    for node in graph:
        if node.op != "input" and all(value.node in hidden for value in graph.operands(node)):
            hidden.add(node.id)
    return hidden


def _port(graph: Graph, value: Value) -> str:
    return f"result {value.port}" if len(graph.node(value.node).types) > 1 else ""


def _box(node: Node) -> Box:
    types = ", ".join(str(type) for type in node.types[:2]) + (", …" if len(node.types) > 2 else "")
    if isinstance(node.attrs, InputAttributes):
        return Box(str(node.id), node.attrs.name, (node.attrs.role,), types, "input")
    lines = [text for text in (_attributes(node),) if text]
    if node.layer:
        lines.append(f"in {node.layer}")
    return Box(str(node.id), node.op, tuple(lines), types, _family(node.op))


def _attributes(node: Node) -> str:
    parts = []
    for name, value in node.attrs.fields().items():
        text = _text(value)
        usual = isinstance(value, tuple) and set(value) in ({0}, {1})
        usual = usual or (name, value) in (("groups", 1), ("batch", 0))
        if text and not usual and name not in ("shape", "dtype", "axes") and len(text) <= _LONGEST:
            parts.append(f"{name} {text}")
    return " · ".join(parts[:3])


def _text(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str() | int() | Dim():
            return str(value)
        case float():
            return f"{value:g}"
        case tuple() if all(isinstance(item, int | Dim) for item in value):
            return shape_text(value)
    return ""


def _family(op: str) -> Family:
    if op.startswith("conv"):
        return "window"
    if op.startswith("scan"):
        return "recurrent"
    if op.startswith(("dot", "gather", "scatter")):
        return "dense"
    if op.startswith(("reduce", "window", "argmax")):
        return "pool"
    match primitive(op):
        case Elementwise():
            return "activation"
        case View():
            return "shape"
        case Opaque():
            return "join"
    return "norm"
