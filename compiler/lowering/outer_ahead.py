"""Brings the operands of a sum's next block into the cache while the present one is added.

A tile of some columns reads a piece of each row of its operands, and where a single tile has all rows, the tiles after
it read the rest. No processor fetches such pieces ahead from memory; but a block's operands lie together there, mostly
from one end to the other, so each tile asks for its share of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from netwright.specs.dims import DimLike, product

from .indices import Indices
from .reader import Reader
from .roles import ContractionPart

#: Bytes that one prefetch brings.
LINE = 64


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
        shape = [size for size in place.type.shape if size != 1]
        step = sum(
            ((b - a) * product(shape[k + 1 :]) for k, (a, b) in enumerate(zip(base, after, strict=True))),
            start=0,
        )
        if not isinstance(step, int):
            continue
        itemsize = np.dtype(place.type.dtype).itemsize
        each = -(-steps * step // columns)
        line = LINE // itemsize
        buffer = reader.parameter(place, "read")
        with reader.b.loop("p", 0, -(-each * width // line)) as p:
            reader.b.prefetch(buffer, (*base[:-1], base[-1] + j * each + p * line))


def fetch_vectors(
    reader: Reader, part: ContractionPart, factor: int, index: Indices, at: Indices, axis: int, steps: int, width: int
) -> None:
    """Emits the prefetches of ``width`` columns from ``index`` on of the operand ``factor``, in ``steps`` terms along the
    ``axis`` of the sum, the first of which is ``at``."""
    with reader.b.loop("p", 0, steps) as p:
        term = (*at[:axis], at[axis] + p, *at[axis + 1 :])
        if part.order == "descending":
            term = tuple(extent - 1 - k for extent, k in zip(part.extents, term, strict=True))
        position, where = part.factors(index, term)[factor]
        memory = reader.memory(part.operands[position], reader.settled(where))
        if memory is None:
            return
        place, base, _ = memory
        buffer = reader.parameter(place, "read")
        for line in range(0, width, LINE // np.dtype(place.type.dtype).itemsize):
            reader.b.prefetch(buffer, (*base[:-1], base[-1] + line))
