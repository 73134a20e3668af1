"""Adds up the lanes of several vectors at once, where lanes run along a sum.

One vector takes log₂(lanes) steps, each of which adds its halves. Two vectors share a step: the first half of one and
the second half of the other are added to their other halves, which leaves the sums of both in one vector. So four sums
take 5 additions instead of 16, and lie side by side for what follows. The pairs that are added are those of
``ReduceLanes``, so the bits are the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from ...loop.intrinsics.builder import KernelBuilder
from ...loop.ir import Expr
from ..reading.indices import Indices

#: A result of a contraction: the id of its node, and the index.
Wanted: TypeAlias = tuple[int, Indices]


def lane_results(
    b: KernelBuilder,
    combine: str,
    totals: Mapping[Wanted, Expr],
    together: Mapping[Wanted, Sequence[Wanted]],
) -> dict[Wanted, Expr]:
    """What the lanes of each of ``totals`` come to: one number, or a vector of those that are wanted ``together``."""
    results: dict[Wanted, Expr] = {}
    joined: set[Wanted] = set()
    for key, members in together.items():
        if totals.keys() >= set(members):
            results[key] = b.let("s", sums_of_lanes(b, [totals[member] for member in members]))
            joined.update(members)
    for key, total in totals.items():
        if key not in joined:
            results[key] = b.let("s", b.reduce_lanes(combine, total))
    return results


def are_summed_together(number: int, lanes: int) -> bool:
    """Whether so many vectors can be added up at once."""
    return 1 < number <= lanes and number & (number - 1) == 0


def sums_of_lanes(b: KernelBuilder, vectors: Sequence[Expr]) -> Expr:
    """The sums of the lanes of each vector, as one vector. Raises ValueError unless their number is a power of two, of
    at most as many as there are lanes."""
    lanes, number = vectors[0].type.lanes, len(vectors)
    if not are_summed_together(number, lanes):
        raise ValueError(f"the lanes of {number} vectors of {lanes} cannot be added up at once")
    result, width = _joined(b, vectors, lanes)
    while width > 1:
        turned = [lane ^ (width // 2) for lane in range(lanes)]
        result = b.let("s", b.add(result, b.shuffle(result, result, turned)))
        width //= 2
    return b.shuffle(result, result, range(0, lanes, lanes // number))


def _joined(b: KernelBuilder, vectors: Sequence[Expr], lanes: int) -> tuple[Expr, int]:
    """A vector with a part for each of the ``vectors``, in order, and how many lanes each part has."""
    if len(vectors) == 1:
        return vectors[0], lanes
    (first, width), (second, _) = (_joined(b, vectors[start::2], lanes) for start in (0, 1))
    half = width // 2
    kept = [lane + (lane % width >= half) * lanes for lane in range(lanes)]
    moved = [lane + half if lane % width < half else lane - half + lanes for lane in range(lanes)]
    return b.let("s", b.add(b.shuffle(first, second, kept), b.shuffle(first, second, moved))), half
