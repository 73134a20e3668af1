"""Which groups can ignore their shape and run over one flat axis: every value in them is accessed at the same index,
or is a scalar."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netwright.specs.dims import product

from ...graph.node import Value
from .groups import Group
from .roles import GeneratorPart, Roles, ViewPart


def is_flat(roles: Roles, group: Group, targets: Sequence[tuple[Value, Any]]) -> bool:
    """Whether the group's kernel may run over one axis of all elements.

    Results that are stored in the group's own shape are stored at their own index: a view in memory that adds nothing
    moves nothing.
    """
    if product(group.space) == 1:  # with one element, arrays and scalars look alike
        return False
    if any(place.type.shape != group.space for _, places in targets for place, _ in places):
        return False
    return all(
        part.role == "elementwise" and all(_fits(roles, operand) for operand in part.operands)
        for part in group.members
    )


def _fits(roles: Roles, value: Value) -> bool:
    part = roles.part(value)
    if value in roles.inside:  # its elements lie apart
        return False
    if part.role != "index":
        return True  # elementwise operations have operands of their own shape
    if isinstance(part, GeneratorPart):  # its operands, if any, are scalars
        return part.op.positional and not any(
            isinstance(roles.part(operand), ViewPart) for operand in part.operands
        )
    if [type.size for type in part.types] != [1]:  # a repeated scalar is the same everywhere
        return False
    return roles.part(part.operands[0]).role != "index"
