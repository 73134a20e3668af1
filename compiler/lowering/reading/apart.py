"""Which loops of a kernel are parallel: those whose iterations each store to a range of their own."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from netwright.specs.dims import DimLike, Shape, coefficient, dim, dim_symbols

from ...graph.node import Value
from .places import IndexMap, Place, Target

Range = tuple[int, DimLike]
#: With this many iterations to divide, no thread gets much more work than another.
ENOUGH = 16


def divided_axes(
    space: Shape,
    first: int | None,
    loops: Sequence[tuple[int, DimLike]],
    targets: Sequence[tuple[Value, Sequence[Target]]],
) -> frozenset[int]:
    """The axes of an iteration space whose loops are parallel.

    These are ``first`` and, if its loop is the outermost, the loops directly inside it until their product is at
    least ``ENOUGH`` iterations, counting an open number as 1. ``loops`` are those that are perfectly nested, outermost
    first: each with its axis and its number of iterations.
    """
    if first is None:
        return frozenset()
    inside = [(axis, number) for axis, number in loops if number != 1]
    if not inside or inside[0][0] != first:
        return frozenset([first])
    divided, iterations = [first], 1
    for (_, number), (following, _) in pairwise(inside):
        iterations *= number if isinstance(number, int) else 1
        if iterations >= ENOUGH or not _are_apart(targets, space, following):
            break
        divided.append(following)
    return frozenset(divided)


def stored_ranges(place: Place, index_map: IndexMap, space: Shape, axis: int) -> tuple[Any, set[Range]]:
    """The memory that a result is stored to, and those of its axes whose index depends on ``axis`` of the space, each
    with that index."""
    index = tuple(dim(f"axis{number}") for number in range(len(space)))
    ranges = {
        (position, at) for position, at in enumerate(index_map(index)) if f"axis{axis}" in dim_symbols(at)
    }
    return (place.storage, place.extents, place.indices, place.type.shape), ranges


def _are_apart(targets: Sequence[tuple[Value, Sequence[Target]]], space: Shape, axis: int) -> bool:
    """Whether threads may divide the loop over ``axis``: no two of its iterations store to the same range. Indices
    that are quotients of it do not show that."""
    known: dict[Any, set[Range]] = {}
    for _, places in targets:
        for place, index_map in places:
            memory, stored = stored_ranges(place, index_map, space, axis)
            ranges = {own for own in stored if coefficient(own[1], f"axis{axis}") is not None}
            known[memory] = known.get(memory, ranges) & ranges
    return all(known.values())
