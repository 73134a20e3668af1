"""Turns a graph into the body of an entry: a sequence of kernel calls, with a loop for every scan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from netwright.specs.dims import DimLike, product

from ..graph.graph import Graph
from ..graph.node import Node, Value
from ..graph.types import TensorType
from ..loop import ir
from ..loop.intrinsics.builder import KernelBuilder
from ..observers import Observer
from .blocks import BlockKernels, Chain, chains
from .calls import computed, moved
from .entry import EntryBuilder
from .fills import fill_kernel
from .grouping.groups import Group, Grouping
from .grouping.inside import Inside, values_inside
from .grouping.roles import MEMBERS, GeneratorPart, LoopPart, OpaquePart, Roles, ViewPart
from .kernels.fused import Kernel
from .kernels.repeats import Into
from .outer.parts import Parts, parts_of
from .part_kernels import PartKernels
from .program import ProgramBuilder
from .reading.memory import NotVectorizable
from .reading.places import Place, Target, same_index
from .reading.reuse import may_replace, values_over
from .stores import Targets, copy_kernel, move_kernel, store_apart
from .tiles.turning import turning_dim

#: Roles of the inputs that callers pass to every call, whether or not a result depends on them.
_GIVEN = ("input", "target")


def lower_entry(
    program: ProgramBuilder,
    name: str,
    graph: Graph,
    observer: Observer | None = None,
    *,
    steady: bool = False,
    opens: bool = False,
) -> None:
    """Adds the entry ``name`` that computes ``graph``.

    Inputs and outputs become buffers of the program's table under their names; an output with the name of an input
    updates that buffer. ``steady``: whether its products are (see ``Roles``). With ``opens``, kernels without products
    take sizes from their callers (see ``loop.opening``).
    """
    entry = EntryBuilder(program, name, observer, steady, opens)
    inputs = {
        key: Place(program.storage(key, graph.type(value)), graph.type(value))
        for key, value in graph.inputs.items()
    }
    scope = _Scope(entry, graph, {graph.inputs[key]: place for key, place in inputs.items()})
    late: list[tuple[Place, Place]] = []
    for key, value in graph.outputs.items():
        place = Place(program.storage(key, graph.type(value)), graph.type(value))
        if key in inputs and not scope.may_update(graph.inputs[key], value):
            temporary = scope.allocate(graph.type(value))
            late.append((temporary, place))
            place = temporary
        scope.bind_output(value, place)
    scope.emit()
    for temporary, place in late:
        entry.call(copy_kernel(program, temporary, place))
    for key, place in inputs.items():
        if graph.input_role(key) in _GIVEN and place.storage.name not in entry.storages:
            entry.touch(place.storage)  # an input that no result depends on may still bind a dim
    for key in graph.outputs:
        entry.touch(program.table[key], "write")  # an output without elements is written by no call
    entry.finish()
    if observer is not None:
        observer.lowered(name, graph, list(entry.stored.values()))


class _Scope:
    """A graph being lowered: the entry's own, or the body of a scan inside the loop that runs it. ``turn`` is 0 and 1
    in turns in the iterations of that loop."""

    def __init__(
        self,
        entry: EntryBuilder,
        graph: Graph,
        inputs: Mapping[Value, Place],
        turn: DimLike | None = None,
    ):
        self.entry, self.turn = entry, turn
        self.roles = Roles(graph, entry.steady)
        self.grouping = Grouping(self.roles, entry.observer)
        self.places: dict[Value, Place] = dict(inputs)
        self.outputs: dict[Value, list[Place]] = {}
        self.inside: dict[Value, Inside] = {}
        self.over: dict[Value, Value] = {}

    def allocate(self, type: TensorType) -> Place:
        return Place(self.entry.allocate(type), type)

    def bind_output(self, value: Value, place: Place) -> None:
        """Has ``value`` stored to ``place``, by the operation that computes it before any reshapes."""
        base = self.roles.unreshaped(value)
        self.outputs.setdefault(base, []).append(place.reshaped(self.roles.type(base).shape))

    def may_update(self, old: Value, new: Value) -> bool:
        """Whether ``new`` may overwrite the buffer of ``old``."""
        return may_replace(self.roles, self.grouping, old, new)

    # -- places -------------------------------------------------------------------------------------------------

    def place(self, value: Value) -> Place:
        """Where ``value`` lives; the first call allocates its memory."""
        place = self.places.get(value)
        if place is None:
            place = self.places[value] = self._find(value)
        return place

    def _find(self, value: Value) -> Place:
        part, type = self.roles.part(value), self.roles.type(value)
        if (inside := self.inside.get(value)) is not None:
            return replace(self.place(inside.whole), shift=inside.shift)
        if (old := self.over.get(value)) is not None:
            return self.place(old)
        if part.role == "alias":
            return self.place(self.roles.unreshaped(value)).reshaped(type.shape)
        if isinstance(part, GeneratorPart) and (table := part.op.table(part.node.attrs)) is not None:
            return Place(self.entry.program.constant(table, part.op.formula(part.node.attrs)), type)
        place = self.outputs[value][0] if value in self.outputs else self.allocate(type)
        if isinstance(part, ViewPart) and (fill := part.op.fill(part.node.attrs)) is not None:
            entry, margins = self.entry, part.op.margins(part.node.attrs)
            kernel, given = fill_kernel(entry.program, place, fill, margins, opens=entry.opens)
            entry.call(kernel, moved([part.node]), given)
        return place

    def targets(self, value: Value) -> list[Target]:
        """All targets to which a member's result is stored."""
        targets: list[Target] = [(place, same_index) for place in self.outputs.get(value, [])]
        for part, position in self.roles.uses(value):
            if isinstance(part, ViewPart) and part.role == "into":
                (result,) = part.node.values
                if result not in self.inside:
                    targets.append((self.place(result), Into(part, position)))
        if value not in self.outputs and value not in self.inside and self._read_elsewhere(value):
            targets.append((self.place(value), same_index))
        return targets

    def _read_elsewhere(self, value: Value) -> bool:
        own = self.grouping.group_of[value.node]
        return any(
            r.role != "into" and (self.grouping.group_of.get(r.node.id) is not own or r.role not in MEMBERS)
            for r in self.roles.readers(value)
        )

    # -- emission -----------------------------------------------------------------------------------------------

    def emit(self) -> None:
        self.roles.inside = self.inside = values_inside(
            self.roles, self.grouping, self.outputs, self.entry.program.dims
        )
        blocks = {
            chain.back.order: chain for chain in chains(self.roles, self.grouping, self.entry.program.machine)
        }
        earlier = {group.order for chain in blocks.values() for group in (chain.into, chain.multiplied)}
        shared = {*self.outputs, *self.inside, *(inside.whole for inside in self.inside.values())}
        self.over = values_over(self.roles, self.grouping, shared, {*earlier, *blocks})
        for group in self.grouping.groups:
            match group.members:
                case []:
                    pass  # another group drew them in
                case _ if group.order in earlier:
                    pass  # computed when its block is
                case _ if group.order in blocks:
                    self._emit_blocks(blocks[group.order])
                case [LoopPart() as part]:
                    self._emit_scan(part)
                case [OpaquePart() as part]:
                    self._emit_opaque(part)
                case _:
                    self._emit_fused(group)

    def _emit_fused(self, group: Group) -> None:
        complete = self._stored(group)
        if not complete or product(group.space) == 0:  # no elements, no code
            return
        program = self.entry.program
        targets, moves = store_apart(complete, group.space, self.allocate, self.roles.type)
        dims = dict(program.dims)
        parts = parts_of(self.roles, group, dims, program.machine)
        if parts is not None:
            own = self._emit_parts(group, parts, targets)
            if own is not None:
                self._finish(group, complete, [*own, *moves])
                return
        turn = None if self.turn is None else turning_dim(dims)
        kernel = program.repeats.kernel(self.roles, group, self.place, targets, dims, program.machine, turn)
        info = self._computed([part.node for part in group.members], kernel)
        given = {kernel.turn: self.turn} if kernel.turn is not None and self.turn is not None else None
        self.entry.call(kernel, info, given, opens=not group.multiplies)
        self._finish(group, complete, moves)

    def _emit_parts(self, group: Group, parts: Parts, targets: Targets) -> list[tuple[Place, Target]] | None:
        """Calls a kernel that sums up each of the ``parts`` of a product, and one that adds these sums. Returns the
        moves to make afterwards; None if there is no such kernel."""
        entry, ((value, places),), moves = self.entry, targets, []
        (place, index_map), *others = places
        if others or index_map is not same_index or place.shift:
            place = self.allocate(self.roles.type(value))
            moves = [(place, target) for target in places]
        try:
            kernels = PartKernels(entry.program, self.roles, group, parts, self.place, place, self.allocate)
        except NotVectorizable:
            return None
        nodes = [part.node for part in group.members]
        info = self._computed(nodes, kernels.kernel)
        with kernels.several(entry.b):
            kernel, given = kernels.into(kernels.sums, kernels.count)
            entry.call(kernel, info, given)
        if kernels.may_be_single:
            with entry.b.otherwise():
                kernel, given = kernels.into(place, 1)
                entry.call(kernel, info, given)
        entry.call(kernels.adding, moved(nodes))
        return moves

    def _stored(self, group: Group) -> Targets:
        """What the kernel of a group stores, and where."""
        return [
            (value, self.targets(value))
            for part in group.members
            for value in part.node.values
            if self.grouping.stored(value)
        ]

    def _emit_blocks(self, chain: Chain) -> None:
        """A loop over images, and one over their blocks, with a call of each of the chain's kernels."""
        entry, program, group = self.entry, self.entry.program, chain.back
        complete = self._stored(group)
        targets, moves = store_apart(complete, group.space, self.allocate, self.roles.type)
        for place in [place for _, places in targets for place, _ in places]:
            entry.touch(place.storage, "write")
        blocks = BlockKernels(
            self.roles, chain, self.place, targets, self.allocate, program.dims, program.machine
        )
        with entry.looped(), blocks.loops(entry.b) as given:
            for kernel, part in zip(blocks.kernels, (chain.into, chain.multiplied, group), strict=True):
                info = self._computed([member.node for member in part.members], kernel)
                entry.call(kernel, info.part(blocks.share), given)
        self._finish(group, complete, moves)

    def _finish(self, group: Group, complete: Targets, moves: Sequence[tuple[Place, Target]]) -> None:
        """Moves what was stored elsewhere to its place, and notes what is in memory now."""
        program, nodes = self.entry.program, [part.node for part in group.members]
        for source, target in moves:
            self.entry.call(move_kernel(program, source, target), moved(nodes))
        layers = [node.layer for node in nodes]
        for value, places in complete:
            for place, index_map in places:
                if isinstance(index_map, Into):
                    (result,) = index_map.part.node.values
                    self.entry.note(result, place, layers)
                elif value not in self.entry.stored:
                    self.entry.note(value, place, layers)

    def _computed(self, nodes: Sequence[Node], kernel: Kernel) -> ir.CallInfo:
        roles = self.roles

        def types(node: Node) -> list[TensorType]:
            return [roles.type(value) for value in roles.graph.operands(node)]

        info = computed(nodes, types, self.entry.program.dims, kernel.tiles)
        return replace(info, planned=kernel.planned)

    def _emit_opaque(self, part: OpaquePart) -> None:
        node, program = part.node, self.entry.program
        b = KernelBuilder("kernel", dict(program.dims))
        operands = [self.place(value) for value in part.operands]
        results = [self.place(value) for value in node.values]
        read = [b.buffer(f"p{i}", p.type.dtype, p.type.shape, "read") for i, p in enumerate(operands)]
        written = [
            b.buffer(f"p{len(read) + i}", p.type.dtype, p.type.shape, "readwrite")
            for i, p in enumerate(results)
        ]
        part.op.lower(b, node.attrs, read, written, program.machine.lanes(node.types[0].dtype))
        kernel = Kernel.over(b.finish(), *operands, *results)
        self.entry.call(kernel, self._computed([node], kernel), opens=False)
        for value, place in zip(node.values, results, strict=True):
            self.entry.note(value, place, [node.layer])

    def _emit_scan(self, part: LoopPart) -> None:
        node, operands, attrs = part.node, part.operands, part.attrs
        consts, carries, length = attrs.n_consts, attrs.n_carries, attrs.length
        entry, body = self.entry, attrs.body
        results = [self.place(value) for value in node.values[carries:]]
        doubles: list[Place] = []
        for position, value in enumerate(operands[consts : consts + carries]):
            # A step reads one half and writes the other, so h(t-1) stays whole while h(t) is computed.
            type = self.roles.type(value)
            double = self.allocate(type.with_shape((2, *type.shape)))
            entry.call(copy_kernel(entry.program, self.place(value), double.at(0)), moved([node]))
            doubles.append(double)
            self.places[node.values[position]] = double.at(length - 2 * (length // 2))
        for place in results:
            entry.touch(place.storage, "write")
        for place in (*(self.place(value) for value in operands[consts + carries :]), *results):
            place.storage.staggered = True  # a step accesses all sequences at the same index
        with entry.looped():
            with entry.b.loop("t", 0, length) as t:
                step = length - 1 - t if attrs.reverse else t
                parity = t - 2 * (t // 2)
                places = [
                    *(self.place(value) for value in operands[:consts]),
                    *(double.at(parity) for double in doubles),
                    *(self.place(value).at(step) for value in operands[consts + carries :]),
                ]
                inner = _Scope(entry, body, dict(zip(body.inputs.values(), places, strict=True)), parity)
                written = [
                    *(double.at(1 - parity) for double in doubles),
                    *(place.at(step) for place in results),
                ]
                for value, place in zip(body.outputs.values(), written, strict=True):
                    inner.bind_output(value, place)
                inner.emit()
            entry.divide_loop(node)
        if entry.depth == 0:
            for value, place in zip(node.values[carries:], results, strict=True):
                entry.note(value, place, [node.layer])
