"""Joins reductions that read the same data into one kernel, which reads them once: Σg and Σ(g·x), say. Those that read
results of one kernel, such as both sums of each sample, become one call.

Both are made by groups of their own at first, since a reduction takes over the operations that only it reads. The
earlier group joins the later one if nothing in between reads its results.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netwright.specs.dims import DimLike, product

from ...graph.node import Value
from .roles import MEMBERS, ContractionPart

if TYPE_CHECKING:
    from .groups import Group, Grouping


def join_sums(grouping: Grouping, most_contractions: int, most_members: int) -> None:
    """Joins groups of reductions with the same loops and a large operand in common, or large operands of one kernel,
    none of which gets more than so many contractions and members."""
    kept: dict[object, list[Group]] = {}
    for group in grouping.groups:
        if not _reduces(group):
            continue
        alike = kept.setdefault(_loops(group), [])
        for earlier in list(alike):
            number = len(earlier.contractions()) + len(group.contractions())
            if (
                number <= most_contractions
                and len(earlier.members) + len(group.members) <= most_members
                and _sources(grouping, earlier) & _sources(grouping, group)
                and _may_wait(grouping, earlier, group)
            ):
                alike.remove(earlier)
                grouping.merge(earlier, group)
        alike.append(group)


def _reduces(group: Group) -> bool:
    """Whether all contractions of the group are reductions with the same loops."""
    parts = group.contractions()
    loops = {(part.node.op, part.node.attrs, part.extents, part.order) for part in parts}
    return len(loops) == 1 and all(part.role == "reduction" for part in parts) and not group.windows()


def _loops(group: Group) -> object:
    """What groups that can be joined agree in."""
    part = group.contractions()[0]
    return group.space, part.node.op, part.node.attrs, part.extents, part.order


def _terms(part: ContractionPart) -> DimLike:
    return product(part.extents) * part.node.types[0].size


def _sources(grouping: Grouping, group: Group) -> set[Value | Group]:
    """The values that the group's reductions read, of as many elements as there are terms, and the groups that compute
    them. What it computes itself is in no other group, unless both compute it from such a value."""
    roles, terms = grouping.roles, _terms(group.contractions()[0])
    read = {base for part in group.members for operand in part.operands for base, _ in roles.bases(operand)}
    large = {value for value in read if roles.type(value).size == terms}
    made = {grouping.group_of[value.node] for value in large if value.node in grouping.group_of}
    return {*large, *(made - {group})}


def _may_wait(grouping: Grouping, earlier: Group, later: Group) -> bool:
    """Whether all that reads the results of ``earlier`` runs after ``later``, or in it once its sums are complete."""
    roles = grouping.roles
    inside = {part.node.id for part in earlier.members}
    for part in earlier.members:
        for value in part.node.values:
            if value in grouping.repeated:
                return False
            for reader in roles.readers(value):
                if reader.node.id in inside:
                    continue
                if reader.role not in MEMBERS:
                    return False
                for home in grouping.groups_with(reader):
                    if home is later:
                        read = (base for v in reader.operands for base in roles.bases(v))
                        if not all(same for base, same in read if base == value):
                            return False
                    elif home.order < later.order:
                        return False
    return True
