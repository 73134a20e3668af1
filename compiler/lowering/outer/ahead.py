"""Brings the operands of a sum's next block into the cache while the present one is added.

A tile of some columns reads a piece of each row of its operands, and where a single tile has all rows, the tiles after
it read the rest. No processor fetches such pieces ahead from memory; but a block's operands lie together there, mostly
from one end to the other, so each tile asks for its share of them. Where several tiles of rows read the same columns,
which are packed for them, each asks for its share of the columns that are packed next.
"""

from __future__ import annotations

from collections.abc import Sequence

from netwright.specs.dims import DimLike

from ..grouping.roles import ContractionPart
from ..reading.indices import Indices
from ..reading.reader import Reader


def fetch_block(
    reader: Reader,
    part: ContractionPart,
    sizes: Sequence[int],
    at: Indices,
    axis: int,
    steps: int,
    j: DimLike,
    width: int,
) -> None:
    """Emits the prefetches of a tile of ``width`` columns that begins at ``j``: its share of what a block of ``steps``
    along the ``axis`` of the sum reads, the first term of which is ``at``, and the block before it does not. ``sizes``:
    those of the result."""
    columns = sizes[-1]
    last = (*(size - 1 for size in sizes[:-1]), 0)
    following = (*at[:axis], at[axis] + 1, *at[axis + 1 :])
    pairs = zip(part.factors(last, at), part.factors(last, following), strict=True)
    for (position, index), (_, moved) in pairs:
        operand = part.operands[position]
        here, there = reader.memory(operand, index), reader.memory(operand, moved)
        if here is None or there is None:
            continue
        (place, base, _), (_, after, _) = here, there
        step = place.apart(base, after)
        if not isinstance(step, int):
            continue
        each = -(-steps * step // columns)
        line = place.line
        buffer = reader.parameter(place, "read")
        with reader.b.loop("p", 0, -(-each * width // line)) as p:
            reader.b.prefetch(buffer, (*base[:-1], base[-1] + j * each + p * line))


def fetch_vectors(
    reader: Reader, part: ContractionPart, factor: int, index: Indices, at: Indices, steps: int, width: int
) -> None:
    """Emits the prefetches of ``width`` columns from ``index`` on of an operand in ``steps`` terms along the last axis
    of the sum, the first of which is ``at``."""
    with reader.b.loop("p", 0, steps) as p:
        memory = reader.factor(part, factor, index, (*at[:-1], at[-1] + p))
        if memory is not None:
            place, base = memory
            for column in range(0, width, place.line):
                reader.b.prefetch(reader.parameter(place, "read"), (*base[:-1], base[-1] + column))


def fetch_rows(
    reader: Reader, part: ContractionPart, factor: int, at: Indices, steps: int, tile: DimLike, tiles: int
) -> None:
    """Emits the prefetches of the ``tile``-th of ``tiles``: its share of all rows of an operand in ``steps`` terms
    along the last axis of the sum, the first of which is ``at``. They lie together in memory."""
    lowest = at if part.order != "descending" else (*at[:-1], at[-1] + steps - 1)
    memory = reader.factor(part, factor, (0,) * part.node.types[0].rank, lowest)
    if memory is None:
        return
    place, base = memory
    row, line = place.type.shape[-1], place.line
    if not isinstance(row, int):
        return
    lines = -(-(steps * row // line + 1) // tiles)
    for number in range(lines):
        reader.b.prefetch(
            reader.parameter(place, "read"), (*base[:-1], base[-1] + tile * (lines * line) + number * line)
        )
