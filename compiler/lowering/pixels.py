"""Products that run over pixels instead of rows of the image: those that read each element of their data at the index
of the result, as a convolution with one tap does.

Register tiles take their rows from one axis. Where images are narrow, rows of the image fill tiles badly: five pixels
are a tile of four and one of a single pixel. But pixels that a product with one tap computes have nothing to do with
each other, and lie one behind the other in memory, from one row of the image to the next. So the group is built as
that of a graph whose images have fewer and longer rows, as few rows of the image each as fill tiles well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from netwright.specs.dims import DimLike, Shape, dim, dim_symbols, substitute

from ..graph.graph import Graph
from ..graph.node import Value
from ..machine import Machine
from ..ops.base import BroadcastAttributes
from ..ops.constant import splat
from ..plans.shapes import step_cost
from .groups import Group
from .indices import power_of_two
from .places import IndexMap, Place, Target, same_index
from .roles import ContractionPart, GeneratorPart, Roles, ViewPart
from .tile_size import tile_sizes

Targets = Sequence[tuple[Value, Sequence[Target]]]

#: Longer rows have to gain so much: rows of the image are as good if their tiles cost hardly more.
WORTH = 0.01


@dataclass(frozen=True)
class Pixels:
    """A group over longer rows: what ``fused.build`` makes a kernel of."""

    roles: Roles
    group: Group
    place: Callable[[Value], Place]
    targets: Targets


def over_pixels(
    roles: Roles, group: Group, place: Callable[[Value], Place], targets: Targets, machine: Machine
) -> Pixels | None:
    """The group with some rows of the image as one; None if that is not the same, or no better."""
    contractions = group.contractions()
    if not contractions or any(part.role not in ("elementwise", "product") for part in group.members):
        return None
    if not all(map(_has_one_tap, contractions)):
        return None
    rows = _rows(roles, group, contractions, machine)
    if rows is None:
        return None
    try:
        return _Copy(roles, group, place, rows).pixels(targets)
    except _Apart:
        return None


@dataclass(frozen=True)
class _Rows:
    """The axes from ``axis`` on, but for the last one, are one row per ``number`` indices of that axis, in a space of
    the shape ``whole``."""

    whole: Shape
    axis: int
    number: int

    @property
    def lead(self) -> Shape:
        """The space's axes but for the last one."""
        *outer, size = self.whole[: self.axis + 1]
        assert isinstance(size, int)
        inner = self.whole[self.axis + 1 : -1]
        return (*outer, size // self.number, *(1 for _ in inner[1:]), self.length)

    @property
    def length(self) -> int:
        """The number of pixels in a row."""
        length = self.number
        for size in self.whole[self.axis + 1 : -1]:
            assert isinstance(size, int)
            length *= size
        return length

    def apart(self, index: Sequence[DimLike]) -> tuple[DimLike, ...]:
        """The index in the whole space for one in that of the rows."""
        outer, row, last = index[: self.axis], index[self.axis], index[-1]
        rest, inner = index[-2], []
        for size in reversed(self.whole[self.axis + 1 : -1]):
            inner.append(rest - rest // size * size)
            rest = rest // size
        return (*outer, row * self.number + rest, *reversed(inner), last)


def _has_one_tap(part: ContractionPart) -> bool:
    """Whether a product reads its data at the pixel of the result, and its weights independently of that."""
    rank = part.node.types[0].rank
    single = {f"term{axis}": 0 for axis, extent in enumerate(part.extents) if extent == 1}
    lead = [f"axis{axis}" for axis in range(rank - 1)]
    if part.start is not None or len(part.operands) != 2:
        return False
    (first, data), (second, weights) = part.general_factors()
    if (first, second) != (0, 1) or len(data) != rank:
        return False
    *pixel, channel = (substitute(at, single) for at in data)
    own = {name for at in (channel, *weights) for name in dim_symbols(at)}
    same = all(at == dim(name) for at, name in zip(pixel, lead, strict=True))
    return same and not own & set(lead) and f"axis{rank - 1}" not in dim_symbols(channel)


def _rows(
    roles: Roles, group: Group, contractions: Sequence[ContractionPart], machine: Machine
) -> _Rows | None:
    """The rows of the fewest pixels that fill tiles about as well as any; None if those of the image do."""
    space, dtype = group.space, contractions[0].node.types[0].dtype
    columns = space[-1]
    if len(space) < 4 or not isinstance(columns, int) or not isinstance(width := space[-2], int):
        return None
    if machine.prefers_cells(columns, width, dtype):
        return None
    lanes = min(machine.lanes(dtype), power_of_two(columns))
    vectors, most = -(-columns // lanes), machine.vector_registers // 8

    def cost(pixels: int) -> float:
        """That of a step of the sum, per pixel."""
        size = tile_sizes(pixels, vectors, len(contractions), 1, most, machine)[0]
        return step_cost(pixels, vectors, *size, len(contractions), 1) / pixels

    choices = [rows for rows in _choices(space) if rows.length > width]
    costs = [cost(rows.length) for rows in choices]
    most_cost = min(costs, default=0) * (1 + WORTH)
    if cost(width) <= most_cost:
        return None
    return next((rows for rows, own in zip(choices, costs, strict=True) if own <= most_cost), None)


def _choices(space: Shape) -> Iterator[_Rows]:
    """All rows of whole rows of the image, the shortest first."""
    for axis in range(len(space) - 3, 0, -1):
        size = space[axis]
        if not isinstance(size, int):
            return
        yield from (_Rows(space, axis, number) for number in range(1, size + 1) if size % number == 0)


class _Apart(Exception):
    """Pixels do not lie one behind the other, or are not all that an operation depends on."""


class _Copy:
    """Writes the group into another graph, with ``rows`` as one."""

    def __init__(self, roles: Roles, group: Group, place: Callable[[Value], Place], rows: _Rows):
        self.roles, self.group, self.rows = roles, group, rows
        self.graph, self.lead = Graph(), rows.lead
        self.places: dict[Value, Place] = {}
        self._place = place
        self._members = {part.node.id for part in group.members}
        self._copies: dict[tuple[Value, bool], Value] = {}

    def pixels(self, targets: Targets) -> Pixels:
        """The group over rows. Raises _Apart."""
        copies = [
            self._copy(value, pixels=True) for part in self.group.members for value in part.node.values
        ]
        moved = [
            (self._copy(value, pixels=True), [self._target(*target) for target in own])
            for value, own in targets
        ]
        roles = Roles(self.graph, self.roles.steady)
        members = [roles.part(value) for value in copies]
        group = Group(self.group.order, (*self.lead, self.group.space[-1]), members)
        return Pixels(roles, group, self.places.__getitem__, moved)

    def _copy(self, value: Value, pixels: bool) -> Value:
        """``value`` with rows of ``pixels``, or as it is. Raises _Apart."""
        copy = self._copies.get((value, pixels))
        if copy is None:
            copy = self._copies[value, pixels] = (self._in_rows if pixels else self._whole)(value)
        return copy

    def _whole(self, value: Value) -> Value:
        part = self.roles.part(value)
        if value.node in self._members:
            raise _Apart
        if part.role != "index":
            return self._input(value, self._place(value))
        operands = [self._copy(operand, pixels=False) for operand in part.operands]
        return self.graph.add(part.node.op, operands, part.node.attrs).values[value.port]

    def _in_rows(self, value: Value) -> Value:
        part, type, attrs = self.roles.part(value), self.roles.type(value), self.roles.part(value).node.attrs
        if type.shape[:-1] != self.rows.whole[:-1]:
            raise _Apart
        if part.role != "index" and value.node not in self._members:
            place = self._place(value)
            if not self._is_dense(place) or any(place.shift[:-1]):
                raise _Apart
            return self._input(value, self._seen(place))
        match part:
            case GeneratorPart():
                number = part.op.number(attrs)
                if number is None:
                    raise _Apart
                return splat(self.graph, number, type.with_shape((*self.lead, type.shape[-1])))
            case ViewPart():
                if not isinstance(attrs, BroadcastAttributes):
                    raise _Apart
                if any(self.rows.axis <= axis < type.rank - 1 for axis in attrs.axes):
                    raise _Apart
                operands = [self._copy(operand, pixels=False) for operand in part.operands]
                attrs = BroadcastAttributes((*self.lead, type.shape[-1]), attrs.axes)
            case ContractionPart():
                data, weights = part.operands
                operands = [self._copy(data, pixels=True), self._copy(weights, pixels=False)]
            case _:
                operands = [self._copy(operand, pixels=True) for operand in part.operands]
        return self.graph.add(part.node.op, operands, attrs).values[value.port]

    def _input(self, value: Value, place: Place) -> Value:
        type = self.roles.type(value)
        if place.type.shape[:-1] == self.lead:
            type = type.with_shape((*self.lead, type.shape[-1]))
        copy = self.graph.input(f"{value.node}.{value.port}.{type}", type)
        self.places[copy] = place
        return copy

    def _is_dense(self, place: Place) -> bool:
        """Whether the pixels of a value in ``place`` are all that there are."""
        return place.type.shape[:-1] == self.rows.whole[:-1]

    def _seen(self, place: Place) -> Place:
        return replace(place, type=place.type.with_shape((*self.lead, place.type.shape[-1])))

    def _target(self, place: Place, index_map: IndexMap) -> Target:
        """Where a result is stored, for an index in the space of rows."""
        last = len(self.group.space) - 1
        index = tuple(dim(f"axis{axis}") for axis in range(last + 1))
        *pixel, channel = index_map(index)
        if self._is_dense(place) and pixel == [*index[:-1]]:
            if channel == index[-1]:
                return self._seen(place), same_index
            return self._seen(place), lambda at: (*at[:-1], substitute(channel, {f"axis{last}": at[-1]}))
        if self.group.space[0] == 1:  # threads would divide rows that do not lie one behind the other
            raise _Apart
        return place, lambda at: index_map(self.rows.apart(at))
