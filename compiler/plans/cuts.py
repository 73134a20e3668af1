"""In which tiles a number of rows is cut."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Literal, TypeAlias

#: How an open number of rows that is left is cut: into smaller and smaller tiles, one by one, or at once; or at once
#: and with a tile of its own for one row that is all there is.
Left: TypeAlias = Literal["halves", "ones", "once", "once or alone"]
#: The most rows of a tile for what is left at once.
ONCE = 4
#: The rows of tiles beside which there are some of one row fewer, where what is left is cut at once.
MIXED = (5, 6)


def is_at_once(left: Left | None) -> bool:
    """Whether the rows that are left are one tile, with sums in the order of those of whole tiles."""
    return left in ("once", "once or alone")


def halved(rows: int) -> int:
    """The rows of the next tile for what tiles of ``rows`` leave: a power of two, at most half as many."""
    return 1 << (rows // 2).bit_length() - 1


def cut(number: int, rows: int, left: Left | None) -> Mapping[int, int]:
    """How many tiles of which numbers of rows ``number`` rows are cut into, where whole tiles have ``rows`` (see
    ``lowering.rows``, which writes loops that do so). ``left`` is None for a number that the code knows: what is left
    of it is one tile."""
    if left is None:
        return {size: count for size, count in ((rows, number // rows), (number % rows, 1)) if size and count}
    first, count = rows, number // rows
    if is_at_once(left) and rows in MIXED:
        count = max(0, number - (rows - 1) * -(-number // rows))
        rows -= 1
    tiles = Counter({first: count})
    rest = number - first * count
    if is_at_once(left):
        sizes = [rows if first in MIXED else min(rows, ONCE)]
    else:
        size, sizes = rows if left == "halves" else 2, list[int]()
        while size > 1:
            sizes.append(size := halved(size))
    for size in sizes:
        tiles[size] += rest // size
        rest %= size
    tiles[rest] += 1
    return {size: count for size, count in tiles.items() if size and count}
