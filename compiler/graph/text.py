"""The text form of a graph, which ``parse`` reads back.

::

    graph "digits" {
      %0 = input() {name="x", role="input"} : float32[N, 4]
      %1 = constant() {dtype="float32", shape=(N, 4), value=0.5} : float32[N, 4]
      %2 = add(%0, %1) : float32[N, 4] @ "shift"
      return "y"=%2
    }

A value is ``%node``, or ``%node.port`` where a node has several results. The layer a node was expanded from stands
after ``@``. The body of a scan is an attribute, indented.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from netwright.specs.dims import Dim

if TYPE_CHECKING:
    from .graph import Graph
    from .node import Node, Value


def print_graph(graph: Graph, indent: str = "") -> str:
    """The text of ``graph``; all lines except the first begin with ``indent``."""
    lines = [f"graph {json.dumps(graph.name)} {{"]
    lines += [f"{indent}  {_node(graph, node, indent + '  ')}" for node in graph]
    outputs = [f"{json.dumps(name)}={print_value(graph, value)}" for name, value in graph.outputs.items()]
    lines.append(f"{indent}  return {', '.join(outputs)}".rstrip())
    lines.append(f"{indent}}}")
    return "\n".join(lines)


def print_value(graph: Graph, value: Value) -> str:
    """``%node`` or ``%node.port``."""
    several = len(graph.node(value.node).types) > 1
    return f"%{value.node}.{value.port}" if several else f"%{value.node}"


def _node(graph: Graph, node: Node, indent: str) -> str:
    operands = ", ".join(print_value(graph, value) for value in graph.operands(node))
    fields = {
        name: value for name, value in node.attrs.fields().items() if node.op != "input" or name != "type"
    }
    attributes = ", ".join(f"{name}={_attribute(value, indent)}" for name, value in fields.items())
    text = f"%{node.id} = {node.op}({operands})"
    if attributes:
        text += f" {{{attributes}}}"
    text += f" : {', '.join(map(str, node.types))}"
    return f"{text} @ {json.dumps(node.layer)}" if node.layer else text


def _attribute(value: Any, indent: str) -> str:
    match value:
        case str():
            return json.dumps(value)
        case bytes():
            return f'x"{value.hex()}"'
        case None | bool() | int() | Dim():
            return str(value)
        case float():
            text = repr(value)
            return text if any(c in text for c in ".e") else f"float:{text}"
        case tuple():
            items = ", ".join(_attribute(item, indent) for item in value)
            return f"({items},)" if len(value) == 1 else f"({items})"
    return print_graph(value, indent)
