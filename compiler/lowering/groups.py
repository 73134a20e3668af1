"""Fusion groups: which operations share a kernel.

Nodes are visited in topological order. A member joins the newest group among the producers of its operands if that
group has the same iteration space and the member reads it at the same index; otherwise it founds a group. Groups run
in the order in which they were founded, so a node may only join a group if all its other operands come from older
groups; this rules out cycles. When a node joins, older groups that it reads are merged into its group where nothing
in between reads them.

Three rules go further: a window takes over the group that only it reads (convolution + activation + pool in one
kernel), a reduction takes over elementwise operations that only it reads, and contractions that share an operand
share a kernel (the four gates of an LSTM).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

from netwright.specs.dims import DimLike, Shape

from ..graph.graph import Graph
from ..graph.node import Node, Value
from ..observers import Observer, Refusal
from ..ops.base import Contraction, Elementwise, primitive
from ..ops.reduce_window import ReduceWindowAttributes
from .roles import INLINE_WINDOW, Roles

#: The most contractions in one group: each needs its own accumulators.
MAX_CONTRACTIONS = 6
#: The most operations in one group: a kernel should fit the registers, and LLVM's time grows faster than a kernel's
#: length.
MAX_MEMBERS = 64


@dataclass(eq=False)
class Group:
    """Members in topological order over one iteration space; ``order`` is its position in the program."""

    order: int
    space: Shape
    members: list[Node] = field(default_factory=list)
    fusable: bool = True

    def contractions(self) -> list[Node]:
        return [node for node in self.members if is_contraction(node)]


def is_window(node: Node) -> bool:
    """Whether ``node`` is a window small enough to be evaluated inline."""
    return isinstance(node.attrs, ReduceWindowAttributes) and prod(node.attrs.window) <= INLINE_WINDOW


def is_contraction(node: Node) -> bool:
    return isinstance(primitive(node.op), Contraction) and not is_window(node)


class Grouping:
    """The groups of one graph, in program order; each opaque node and each scan is a group of its own."""

    def __init__(self, graph: Graph, roles: Roles, observer: Observer | None = None):
        """``observer`` is told which operations did not join the kernel of their operands, and why."""
        self.graph = graph
        self.roles = roles
        self.observer = observer
        self.groups: list[Group] = []
        self.group_of: dict[int, Group] = {}
        self._outputs = set(graph.outputs.values())
        for node in graph:
            match roles.role(node):
                case "member":
                    self._join(node)
                case "opaque" | "loop":
                    self._found(node, fusable=False)
                case "destination" | "alias":
                    # Belongs to no group, but is complete only when its newest operand is: readers are ordered after
                    # that.
                    latest = self._latest(node)
                    if latest is not None:
                        self.group_of[node.id] = latest
                case _:
                    pass

    def stored(self, value: Value) -> bool:
        """Whether ``value``, a member's result, needs memory because something outside its group reads it."""
        own = self.group_of[value.node]
        if value in self._outputs:
            return True
        return any(
            self.group_of.get(reader.id) is not own or self.roles.role(reader) != "member"
            for reader in self.roles.readers(value)
        )

    def evaluated_in_place(self, member: Node, group: Group) -> bool:
        """Whether the kernel of ``group`` evaluates ``member`` only at the index of the element that it is storing.

        A contraction or a window reads its operands at other indices, and so does everything merged into it, even
        where all shapes are equal (a square weight, batch = units).
        """
        inside = {one.id for one in group.members}
        pending, seen = [member], {member.id}
        while pending:
            node = pending.pop()
            if not isinstance(primitive(node.op), Elementwise):
                return False
            for value in node.values:
                for reader in self.roles.readers(value):
                    if reader.id in inside and reader.id not in seen:
                        seen.add(reader.id)
                        pending.append(reader)
        return True

    def _absorbs(self, node: Node) -> bool:
        return node.op in ("reduce", "reduce_window")

    def _latest(self, node: Node) -> Group | None:
        groups = [
            self.group_of[base.node]
            for operand in self.graph.operands(node)
            for base, _ in self.roles.bases(operand)
            if base.node in self.group_of
        ]
        return max(groups, key=lambda g: g.order, default=None)

    def _found(self, node: Node, fusable: bool = True) -> None:
        group = Group(len(self.groups), node.types[0].shape, [node], fusable)
        self.groups.append(group)
        self.group_of[node.id] = group

    def _add(self, group: Group, node: Node) -> None:
        group.members.append(node)
        self.group_of[node.id] = group

    def _join(self, node: Node) -> None:
        latest = self._latest(node)
        rule = (
            self._join_contraction(node, latest)
            if self._visits(node)
            else self._join_elementwise(node, latest)
        )
        if rule is None:
            return
        if latest is not None and self.observer is not None:
            self.observer.refused(Refusal(node, rule, self._saved(node, latest)))
        self._found(node)

    def _visits(self, node: Node) -> bool:
        """Whether an element of ``node`` is computed from more than one element of an operand."""
        return is_contraction(node) or is_window(node)

    def _join_elementwise(self, node: Node, latest: Group | None) -> str | None:
        """Joins the newest group; returns the rule that forbids it, or None if it joined."""
        if latest is None:
            return "there is nothing to join"
        if not latest.fusable:
            return "its operand is made by a loop or by a kernel that nothing is fused into"
        if len(latest.members) >= MAX_MEMBERS:
            return f"its operand's kernel has {MAX_MEMBERS} operations already"
        if latest.space != node.types[0].shape:
            return "its operand's kernel runs over another shape"
        if not self._reads_in_place(node, latest):
            return "it reads its operand at another index, or from memory"
        self._add(latest, node)
        self._draw_in(node, latest)
        return None

    def _join_contraction(self, node: Node, latest: Group | None) -> str | None:
        """Joins a group that shares an operand, or takes over the newest group; returns the rule that forbids it, or
        None."""
        return None if self._share(node, latest) else self._absorb(node, latest)

    def _saved(self, node: Node, latest: Group) -> DimLike:
        """Bytes of memory traffic that fusing ``node`` with its newest operands would save: a value that only
        ``node`` reads would be neither written nor read, any other still written."""
        total: DimLike = 0
        for value in {base for v in self.graph.operands(node) for base, _ in self.roles.bases(v)}:
            if self.group_of.get(value.node) is latest:
                alone = value not in self._outputs and all(r is node for r in self.roles.readers(value))
                total = total + (2 if alone else 1) * self.graph.type(value).nbytes
        return total

    def _reads_in_place(self, node: Node, group: Group) -> bool:
        """Whether ``node`` reads results of ``group``'s members only, each at its own index."""
        for operand in self.graph.operands(node):
            for base, same in self.roles.bases(operand):
                if self.group_of.get(base.node) is group and not (
                    same and self.roles.role(self.graph.node(base.node)) == "member"
                ):
                    return False
        return True

    def _draw_in(self, node: Node, group: Group) -> None:
        """Merges into ``group`` the other groups that ``node``, its newest member, reads, where they fit."""
        for operand in self.graph.operands(node):
            for base, _ in self.roles.bases(operand):
                other = self.group_of.get(base.node)
                if other is not None and other is not group and self._fits_into(other, group):
                    for member in other.members:
                        self.group_of[member.id] = group
                    group.members = sorted([*group.members, *other.members], key=lambda member: member.id)
                    other.members = []
                    other.fusable = False

    def _fits_into(self, other: Group, group: Group) -> bool:
        """Whether ``other`` may run as late as ``group``, in one kernel with it."""
        if len(other.members) + len(group.members) > MAX_MEMBERS:
            return False
        if other.contractions():  # its tiles were chosen for it alone
            return False
        for member in other.members:
            for value in member.values:
                for reader in self.roles.readers(value):
                    found = self.group_of.get(reader.id)
                    if found is None:
                        continue  # not grouped yet, so it will run later
                    if self.roles.role(reader) != "member" or (
                        found is not other and found.order < group.order
                    ):
                        return False
                    if found is group and (is_contraction(reader) or not self._reads_in_place(reader, other)):
                        return False
        return True

    def _absorb(self, node: Node, group: Group | None) -> str | None:
        """Moves ``group`` into the iteration space of ``node``, a reduction or window that is its only reader;
        returns the rule that forbids it, or None."""
        if not self._absorbs(node):
            return "a product reads each element of its operands many times"
        if group is None:
            return "there is nothing to join"
        if not group.fusable:
            return "its operand is made by a loop or by a kernel that nothing is fused into"
        if group.space != self.graph.type(self.graph.operands(node)[0]).shape and not self._through_pad(
            node, group
        ):
            return "its operand's kernel runs over another shape"
        if isinstance(node.attrs, ReduceWindowAttributes) and is_window(node):
            if any(s < w for s, w in zip(node.attrs.stride, node.attrs.window, strict=True)):
                return "overlapping windows would compute cells again"
        elif group.contractions() or any(is_window(member) for member in group.members):
            return "a reduction over results of a product or a window would need them all at once"
        inside = {member.id for member in group.members} | {node.id}
        for member in group.members:
            for value in member.values:
                if value in self._outputs or any(r.id not in inside for r in self.roles.readers(value)):
                    return "others read its operand, too"
        group.space = node.types[0].shape
        self._add(group, node)
        return None

    def _through_pad(self, node: Node, group: Group) -> bool:
        producer = self.graph.producer(self.graph.operands(node)[0])
        if producer.op != "pad":
            return False
        if group.contractions():  # accumulators cannot be guarded
            return False
        return self.graph.type(self.graph.operands(producer)[0]).shape == group.space

    def _share(self, node: Node, latest: Group | None) -> bool:
        """Joins a group of contractions with the same operand, space and reduction, if all operands are ready.

        Convolutions never share: they have enough rows to fill the accumulators of a tile, and sharing would divide
        these.
        """
        op = primitive(node.op)
        assert isinstance(op, Contraction)
        if self._absorbs(node) or node.op == "conv":
            return False
        operands = self.graph.operands(node)
        extent = self._reduction(node)
        for operand in operands:
            for user, _ in self.graph.uses(operand):
                group = self.group_of.get(user.id)
                if (
                    group is not None
                    and user.op == node.op
                    and group.space == node.types[0].shape
                    and self._reduction(user) == extent
                    and len(group.contractions()) < MAX_CONTRACTIONS
                    and (latest is None or latest.order < group.order)
                ):
                    self._add(group, node)
                    return True
        return False

    def _reduction(self, node: Node) -> tuple[object, ...]:
        op = primitive(node.op)
        assert isinstance(op, Contraction)
        types = [self.graph.type(value) for value in self.graph.operands(node)]
        return (op.combine(node.attrs), *op.reduction_shape(node.attrs, types))
