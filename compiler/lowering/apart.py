"""Which loops of a kernel are parallel: those whose iterations store apart, each in a range of its own."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from netwright.specs.dims import DimLike, Shape, dim, dim_symbols

from ..graph.node import Value
from .places import IndexMap, Place, Target

Range = tuple[int, DimLike]
#: So many iterations are divided without leaving one thread much more than another.
ENOUGH = 16


def divided_axes(
    space: Shape,
    first: int | None,
    loops: Sequence[int],
    targets: Sequence[tuple[Value, Sequence[Target]]],
) -> frozenset[int]:
    """The axes of an iteration space whose loops are parallel.

    That is ``first`` and, where its loop is the outermost one, as many of the loops right inside it as it takes until
    there is enough to divide whatever open axes are. ``loops`` are the axes whose loops stand in one another.
    """
    if first is None:
        return frozenset()
    inside = [axis for axis in loops if space[axis] != 1]
    if inside[:1] != [first]:
        return frozenset([first])
    found, iterations = [first], 1
    for axis, following in pairwise(inside):
        size = space[axis]
        iterations *= size if isinstance(size, int) else 1
        if iterations >= ENOUGH or not _are_apart(targets, space, following):
            break
        found.append(following)
    return frozenset(found)


def stored_ranges(place: Place, index_map: IndexMap, space: Shape, axis: int) -> tuple[Any, set[Range]]:
    """The memory that a result goes to, and its axes with the indices there that depend on ``axis`` of the space."""
    index = tuple(dim(f"axis{number}") for number in range(len(space)))
    ranges = {
        (position, found)
        for position, found in enumerate(index_map(index))
        if f"axis{axis}" in dim_symbols(found)
    }
    return (place.storage, place.extents, place.indices, place.type.shape), ranges


def _are_apart(targets: Sequence[tuple[Value, Sequence[Target]]], space: Shape, axis: int) -> bool:
    """Whether all results can be stored by loops over ``axis`` whose iterations are divided over threads."""
    known: dict[Any, set[Range]] = {}
    for _, places in targets:
        for place, index_map in places:
            memory, ranges = stored_ranges(place, index_map, space, axis)
            known[memory] = known.get(memory, ranges) & ranges
    return all(known.values())
