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
    reached = {value for value in roots if not floats_only or graph.type(value).dtype in FLOATS}
    for id in range(first, len(graph)):
        node = graph.node(id)
        if any(operand in reached for operand in graph.operands(node)):
            for value, type in zip(node.values, node.types, strict=True):
                if not floats_only or type.dtype in FLOATS:
                    reached.add(value)
    return reached


def ancestors(graph: Graph, values: Iterable[Value], leaves: Collection[Value] = ()) -> set[Value]:
    """The values that ``values`` are computed from, themselves included; the walk stops at ``leaves``."""
    needed = set(values)
    for id in reversed(range(len(graph))):
        node = graph.node(id)
        if any(value in needed and value not in leaves for value in node.values):
            needed.update(graph.operands(node))
    return needed


def open_sizes(node: Node) -> set[str]:
    """The dims that a node's results depend on: through its shapes, and through its attributes, such as the number of
    steps of a scan that only returns its last state."""
    names: set[str] = set()
    pending: list[Any] = [node]
    while pending:
        part = pending.pop()
        if isinstance(part, Dim):
            names |= part.symbols
        elif isinstance(part, Node):
            pending.extend(type.shape for type in part.types)
            pending.extend(part.attrs.fields().values())
        elif isinstance(part, Iterable) and not isinstance(part, str | bytes):
            pending.extend(part)  # shapes, and the nodes of a body
    return names
