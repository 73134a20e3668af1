"""Which axes a reshape merges."""

from __future__ import annotations

from netwright.specs.dims import DimLike, Shape


def merged_axes(fine: Shape, coarse: Shape) -> list[tuple[int, ...]] | None:
    """For each axis of ``coarse``, the adjacent axes of ``fine`` that it merges; None if an axis of ``fine`` is
    divided, or merged into none. The two have as many elements."""
    merged: list[tuple[int, ...]] = []
    position = 0
    for size in coarse:
        start = position
        total: DimLike = 1
        while total != size and position < len(fine):
            total = total * fine[position]
            position += 1
        if total != size:
            return None
        merged.append(tuple(range(start, position)))
    if rest := range(position, len(fine)):  # axes of size 1
        if not merged:
            return None
        merged[-1] = (*merged[-1], *rest)
    return merged
