"""Transposes tiles in registers: merges the rows of a tile, one vector each, into the order of lanes and then rows.

Pairs of vectors are interleaved lane by lane (first lane of each, second lane of each, …); after log₂(rows) such steps
all elements are in order. An even number of rows is first interleaved in pairs, any other number is picked together.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...loop.intrinsics.builder import KernelBuilder
from ...loop.ir import Expr

#: Up to this many rows are merged directly even if they are no power of two, and twice as many if they are even; more
#: are padded to a power of two.
FEW_ROWS = 3


def merged(b: KernelBuilder, vectors: Sequence[Expr]) -> list[Expr]:
    """The elements of ``vectors`` in lane order: lane 0 of every vector, lane 1 of every vector, …, in as many
    vectors."""
    lanes, number = vectors[0].type.lanes, len(vectors)
    half = number // 2
    low = [lane // 2 + lane % 2 * lanes for lane in range(lanes)]
    high = [lane + lanes // 2 for lane in low]
    if number & (number - 1):
        if number % 2 or lanes == 1:
            return _picked_all(b, vectors, 1)
        pairs = list(zip(vectors[::2], vectors[1::2], strict=True))
        return [
            vector
            for order in (low, high)
            for vector in _picked_all(b, [b.let("z", b.shuffle(x, y, order)) for x, y in pairs], 2)
        ]
    interleaved, step = list(vectors), 1
    while step < number:
        pairs = zip(interleaved[:half], interleaved[half:], strict=True)
        interleaved = [b.let("z", b.shuffle(x, y, order)) for x, y in pairs for order in (low, high)]
        step *= 2
    return interleaved


def _picked_all(b: KernelBuilder, vectors: Sequence[Expr], unit: int) -> list[Expr]:
    """The lane-order merge of ``vectors``, of which ``unit`` lanes each stay together, in as many vectors."""
    lanes = vectors[0].type.lanes
    starts = range(0, len(vectors) * lanes, lanes)
    return [_picked(b, vectors, range(start, start + lanes), unit) for start in starts]


def _picked(b: KernelBuilder, vectors: Sequence[Expr], elements: range, unit: int) -> Expr:
    """The given ``elements`` of the lane-order merge of all ``vectors`` by ``unit`` lanes, as one vector."""
    number, lanes = len(vectors), len(elements)
    result = vectors[0]
    for position, vector in enumerate(vectors):
        own = [
            element // unit // number * unit + element % unit
            if element // unit % number == position
            else None
            for element in elements
        ]
        if position == 0:
            first = own
            continue
        order = [
            lane + lanes if lane is not None else (first[i] or 0) if position == 1 else i
            for i, lane in enumerate(own)
        ]
        result = b.shuffle(result, vector, order)
    return result


def merges(rows: int) -> bool:
    """Whether so many rows are merged without padding."""
    return rows <= (FEW_ROWS if rows % 2 else 2 * FEW_ROWS) or rows & (rows - 1) == 0
