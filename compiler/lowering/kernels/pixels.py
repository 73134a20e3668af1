"""Products that run over pixels instead of rows of the image: those that read each element of their data at the index
of the result, as a convolution with one tap does.

Register tiles take their rows from one axis. Where images are narrow, rows of the image fill tiles badly: five pixels
are a tile of four and one of a single pixel. But pixels that a product with one tap computes have nothing to do with
each other, and lie one behind the other in memory, from one row of the image to the next. So the group is built as
that of a graph whose images have fewer and longer rows, as few rows of the image each as fill tiles well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from netwright.specs.dims import Shape, dim, dim_symbols, substitute

from ...graph.graph import Graph
from ...graph.node import Value
from ...graph.types import TensorType
from ...machine import Machine
from ..grouping.groups import Group
from ..grouping.roles import ContractionPart, GeneratorPart, Roles, ViewPart
from ..reading.places import IndexMap, Place, Target
from ..tiles.pixel_rows import PixelRows, pixel_rows

Targets = Sequence[tuple[Value, Sequence[Target]]]


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
    space = group.space
    if len(space) < 3 or not all(map(_has_one_tap, contractions)):
        return None
    dense = all(_is_dense(space, *target) for _, own in targets for target in own)
    rows = pixel_rows(space, contractions, dense, machine)
    if rows is None:
        return None
    try:
        return _Copy(roles, group, place, rows).pixels(targets)
    except _Apart:
        return None


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


def _is_dense(space: Shape, place: Place, index_map: IndexMap) -> bool:
    """Whether the pixels of a result lie in ``place`` as they follow each other in ``space``."""
    *pixel, _ = index = tuple(dim(f"axis{axis}") for axis in range(len(space)))
    *stored, channel = index_map(index)
    return (
        place.type.shape[:-1] == space[:-1] and stored == pixel and dim_symbols(channel) <= {index[-1].text}
    )


class _Apart(Exception):
    """Pixels do not lie one behind the other, or are not all that an operation depends on."""


class _Copy:
    """Writes the group into another graph, with ``rows`` as one."""

    def __init__(self, roles: Roles, group: Group, place: Callable[[Value], Place], rows: PixelRows):
        self.roles, self.group, self.rows = roles, group, rows
        self.graph, self.lead = Graph(), rows.lead
        self.places: dict[Value, Place] = {}
        self._place = place
        self._members = {part.node.id for part in group.members}
        self._copies: dict[tuple[Value, bool], Value] = {}

    def pixels(self, targets: Targets) -> Pixels:
        """The group over rows. Raises _Apart."""
        copies = [self._copy(value, pixels=True) for part in self.group.members for value in part.node.values]
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
            return self._input(value, self.roles.type(value), self._place(value))
        operands = [self._copy(operand, pixels=False) for operand in part.operands]
        return self.graph.add(part.node.op, operands, part.node.attrs).values[value.port]

    def _in_rows(self, value: Value) -> Value:
        part, type = self.roles.part(value), self.roles.type(value)
        attrs, seen = part.node.attrs, type.with_shape((*self.lead, type.shape[-1]))
        if type.shape[:-1] != self.rows.whole[:-1]:
            raise _Apart
        if part.role != "index" and value.node not in self._members:
            place = self._place(value)
            if place.type.shape[:-1] != type.shape[:-1] or any(place.shift[:-1]):
                raise _Apart
            return self._input(value, seen, self._seen(place))
        match part:
            case GeneratorPart() | ViewPart():
                attrs = part.op.resized(attrs, seen.shape)
                if attrs is None:
                    raise _Apart
                operands = [self._copy(operand, pixels=False) for operand in part.operands]
            case ContractionPart():
                data, weights = part.operands
                operands = [self._copy(data, pixels=True), self._copy(weights, pixels=False)]
            case _:
                operands = [self._copy(operand, pixels=True) for operand in part.operands]
        return self.graph.add(part.node.op, operands, attrs).values[value.port]

    def _input(self, value: Value, type: TensorType, place: Place) -> Value:
        copy = self.graph.input(f"{value.node}.{value.port} {type}", type)
        self.places[copy] = place
        return copy

    def _seen(self, place: Place) -> Place:
        return replace(place, type=place.type.with_shape((*self.lead, place.type.shape[-1])))

    def _target(self, place: Place, index_map: IndexMap) -> Target:
        """Where a result is stored, for an index in the space of rows."""
        if not _is_dense(self.rows.whole, place, index_map):
            return place, lambda at: index_map(self.rows.apart(at))
        # Only the last axis of the index is another one there, which does not depend on the pixel.
        return self._seen(place), lambda at: (*at[:-1], index_map(at)[-1])
