"""Values that lie inside others: the operands of a concat or a pad whose readers read them there, and a concat of some
of them.

The kernels of such operands store into the result. Without this, an operand that others read, too, is stored a second
time, beside it; and where layer after layer reads all results before it (as in DenseNet), each result is stored into
the concats of all later layers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from netwright.specs.dims import DimLike, Shape, dim, dim_symbols, evaluate, product

from ...graph.node import Value
from .groups import Group, Grouping
from .roles import MEMBERS, Part, Roles, ViewPart

#: Values whose elements lie together for fewer bytes stay on their own: reading a line of the cache for each few
#: elements takes longer than storing them twice.
LEAST_RUN = 64


@dataclass(frozen=True)
class Inside:
    """The value in whose memory another one lies, and how far its elements are moved there along each axis."""

    whole: Value
    shift: Shape


def values_inside(
    roles: Roles, grouping: Grouping, outputs: Collection[Value], dims: Mapping[str, int]
) -> dict[Value, Inside]:
    """The values that lie inside others, which do not lie inside others themselves.

    ``outputs`` have places of their own; ``dims`` are the least sizes, by which memory is compared.
    """
    return _Search(roles, grouping, outputs, dims).inside


class _Search:
    """Looks for values inside others, the largest first."""

    def __init__(self, roles: Roles, grouping: Grouping, outputs: Collection[Value], dims: Mapping[str, int]):
        self.roles, self.grouping = roles, grouping
        self.inside: dict[Value, Inside] = {}
        self._outputs, self._dims = outputs, dims
        self._lives: dict[Value, tuple[int, int]] = {}
        wholes = [part for part in roles.parts if isinstance(part, ViewPart) and self._is_joined(part)]
        if not wholes:
            return
        self._of: dict[Value, list[ViewPart]] = {}
        for part in wholes:
            for operand in part.operands:
                self._of.setdefault(operand, []).append(part)
        joined = [part.node.values[0] for part in wholes]
        for value in sorted({*joined, *self._of}, key=lambda value: (-self._bytes(value), value.node)):
            if value not in self._outputs and self._is_read_by_index(value):
                self._place(value)

    def _is_joined(self, part: ViewPart) -> bool:
        """Whether a view in memory consists of its operands alone, or of one between margins."""
        (value,) = part.node.values
        if part.role != "into" or value in self._outputs:
            return False
        attrs = part.node.attrs
        return part.op.fill(attrs) is None or part.op.margins(attrs) is not None

    def _place(self, value: Value) -> None:
        """Puts ``value`` inside the largest value where it can be."""
        part = self.roles.part(value)
        own = part if isinstance(part, ViewPart) and part.role == "into" else None
        if own is not None and own.op.fill(own.node.attrs) is not None:
            return  # it has margins of its own
        first = own.operands[0] if own else value
        wholes = [whole for whole in self._of.get(first, ()) if whole is not own]
        for whole in sorted(wholes, key=lambda whole: (-self._bytes(whole.node.values[0]), whole.node.id)):
            (result,) = whole.node.values
            shift = self._shift(own, value, whole)
            if shift is None or result in self.inside or not self._is_apart(value, whole):
                continue
            start, end = self._life(result)  # no later than what is stored there begins
            begin, last = self._life(value)
            if max(0, last - end) * self._bytes(result) <= (last - begin + 1) * self._bytes(value):
                self.inside[value] = Inside(result, shift)
                self._lives[result] = start, max(end, last)
                return

    def _shift(self, own: ViewPart | None, value: Value, whole: ViewPart) -> Shape | None:
        """How far the elements of ``value`` are moved inside ``whole``; None unless all are by the same."""
        index = tuple(dim(f"axis{axis}") for axis in range(len(self.roles.type(value).shape)))
        shifts: set[tuple[DimLike, ...]] = set()
        for position, operand in enumerate(own.operands if own else (value,)):
            if operand not in whole.operands:
                return None
            there = whole.write(whole.operands.index(operand), index)
            here = own.write(position, index) if own else index
            shifts.add(tuple(a - b for a, b in zip(there, here, strict=True)))
        (shift, *others) = shifts
        moves = any(name.startswith("axis") for amount in shift for name in dim_symbols(amount))
        if others or moves or not self._has_runs(value, shift, whole):
            return None
        return shift

    def _has_runs(self, value: Value, shift: Shape, whole: ViewPart) -> bool:
        """Whether enough elements of ``value`` lie next to each other inside ``whole``."""
        own, around = self.roles.type(value), self.roles.type(whole.node.values[0])
        axes = (axis for axis in range(len(own.shape)) if own.shape[axis] != around.shape[axis])
        axis = max(axes, default=0)
        run = product(own.shape[axis:])
        nbytes = own.with_shape((run,)).nbytes
        return not isinstance(nbytes, int) or nbytes >= LEAST_RUN

    def _is_read_by_index(self, value: Value) -> bool:
        """Whether all that reads ``value``, and something does, are kernels that compute an index for each element."""
        if self.grouping.group_of.get(value.node) is None or value in self.grouping.repeated:
            return False
        uses = [part.role for part, _ in self.roles.uses(value)]
        return all(role in (*MEMBERS, "index", "into") for role in uses) and any(self._readers(value))

    def _is_apart(self, value: Value, whole: ViewPart) -> bool:
        """Whether no kernel reads ``value`` and stores into ``whole``: its threads would have to be kept apart."""
        writers = {
            group.order for operand in whole.operands for group in self._groups(self.roles.part(operand))
        }
        return all(group.order not in writers for group in self._readers(value))

    def _readers(self, value: Value) -> Iterator[Group]:
        """The groups that read ``value`` in memory."""
        own = self.grouping.group_of[value.node]
        joined = self.roles.part(value).role == "into"
        for reader in self.roles.readers(value):
            if reader.role != "into":
                yield from (group for group in self._groups(reader) if joined or group is not own)

    def _groups(self, part: Part) -> Sequence[Group]:
        return self.grouping.groups_with(part)

    def _life(self, value: Value) -> tuple[int, int]:
        """The orders of the first group that stores to ``value`` and of the last one that reads it."""
        if value not in self._lives:
            part = self.roles.part(value)
            stored = part.operands if part.role == "into" else (value,)
            writers = [g.order for v in stored for g in self._groups(self.roles.part(v))]
            readers = [group.order for group in self._readers(value)]
            self._lives[value] = min(writers), max([*writers, *readers])
        return self._lives[value]

    def _bytes(self, value: Value) -> int:
        return evaluate(self.roles.type(value).nbytes, self._dims)
