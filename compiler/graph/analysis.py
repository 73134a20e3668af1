"""Which values depend on which, and on which sizes: linear walks over a graph."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any

from netwright.specs.dims import Dim

from .node import Node
from .types import FLOATS

if TYPE_CHECKING:
    from .graph import Graph
    from .node import Value


def dependents(
    graph: Graph, roots: Iterable[Value], first: int = 0, *, floats_only: bool = False
) -> set[Value]:
    """The values computed from ``roots``, themselves included, by nodes from ``first`` on.

    With ``floats_only``, the walk stops at values of other dtypes: the remaining ones can have a cotangent.
    """
    found = {value for value in roots if not floats_only or graph.type(value).dtype in FLOATS}
    for id in range(first, len(graph)):
        node = graph.node(id)
        if any(operand in found for operand in graph.operands(node)):
            for value, type in zip(node.values, node.types, strict=True):
                if not floats_only or type.dtype in FLOATS:
                    found.add(value)
    return found


def ancestors(graph: Graph, values: Iterable[Value], leaves: Collection[Value] = ()) -> set[Value]:
    """The values that ``values`` are computed from, themselves included; the walk stops at ``leaves``."""
    found = set(values)
    for id in reversed(range(len(graph))):
        node = graph.node(id)
        if any(value in found and value not in leaves for value in node.values):
            found.update(graph.operands(node))
    return found


def open_sizes(node: Node) -> set[str]:
    """The dims that a node's results depend on: through its shapes, and through its attributes, such as the number of
    steps of a scan that only returns its last state."""
    found: set[str] = set()
    pending: list[Any] = [node]
    while pending:
        one = pending.pop()
        if isinstance(one, Dim):
            found |= one.symbols
        elif isinstance(one, Node):
            pending.extend(type.shape for type in one.types)
            pending.extend(one.attrs.fields().values())
        elif isinstance(one, Iterable) and not isinstance(one, str | bytes):
            pending.extend(one)  # shapes, and the nodes of a body
    return found
