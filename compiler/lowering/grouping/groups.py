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

from netwright.specs.dims import DimLike, Shape

from ...graph.node import Value
from ...observers import Observer, Refusal
from .deferred import defer
from .joined_sums import join_sums
from .roles import MEMBERS, ContractionPart, Part, Roles, TransformPart, ViewPart

#: The most contractions in one group: each needs its own accumulators.
MAX_CONTRACTIONS = 6
#: Roles of members whose results are in registers before a kernel's epilogue reads them.
ACCUMULATED = ("reduction", "product", "transform")
#: The most operations in one group: a kernel should fit the registers, and LLVM's time grows faster than a kernel's
#: length.
MAX_MEMBERS = 64


@dataclass(eq=False)
class Group:
    """Members in topological order over one iteration space; ``order`` is its position in the program."""

    order: int
    space: Shape
    members: list[Part] = field(default_factory=list)
    fusable: bool = True

    def contractions(self) -> list[ContractionPart]:
        """The members that need accumulators: products, and reductions over more than a small window."""
        return [
            part for part in self.members if isinstance(part, ContractionPart) and part.role in ACCUMULATED
        ]

    @property
    def multiplies(self) -> bool:
        """Whether it has a product, or a part of one: then sizes steer how the kernel is cut into tiles."""
        return self.transform() is not None or any(part.role == "product" for part in self.contractions())

    def transform(self) -> TransformPart | None:
        """The transform whose tiles the kernel computes, if it has one."""
        return next((part for part in self.members if isinstance(part, TransformPart)), None)

    def anchored(self) -> bool:
        """Whether the kernel's tiles are those of its products, reductions or transform."""
        return self.transform() is not None or bool(self.contractions())

    def windows(self) -> list[ContractionPart]:
        """The members that are windows small enough to be evaluated inline."""
        return [part for part in self.members if isinstance(part, ContractionPart) and part.role == "window"]


class Grouping:
    """The groups of one graph, in program order; each opaque node and each scan is a group of its own."""

    def __init__(self, roles: Roles, observer: Observer | None = None):
        """``observer`` is told which operations did not join the kernel of their operands, and why."""
        self.roles = roles
        self.observer = observer
        self.groups: list[Group] = []
        self.group_of: dict[int, Group] = {}
        """By the id of a node: its group, the last one if several compute it."""
        self.repeated: dict[Value, list[Group]] = {}
        """The results that every group that reads them computes, with these groups."""
        self._outputs = set(roles.graph.outputs.values())
        for part in roles.parts:
            match part.role:
                case "elementwise" | "window" | "reduction" | "product":
                    self._join(part)
                case "transform":
                    self._found(part)
                case "opaque" | "loop":
                    self._found(part, fusable=False)
                case "into" | "alias":
                    # Belongs to no group, but is complete only when its newest operand is: readers are ordered after
                    # that.
                    latest = self._latest(part)
                    if latest is not None:
                        self.group_of[part.node.id] = latest
                case _:
                    pass
        defer(self, MAX_MEMBERS)
        join_sums(self, MAX_CONTRACTIONS, MAX_MEMBERS)

    def groups_with(self, part: Part) -> list[Group]:
        """The groups that compute ``part``."""
        for value in part.node.values:
            if value in self.repeated:
                return self.repeated[value]
        group = self.group_of.get(part.node.id)
        return [] if group is None else [group]

    def is_output(self, value: Value) -> bool:
        """Whether ``value`` is an output of the graph."""
        return value in self._outputs

    def stored(self, value: Value) -> bool:
        """Whether ``value``, a member's result, needs memory because something outside its group reads it."""
        own = self.group_of[value.node]
        if value in self._outputs:
            return True
        if value in self.repeated:
            return False
        return any(
            self.group_of.get(reader.node.id) is not own or reader.role not in MEMBERS
            for reader in self.roles.readers(value)
        )

    def evaluated_in_place(self, member: Part, group: Group) -> bool:
        """Whether the kernel of ``group`` evaluates ``member`` only at the index of the element that it is storing.

        A contraction or a window reads its operands at other indices, and so does everything merged into it, even
        where all shapes are equal (a square weight, batch = units).
        """
        inside = {part.node.id for part in group.members}
        pending, seen = [member], {member.node.id}
        while pending:
            part = pending.pop()
            if part.role != "elementwise":
                return False
            for value in part.node.values:
                for reader in self.roles.readers(value):
                    id = reader.node.id
                    if id in inside and id not in seen:
                        seen.add(id)
                        pending.append(reader)
        return True

    def _latest(self, part: Part) -> Group | None:
        groups = [
            self.group_of[base.node]
            for operand in part.operands
            for base, _ in self.roles.bases(operand)
            if base.node in self.group_of
        ]
        return max(groups, key=lambda g: g.order, default=None)

    def _found(self, part: Part, fusable: bool = True) -> None:
        group = Group(len(self.groups), part.node.types[0].shape, [part], fusable)
        self.groups.append(group)
        self.group_of[part.node.id] = group

    def _add(self, group: Group, part: Part) -> None:
        group.members.append(part)
        self.group_of[part.node.id] = group

    def _join(self, part: Part) -> None:
        latest = self._latest(part)
        rule = (
            self._join_contraction(part, latest)
            if isinstance(part, ContractionPart)
            else self._join_elementwise(part, latest)
        )
        if rule is None:
            return
        if latest is not None and self.observer is not None:
            self.observer.refused(Refusal(part.node, rule, self._saved(part, latest)))
        self._found(part)

    def _join_elementwise(self, part: Part, latest: Group | None) -> str | None:
        """Joins the newest group; returns the rule that forbids it, or None if it joined."""
        if latest is None:
            return "there is nothing to join"
        if not latest.fusable:
            return "its operand is made by a loop or by a kernel that nothing is fused into"
        if any(sums.op.holds_sums for sums in latest.contractions()):
            return "its operand's sums are held in memory, block by block"
        if len(latest.members) >= MAX_MEMBERS:
            return f"its operand's kernel has {MAX_MEMBERS} operations already"
        if latest.space != part.node.types[0].shape:
            return "its operand's kernel runs over another shape"
        if not self._reads_in_place(part, latest):
            return "it reads its operand at another index, or from memory"
        self._add(latest, part)
        self._draw_in(part, latest)
        return None

    def _join_contraction(self, part: ContractionPart, latest: Group | None) -> str | None:
        """Joins a group that shares an operand, or takes over the newest group; returns the rule that forbids it, or
        None."""
        return None if self._share(part, latest) else self._absorb(part, latest)

    def _saved(self, part: Part, latest: Group) -> DimLike:
        """Bytes of memory traffic that fusing ``part`` with its newest operands would save: a value that only
        ``part`` reads would be neither written nor read, any other still written."""
        total: DimLike = 0
        for value in {base for v in part.operands for base, _ in self.roles.bases(v)}:
            if self.group_of.get(value.node) is latest:
                alone = value not in self._outputs and all(r is part for r in self.roles.readers(value))
                total = total + (2 if alone else 1) * self.roles.type(value).nbytes
        return total

    def _reads_in_place(self, part: Part, group: Group) -> bool:
        """Whether ``part`` reads results of ``group``'s members only, each at its own index."""
        for operand in part.operands:
            for base, same in self.roles.bases(operand):
                if self.group_of.get(base.node) is group and not (
                    same and self.roles.part(base).role in MEMBERS
                ):
                    return False
        return True

    def _draw_in(self, part: Part, group: Group) -> None:
        """Merges into ``group`` the other groups that ``part``, its newest member, reads, where they fit."""
        for operand in part.operands:
            for base, _ in self.roles.bases(operand):
                other = self.group_of.get(base.node)
                if other is not None and other is not group and self._fits_into(other, group):
                    self.merge(other, group)

    def merge(self, other: Group, group: Group) -> None:
        """Moves all members of ``other`` into ``group``; nothing joins the empty one."""
        for member in other.members:
            self.group_of[member.node.id] = group
        group.members = sorted([*group.members, *other.members], key=lambda member: member.node.id)
        other.members = []
        other.fusable = False

    def _fits_into(self, other: Group, group: Group) -> bool:
        """Whether ``other`` may run as late as ``group``, in one kernel with it."""
        if len(other.members) + len(group.members) > MAX_MEMBERS:
            return False
        if other.anchored():  # its tiles were chosen for it alone
            return False
        for member in other.members:
            for value in member.node.values:
                for reader in self.roles.readers(value):
                    home = self.group_of.get(reader.node.id)
                    if home is None:
                        continue  # not grouped yet, so it will run later
                    if reader.role not in MEMBERS or (home is not other and home.order < group.order):
                        return False
                    if home is group and (
                        reader.role in ACCUMULATED or not self._reads_in_place(reader, other)
                    ):
                        return False
        return True

    def _absorb(self, part: ContractionPart, group: Group | None) -> str | None:
        """Moves ``group`` into the iteration space of ``part``, a reduction or window that is its only reader;
        returns the rule that forbids it, or None."""
        if part.role == "product":
            return "a product reads each element of its operands many times"
        if group is None:
            return "there is nothing to join"
        if not group.fusable:
            return "its operand is made by a loop or by a kernel that nothing is fused into"
        operand = part.operands[0]
        if group.space != self.roles.type(operand).shape and not self._through_pad(operand, group):
            return "its operand's kernel runs over another shape"
        if part.role == "window":
            if part.op.overlaps(part.node.attrs):
                return "overlapping windows would compute cells again"
            if (transform := group.transform()) and (group.windows() or not transform.holds(part)):
                return "its windows are not inside the tiles of its operand's kernel"
        elif group.anchored() or group.windows():
            return "a reduction over results of a product or a window would need them all at once"
        inside = {member.node.id for member in group.members} | {part.node.id}
        for member in group.members:
            for value in member.node.values:
                if value in self._outputs or any(r.node.id not in inside for r in self.roles.readers(value)):
                    return "others read its operand, too"
        group.space = part.node.types[0].shape
        self._add(group, part)
        return None

    def _through_pad(self, value: Value, group: Group) -> bool:
        """Whether ``value`` is a result of ``group`` with a fill around it, so that loads can be guarded."""
        part = self.roles.part(value)
        if not isinstance(part, ViewPart) or part.op.fill(part.node.attrs) is None:
            return False
        if group.anchored():  # accumulators cannot be guarded
            return False
        return part.types[0].shape == group.space

    def _share(self, part: ContractionPart, latest: Group | None) -> bool:
        """Joins a group of products with the same operand, space and reduction, if all operands are ready."""
        if part.role != "product" or not part.op.shares_kernel or part.sums_outer_products:
            return False
        for operand in part.operands:
            for other, _ in self.roles.uses(operand):
                group = self.group_of.get(other.node.id)
                if (
                    group is not None
                    and isinstance(other, ContractionPart)
                    and other.op is part.op
                    and group.space == part.node.types[0].shape
                    and (other.combine, other.extents, other.order)
                    == (part.combine, part.extents, part.order)
                    and len(group.contractions()) < MAX_CONTRACTIONS
                    and (latest is None or latest.order < group.order)
                ):
                    self._add(group, part)
                    return True
        return False
