"""Moves cheap operations from the kernel of their operands to the kernels that read their results, where fewer bytes
are read and written then.

Fusion puts an operation beside its operands. If the results are stored, that may cost more than it saves: of a gradient
g and its products a·g and b·g, each read by another kernel, only g need be stored, and a sum of squares need not store
the squares. An operation moves to its only reader, or else all of its readers compute it again: x − mean is as fast to
compute as to load.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from netwright.specs.dims import DimLike, bounds, dim_symbols

from ...graph.node import Value
from .roles import ElementwisePart, Part, Roles

if TYPE_CHECKING:
    from .groups import Group, Grouping


def defer(grouping: Grouping, most: int) -> None:
    """Moves operations to the groups that read them, none of which gets more than ``most`` members."""
    for group in reversed(grouping.groups):
        readers = {reader.order: reader for reader in _reading_groups(grouping, group)}
        for _, reader in sorted(readers.items()):
            _move(grouping, group, reader, most)
    for group in grouping.groups:
        for part in reversed(group.members):
            _repeat(grouping, group, part, most)


def _reading_groups(grouping: Grouping, group: Group) -> Iterable[Group]:
    for part in group.members:
        for value in part.node.values:
            for reader, _ in grouping.roles.uses(value):
                other = grouping.group_of.get(reader.node.id)
                if other is not None and other is not group:
                    yield other


def _move(grouping: Grouping, group: Group, reader: Group, most: int) -> None:
    """Moves what pays from ``group`` to ``reader``."""
    if not _takes_in(reader):
        return
    movable = sorted(_movable(grouping, group, reader))
    moved: list[int] = []
    least = _traffic(grouping, group, reader, moved)
    # What moves must not be read by what stays, so the last ones move.
    for first in reversed(range(len(movable))):
        traffic = _traffic(grouping, group, reader, movable[first:])
        if _is_at_least(least - traffic, 1):
            moved, least = movable[first:], traffic
    if not moved or len(reader.members) + len(moved) > most:
        return
    for id in moved:
        grouping.group_of[id] = reader
    parts = [part for part in group.members if part.node.id in moved]
    group.members = [part for part in group.members if part.node.id not in moved]
    group.fusable = bool(group.members)
    reader.members = sorted([*reader.members, *parts], key=lambda part: part.node.id)


def _takes_in(reader: Group) -> bool:
    """Whether operations may move to ``reader``. A product's epilogue may run one element at a time, and its tile
    leaves few registers, as that of a transform does."""
    return reader.transform() is None and all(part.role != "product" for part in reader.contractions())


def _repeat(grouping: Grouping, group: Group, part: Part, most: int) -> None:
    """Has all groups that read ``part``, of ``group``, compute it, so that its result is not stored, if that pays.

    A copy of an operation costs as much as to load half of its result. It may read one large operand: with more, their
    memory would be in use for longer than the result's is now.
    """
    if not (isinstance(part, ElementwisePart) and part.op.cheap):
        return
    roles, (value,) = grouping.roles, part.node.values
    if value in grouping.repeated:
        return
    reading = [other for reader, _ in roles.uses(value) for other in grouping.groups_with(reader)]
    readers = {other.order: other for other in reading if other is not group}
    takers = [other for _, other in sorted(readers.items())]
    inside = {member.node.id for computing in (group, *takers) for member in computing.members}
    read = [_stored(roles, operand) for operand in part.operands]
    large = {operand for operand in read if roles.part(operand).role != "index"}
    if (
        not takers
        or not all(_takes_in(taker) and len(taker.members) < most for taker in takers)
        or not _is_read_in(grouping, value, inside)
        or not all(_fits(roles, part, operand) for operand in part.operands)
        or len(large) != 1
        or not all(_is_in_memory(grouping, group, base) for v in part.operands for base, _ in roles.bases(v))
    ):
        return
    stays = any(other is group for other in reading)
    without = group.members if stays else [member for member in group.members if member is not part]
    now = [group.members, *(taker.members for taker in takers)]
    then = [without, *([*taker.members, part] for taker in takers)]
    saved = _loaded(roles, now) - _loaded(roles, then) + roles.type(value).nbytes
    copies = len(takers) - (not stays)
    if _is_at_least(2 * saved - copies * roles.type(value).nbytes, 1):
        group.members = without
        group.fusable = bool(without)
        for taker in takers:
            taker.members = sorted([*taker.members, part], key=lambda member: member.node.id)
        grouping.group_of[part.node.id] = takers[-1]
        grouping.repeated[value] = [group, *takers] if stays else takers


def _is_in_memory(grouping: Grouping, group: Group, value: Value) -> bool:
    """Whether ``value``, which ``group`` reads or computes, can be read from memory."""
    if value in grouping.repeated:
        return False
    return grouping.group_of.get(value.node) is not group or grouping.stored(value)


def _loaded(roles: Roles, kernels: Iterable[Iterable[Part]]) -> DimLike:
    """The bytes that kernels with these members read."""
    values = [value for members in kernels for value in _read(roles, members)]
    return sum((roles.type(value).nbytes for value in values), start=0)


def _movable(grouping: Grouping, group: Group, reader: Group) -> list[int]:
    """The operations of ``group`` that only ``reader`` needs, directly or through each other."""
    inside = {part.node.id for part in reader.members}
    movable: list[int] = []
    for part in reversed(group.members):
        if (
            isinstance(part, ElementwisePart)
            and part.op.cheap
            and all(_fits(grouping.roles, part, operand) for operand in part.operands)
            and all(_is_read_in(grouping, value, inside) for value in part.node.values)
        ):
            inside.add(part.node.id)
            movable.append(part.node.id)
    return movable


def _is_read_in(grouping: Grouping, value: Value, inside: Collection[int]) -> bool:
    """Whether all readers of ``value`` are ``inside`` and read each of its elements once, at its own index."""
    return not grouping.is_output(value) and all(
        part.node.id in inside and part.role in ("elementwise", "reduction")
        for part, _ in grouping.roles.uses(value)
    )


def _fits(roles: Roles, part: Part, operand: Value) -> bool:
    """Whether any kernel can read ``operand`` of ``part`` as well as the results of ``part``: at the same index, or as
    a smaller value that is repeated."""
    size, operand = part.node.types[0].size, _stored(roles, operand)
    return roles.part(operand).role != "index" or all(
        roles.type(base).size != size and _is_at_least(size - roles.type(base).size, 0)
        for base, _ in roles.bases(operand)
    )


def _stored(roles: Roles, operand: Value) -> Value:
    """What ``operand`` is computed from as it is read, at the same index, such as 16 bits that readers widen."""
    part = roles.part(operand)
    while isinstance(part, ElementwisePart) and part.role == "index":
        (operand,) = part.operands
        part = roles.part(operand)
    return operand


def _traffic(grouping: Grouping, group: Group, reader: Group, moved: Collection[int]) -> DimLike:
    """The bytes that both groups read, and the first one writes, if the operations ``moved`` are in ``reader``."""
    roles = grouping.roles
    kept = [part for part in group.members if part.node.id not in moved]
    later = [*reader.members, *(part for part in group.members if part.node.id in moved)]
    inside = {part.node.id for part in kept}
    stored = [
        value
        for part in kept
        for value in part.node.values
        if grouping.is_output(value) or any(reading.node.id not in inside for reading in roles.readers(value))
    ]
    written = sum((roles.type(value).nbytes for value in stored), start=0)
    return written + _loaded(roles, (kept, later))


def _read(roles: Roles, members: Iterable[Part]) -> set[Value]:
    """The values in memory that ``members`` of one kernel read."""
    parts = list(members)
    inside = {part.node.id for part in parts}
    read = {base for part in parts for operand in part.operands for base, _ in roles.bases(operand)}
    return {value for value in read if value.node not in inside}


def _is_at_least(value: DimLike, least: int) -> bool:
    """Whether ``value`` is at least ``least`` whatever the open sizes are."""
    low, _ = bounds(value, dict.fromkeys(dim_symbols(value), (1, None)))
    return low is not None and low >= least
