"""Inserts copies where an operation needs its operand in memory and the operand is a view.

That concerns views that are outputs, and views that are read by opaque operations, by scans, by reshapes that divide
axes, and by concat and pad.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import ClassVar, get_args

from ...graph.graph import Graph
from ...graph.node import Node, Value
from ...passes.base import Pass, PassContext
from .roles import MEMBERS, ElementwisePart, LoopPart, Role, Roles

_PLACED = frozenset(get_args(Role)) - {"index"}
#: For each role of an operation, the roles of operands that it can read without a copy.
_READABLE: dict[Role, Collection[Role]] = {
    "opaque": _PLACED,
    "loop": _PLACED,
    "alias": _PLACED,
    "into": MEMBERS,
}


@dataclass(frozen=True)
class Materialize(Pass):
    """Copies views where memory is needed; afterwards the producer of every output can store it in any buffer."""

    name: ClassVar[str] = "materialize"

    def run(self, graph: Graph, context: PassContext) -> Graph:
        roles = Roles(graph)
        copies: dict[Value, Value] = {}

        def copied(new: Graph, value: Value, operand: Value) -> Value:
            if value not in copies:
                copies[value] = new.add("copy", [operand]).values[0]
            return copies[value]

        def rule(new: Graph, node: Node, operands: tuple[Value, ...]) -> Sequence[Value] | None:
            part = roles.parts[node.id]
            role, old, changed = part.role, part.operands, list(operands)
            if role not in _READABLE:
                return None
            if role == "alias" and (widened := _widened_by_readers(roles, old[0])) is not None:
                (read,) = operands  # in the new graph, too, computed of what memory holds
                source = new.producer(read)
                stored = new.add(node.op, new.operands(source), node.attrs, layer=node.layer).values
                return new.add(widened.op, stored, widened.attrs, layer=widened.layer).values
            for position, value in enumerate(old):
                if role == "into" and value in old[:position]:
                    # The kernel would store one value to two places, which the check for races cannot tell apart.
                    changed[position] = new.add("copy", [operands[position]]).values[0]
                elif roles.part(value).role not in _READABLE[role]:
                    changed[position] = copied(new, value, operands[position])
            if tuple(changed) == operands:
                return None
            return new.add(node.op, changed, node.attrs, layer=node.layer).values

        new, moved = graph.rewrite_with_values(rule)
        outputs = _outputs_without_a_place(graph, roles)
        if outputs and new is graph:
            new = graph.copy()
        for name in outputs:
            value = graph.outputs[name]
            new.set_output(name, new.add("copy", [moved.get(value, value)]).values[0])
        return new


def _widened_by_readers(roles: Roles, value: Value) -> Node | None:
    """What makes ``value``, the operand of a reshape, of 16 bits of results in memory as they are read: reshaped before
    it, they need no copy of 32. None if it is something else."""
    part = roles.part(value)
    if not isinstance(part, ElementwisePart) or part.role != "index":
        return None
    (held,) = part.operands
    return None if roles.part(held).role in ("index", "input") else part.node


def _outputs_without_a_place(graph: Graph, roles: Roles) -> list[str]:
    """The outputs whose producer cannot store them in the output's buffer."""
    names: list[str] = []
    taken: set[Value] = set()
    for name, value in graph.outputs.items():
        base = roles.unreshaped(value)
        reshaped, value = base != value, base
        part = roles.part(value)
        if reshaped and part.role == "index":
            continue  # the rule above copies its operand
        writable = part.role in MEMBERS or (part.role in ("opaque", "into") and value not in taken)
        if isinstance(part, LoopPart) and value not in taken:
            writable = value.port >= part.attrs.n_carries  # the last carry lies in the loop's double buffer
        taken.add(value)
        if not writable:
            names.append(name)
    return names
