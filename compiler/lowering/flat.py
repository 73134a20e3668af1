"""Which groups can ignore their shape and run over one flat axis: every value in them is accessed at the same index,
or is a scalar."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netwright.specs.dims import product

from ..graph.graph import Graph
from ..graph.node import Value
from ..ops.base import Elementwise, View, primitive
from .groups import Group
from .roles import Roles

#: Generators whose elements depend on the row-major position only, not on the shape.
_POSITIONAL = ("constant", "dim_value", "random_bits")


def is_flat(graph: Graph, roles: Roles, group: Group, targets: Sequence[tuple[Value, Any]]) -> bool:
    """Whether the group's kernel may run over one axis of all elements.

    ``targets`` map indices to indices; in a flat group all of these maps must be the identity.
    """
    if len(group.space) < 2 or product(group.space) == 1:  # with one element, arrays and scalars look alike
        return False
    probe = tuple(range(1000, 1000 + len(group.space)))
    for _, places in targets:
        for place, index_map in places:
            if place.type.shape != group.space or tuple(index_map(probe)) != probe:
                return False
    return all(
        isinstance(primitive(node.op), Elementwise)
        and all(_fits(graph, roles, operand) for operand in graph.operands(node))
        for node in group.members
    )


def _fits(graph: Graph, roles: Roles, value: Value) -> bool:
    node = graph.producer(value)
    if roles.role(node) != "inline":
        return True  # elementwise operations have operands of their own shape
    if node.op in _POSITIONAL:  # a generator's operands, if any, are scalars
        return not any(_is_view(graph, roles, operand) for operand in graph.operands(node))
    if node.op != "broadcast":
        return False
    (source,) = graph.operands(node)
    return product(graph.type(source).shape) == 1 and roles.role(graph.producer(source)) != "inline"


def _is_view(graph: Graph, roles: Roles, value: Value) -> bool:
    node = graph.producer(value)
    return roles.role(node) == "inline" and isinstance(primitive(node.op), View)
