"""Generates the kernel of equal groups once: of the copies of an unrolled step, and of what entries have in common.

A kernel follows from the members of its group, from the views and generators that they read through, and from the
shapes of the places that it reads and stores to. Groups that agree in all of these have the same kernel, at other
places.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace

from netwright.specs.dims import DimLike, Shape

from ...graph.node import Value
from ...machine import Machine
from ..grouping.groups import Group
from ..grouping.roles import ContractionPart, GeneratorPart, Roles, ViewPart
from ..outer.parts import Parts
from ..reading.indices import Indices
from ..reading.places import IndexMap, Place, Target, same_index
from .fused import Kernel, Parameter, build

Targets = Sequence[tuple[Value, Sequence[Target]]]


@dataclass(frozen=True)
class Into:
    """Maps an index of the operand at ``position`` of a view in memory to the index in the view's result."""

    part: ViewPart
    position: int

    def __call__(self, index: tuple[DimLike, ...]) -> Sequence[DimLike]:
        return self.part.write(self.position, index)


@dataclass(frozen=True)
class _Source:
    """Where a parameter's place comes from: the place of a value that is read, or of a target, by their numbers. The
    kernel may see it in another shape."""

    target: bool
    number: int
    shape: Shape
    fixed: Indices


class Repeats:
    """The kernels of one program, by what they follow from."""

    def __init__(self) -> None:
        self._known: dict[Hashable, tuple[Kernel, list[_Source]]] = {}

    def kernel(
        self,
        roles: Roles,
        group: Group,
        place: Callable[[Value], Place],
        targets: Targets,
        dims: dict[str, int],
        machine: Machine,
        turn: str | None = None,
        parts: Parts | None = None,
    ) -> Kernel:
        """The kernel that ``build`` makes of these arguments; dims and machine are those of the whole program."""
        signature = _Signature(roles, group, place, targets)
        key = signature.key, turn, parts
        known = self._known.get(key)
        if known is not None:
            made, sources = known
            return replace(made, parameters=tuple(map(signature.parameter, sources)))
        asked: dict[Hashable, Value] = {}

        def recorded(value: Value) -> Place:
            answer = place(value)
            asked.setdefault(_memory(answer), value)
            return answer

        kernel = build(roles, group, recorded, targets, dims, machine, None, turn, parts)
        self._known[key] = (
            kernel,
            [signature.source(parameter, asked) for parameter in kernel.parameters],
        )
        return kernel


class _Signature:
    """What a kernel follows from, with numbers instead of the names of nodes, storages and indices."""

    def __init__(self, roles: Roles, group: Group, place: Callable[[Value], Place], targets: Targets):
        self._roles, self._place = roles, place
        self._values: dict[Value, int] = {}
        self._targets: dict[Place, int] = {}
        self._storages: dict[int, int] = {}
        self._indices: dict[Indices, int] = {}
        self._nodes = {part.node.id: number for number, part in enumerate(group.members)}
        self._pending = [part.node.id for part in group.members]
        # The list grows by the views and generators that its nodes read.
        operations = [self._operation(id) for id in self._pending]
        stored = [
            (self._nodes[value.node], value.port, tuple(self._target(*target) for target in places))
            for value, places in targets
        ]
        for part in group.contractions():  # a kernel may hold sums in the product's memory
            self._values.setdefault(part.node.values[0], len(self._values))
        self.key: Hashable = (group.space, len(group.members), tuple(operations), tuple(stored))

    def parameter(self, source: _Source) -> Parameter:
        """What a kernel's parameter stands for here."""
        places = self._targets if source.target else self._values
        given = list(places)[source.number]
        place = given if isinstance(given, Place) else self._place(given)
        return Parameter(place.reshaped(source.shape), source.fixed)

    def source(self, parameter: Parameter, asked: dict[Hashable, Value]) -> _Source:
        """Where a parameter's place comes from; ``asked`` has the values that were read, by their memory."""
        memory, shape = _memory(parameter.place), parameter.place.type.shape
        if memory in asked:
            return _Source(False, self._values[asked[memory]], shape, parameter.fixed)
        number = next(number for place, number in self._targets.items() if _memory(place) == memory)
        return _Source(True, number, shape, parameter.fixed)

    def _operation(self, id: int) -> Hashable:
        part = self._roles.parts[id]
        node, operands = part.node, part.operands
        order = part.order if isinstance(part, ContractionPart) else None
        read = tuple(self._operand(value) for value in operands)
        return part.role, node.op, node.attrs, order, node.types, read

    def _operand(self, value: Value) -> Hashable:
        if value.node not in self._nodes:
            if self._roles.part(value).role != "index":
                return self._read(value)
            self._nodes[value.node] = len(self._nodes)
            self._pending.append(value.node)
        return self._nodes[value.node], value.port

    def _read(self, value: Value) -> Hashable:
        """A value in memory. Tables are told apart by their contents: they only get a place when they are read."""
        number = self._values.setdefault(value, len(self._values))
        base = self._roles.part(self._roles.unreshaped(value))
        if isinstance(base, GeneratorPart):
            return number, base.node.attrs, self._roles.type(value)
        return number, self._roles.type(value), self._shown(self._place(value))

    def _target(self, place: Place, index_map: IndexMap) -> Hashable:
        number = self._targets.setdefault(place, len(self._targets))
        if isinstance(index_map, Into):
            part = index_map.part
            return number, self._shown(place), part.node.op, part.node.attrs, part.types, index_map.position
        assert index_map is same_index
        return number, self._shown(place)

    def _shown(self, place: Place) -> Hashable:
        storage = self._storages.setdefault(id(place.storage), len(self._storages))
        indices = self._indices.setdefault(place.indices, len(self._indices))
        return storage, indices, place.extents, place.type, place.shift


def _memory(place: Place) -> Hashable:
    return place.storage, place.extents, place.indices
