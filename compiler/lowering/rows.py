"""Cuts an axis into rows of tiles.

An open number of rows seldom fills whole tiles. What is left is cut into smaller tiles: a row alone reads as much of
the other operand as a tile does, and leaves most of the registers empty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Literal, TypeAlias

from netwright.specs.dims import DimLike

from ..loop.builder import Builder

Kind: TypeAlias = Literal["serial", "parallel", "unrolled"]
#: A context that yields the first row, around tiles of so many rows.
Rows: TypeAlias = tuple[Callable[[], AbstractContextManager[DimLike]], int]


def row_tiles(b: Builder, extent: DimLike, rows: int, kind: Kind, halves: bool = True) -> Iterator[Rows]:
    """Tiles of ``rows`` over an axis, and then what is left of it, an open number of rows in smaller and smaller tiles
    or, without ``halves``, one by one."""
    whole = (extent // rows) * rows
    rest = extent - whole
    if kind == "parallel" and rest != 0:
        yield from _divided(b, extent, rows, rest, halves)
        return
    yield span(b, "i", 0, whole, rows, kind), rows
    if not isinstance(rest, int):
        yield from _left(b, whole, extent, rows if halves else 2)
    elif rest:
        yield span(b, "i", whole, extent, rest, kind), rest


def _divided(b: Builder, extent: DimLike, rows: int, rest: DimLike, halves: bool) -> Iterator[Rows]:
    """Tiles of a single loop, whose last iteration takes the remaining rows.

    With a second loop for the remaining rows, threads would divide each loop separately, and one thread might get
    more of both.
    """
    with b.loop("i", 0, extent, rows, "parallel") as first:
        with b.when(extent - rows - first):
            yield lambda: nullcontext(first), rows
        with b.otherwise():
            if isinstance(rest, int):
                yield lambda: nullcontext(first), rest
            else:
                yield from _left(b, first, extent, rows if halves else 2)


def _left(b: Builder, first: DimLike, stop: DimLike, rows: int) -> Iterator[Rows]:
    """Tiles of fewer than ``rows``: powers of two, each at most half of the one before, since all of them are code."""
    begin = first
    while rows > 1:
        rows = 1 << (rows // 2).bit_length() - 1
        yield span(b, "i", begin, stop - rows + 1, rows, "serial"), rows
        begin = first + (stop - first) // rows * rows


def span(
    b: Builder, stem: str, start: DimLike, stop: DimLike, step: int, kind: Kind
) -> Callable[[], AbstractContextManager[DimLike]]:
    """A loop, or the first index alone if there is a single iteration that threads need not divide."""
    if stop - start == step and kind != "parallel":
        return lambda: nullcontext(start)
    return lambda: b.loop(stem, start, stop, step, kind)
