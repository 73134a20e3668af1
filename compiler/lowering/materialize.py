"""Inserts copies where something needs memory and a value has none: views as outputs, as operands of kernels of their
own, of loops, of reshapes that divide axes, of concat and pad."""

from __future__ import annotations

from ..graph.graph import Graph, Node, Value
from ..ops.scan import ScanAttributes
from .roles import Roles


def materialize(graph: Graph) -> Graph:
    """The graph with the copies; every output has a producer of its own that can write it anywhere."""
    roles = Roles(graph)
    copies: dict[Value, Value] = {}

    def copied(new: Graph, value: Value, operand: Value) -> Value:
        if value not in copies:
            copies[value] = new.add("copy", [operand]).values[0]
        return copies[value]

    moved: dict[Value, Value] = {}

    def rule(new: Graph, node: Node, operands: tuple[Value, ...]) -> tuple[Value, ...] | None:
        role = roles.role(node)
        wanted = {
            "opaque": ("input", "member", "opaque", "loop", "destination", "alias", "array"),
            "loop": ("input", "member", "opaque", "loop", "destination", "alias", "array"),
            "alias": ("input", "member", "opaque", "loop", "destination", "alias", "array"),
            "destination": ("member",),
        }.get(role)
        changed = list(operands)
        if wanted is not None:
            for position, value in enumerate(graph.operands(node)):
                if role == "destination" and value in graph.operands(node)[:position]:
                    # One kernel that wrote it to both places would seem to race with itself.
                    changed[position] = new.add("copy", [operands[position]]).values[0]
                elif roles.role(graph.producer(value)) not in wanted:
                    changed[position] = copied(new, value, operands[position])
        results = new.add(node.op, changed, node.attrs, layer=node.layer).values
        moved.update(zip(node.values, results, strict=True))
        return results

    new = graph.rewrite(rule)
    for name, value in graph.inputs.items():
        moved[value] = new.inputs[name]
    taken: set[Value] = set()
    for name, value in graph.outputs.items():
        node = graph.producer(value)
        role = roles.role(node)
        writable = role == "member" or (role in ("opaque", "destination") and value not in taken)
        if isinstance(node.attrs, ScanAttributes) and value not in taken:
            writable = value.port >= node.attrs.n_carries  # the last carry lies in a buffer of the loop's
        result = moved[value] if writable else new.add("copy", [moved[value]]).values[0]
        taken.add(value)
        new.set_output(name, result)
    return new
