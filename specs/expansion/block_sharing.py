"""Uses of a block whose layers all share the parameters of their counterparts in another use, or are all frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..diagnostics.diagnostic import Diagnostics
from ..diagnostics.fixes import respelled
from ..diagnostics.suggest import closest, did_you_mean
from .placement import ExpandedSpec, Group


def share_blocks(
    expansion: ExpandedSpec, ranges: Mapping[str, tuple[int, int]], diagnostics: Diagnostics
) -> None:
    """Sets `share` for the layers of a use that shares. `ranges` are the positions of each use's layers."""
    names = {placement.name for placement in expansion.placements}
    for group in list(expansion.groups.values()):
        if group.share is None:
            continue
        other = _sharer(group, expansion, diagnostics)
        if other is None:
            expansion.poisoned.add(group.name)
            continue
        inside, owner = f"{group.name}.", f"{other.name}."
        for i in range(*ranges.get(group.name, (0, 0))):
            placement = expansion.placements[i]
            target = owner + (placement.name or "").removeprefix(inside)
            if target in names:
                expansion.placements[i] = replace(placement, share=target)


def freeze_blocks(expansion: ExpandedSpec, ranges: Mapping[str, tuple[int, int]]) -> None:
    """Marks the layers of uses that are frozen. `ranges` are the positions of each use's layers."""
    for group in expansion.groups.values():
        if group.frozen is not None:
            for i in range(*ranges.get(group.name, (0, 0))):
                expansion.placements[i] = replace(expansion.placements[i], frozen=group.frozen)


def _sharer(group: Group, expansion: ExpandedSpec, diagnostics: Diagnostics) -> Group | None:
    assert group.share is not None
    written, index = group.scope + group.share, group.name.rpartition(".")[2]
    other = expansion.groups.get(f"{written}.{index}") if index.isdigit() else None
    other = other or expansion.groups.get(written)
    help = meant = None
    labels = []
    if other is None and expansion.lost:
        return None  # it may be a layer whose name is unknown
    if other is None:
        uses = [
            name for name, use in expansion.groups.items() if use.block == group.block and use is not group
        ]
        message = f"there is no use of a block named {group.share}"
        meant = closest(group.share, uses)
        help = did_you_mean(meant)
    elif other is group:
        message = f"{group.name} can't share its own parameters"
    elif other.block != group.block:
        message = f"{other.name} is the block {other.block}, {group.name} is the block {group.block}"
        help = "only uses of one block can share parameters"
    elif other.share is not None:
        message = f"{other.name} itself uses the parameters of {other.share}"
        help = f"write share: {other.share}"
    else:
        return other
    if other is not None and other is not group:
        labels = [(other.place, "this use")]
    place = group.share_place or group.place
    fixes = respelled(group.share, meant, place)
    diagnostics.error("NW0307", message, place, labels=labels, help=help, fixes=fixes)
    return None
