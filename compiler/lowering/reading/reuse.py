"""Values that take the memory of what they are computed from, where nothing reads that any more.

A kernel that stores each element where it has read one writes to lines of memory that are in the cache already; new
memory would first be fetched. The gradient that batch normalization passes on takes the place of the one that it gets.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from ...graph.node import Value
from ...graph.types import TensorType
from ..grouping.groups import Group, Grouping
from ..grouping.roles import MEMBERS, Part, Roles
from .memory import CLOSE


def values_over(
    roles: Roles, grouping: Grouping, fixed: Collection[Value], late: Collection[int]
) -> dict[Value, Value]:
    """The values that take the memory of others, with these. ``fixed`` have memory that is not theirs alone, ``late``
    are the orders of groups that run later than their order says."""
    over: dict[Value, Value] = {}
    for group in grouping.groups:
        if any(part.role != "elementwise" for part in group.members):
            continue  # the tiles of other kernels may overlap, and compute an element twice
        olds = list(dict.fromkeys(_read(roles, group)))
        for new in [value for part in group.members for value in part.node.values]:
            if new in fixed or not grouping.stored(new) or _is_narrow(roles.type(new)):
                continue
            for old in olds:
                if (
                    old not in fixed
                    and _has_memory(roles, grouping, old)
                    and roles.type(old) == roles.type(new)
                    and may_replace(roles, grouping, old, new, late)
                ):
                    over[new] = old
                    olds.remove(old)
                    break
    return over


def _is_narrow(type: TensorType) -> bool:
    """Whether rows have so few elements that lanes run along other axes: such data are read in another shape than they
    are stored in, which two parameters over one memory can't be."""
    axes = [size for size in type.shape if size != 1]
    return len(axes) > 1 and isinstance(axes[-1], int) and axes[-1] <= CLOSE


def may_replace(roles: Roles, grouping: Grouping, old: Value, new: Value, late: Collection[int] = ()) -> bool:
    """Whether ``new`` may overwrite the memory of ``old``: all other kernels read it before, and its own reads it in
    place."""
    writer = grouping.group_of[new.node]
    pending = [old]
    while pending:
        value = pending.pop()
        for reader in roles.readers(value):
            if reader.role == "alias":
                pending += reader.node.values
                continue
            group = grouping.group_of[reader.node.id]
            if group.order > writer.order or group.order in late:
                return False
            if group is writer and not (
                value == old and _reads_at_same_index(roles, grouping, reader, old, writer)
            ):
                return False
    return True


def _reads_at_same_index(roles: Roles, grouping: Grouping, reader: Part, value: Value, group: Group) -> bool:
    """Whether the kernel of ``group`` reads ``value``, on behalf of ``reader``, at the index that it stores to."""
    return grouping.evaluated_in_place(reader, group) and all(
        same for operand in reader.operands for base, same in roles.bases(operand) if base == value
    )


def _read(roles: Roles, group: Group) -> Iterator[Value]:
    """The values that a group reads."""
    for part in group.members:
        for operand in part.operands:
            yield from (base for base, _ in roles.bases(operand))


def _has_memory(roles: Roles, grouping: Grouping, value: Value) -> bool:
    """Whether ``value`` is computed by a kernel that stores it to memory of its own."""
    return roles.part(value).role in (*MEMBERS, "transform", "opaque", "into") and grouping.stored(value)
