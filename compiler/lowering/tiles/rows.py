"""Cuts an axis into rows of tiles.

An open number of rows seldom fills whole tiles. What is left is cut into smaller tiles: a row alone reads as much of
the other operand as a tile does, and leaves most of the registers empty. In loops over steps, which threads divide by
samples, up to three rows that are left are one tile: a tile of one row takes as long, since each multiply-add waits for
the one before. For the same reason some tiles of five or six rows get one row fewer where that leaves no rows. (LSTM-64
predicts eight sequences in 0.66 ms with two tiles of four, in 0.68 with five and three rows, in 0.79 with five, two and
one. LSTM-128 trains 32 sequences in 0.97 of the time with two tiles of six and four of five rather than five of six and
one of two.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Literal, NamedTuple, TypeAlias

from netwright.specs.dims import DimLike, ceil_div, dim_max

from ...loop.builder import Builder
from ...plans.cuts import MIXED, ONCE, Left, halved, is_at_once

Kind: TypeAlias = Literal["serial", "parallel", "unrolled"]


class Rows(NamedTuple):
    """``begin`` is a context that yields the first row, around tiles of ``number`` rows; ``alone``: there is only one
    row."""

    begin: Callable[[], AbstractContextManager[DimLike]]
    number: int
    alone: bool = False


#: Where there are no rows to be cut.
ROW = Rows(lambda: nullcontext(0), 1)


def row_tiles(b: Builder, extent: DimLike, rows: int, kind: Kind, left: Left = "halves") -> Iterator[Rows]:
    """Tiles of ``rows`` over an axis, and then what is left of it (``plans.cuts`` counts them)."""
    whole = (extent // rows) * rows
    rest = extent - whole
    once = is_at_once(left) and not isinstance(rest, int)
    if once and rows in MIXED:
        yield from _even(b, extent, rows, kind, left)
        return
    if (kind == "parallel" or once) and rest != 0:
        yield from _divided(b, extent, rows, rest, kind, left)
        return
    yield Rows(span(b, "i", 0, whole, rows, kind), rows)
    if not isinstance(rest, int):
        yield from _left(b, whole, extent, rows, left)
    elif rest:
        yield Rows(span(b, "i", whole, extent, rest, kind), rest)


def _even(b: Builder, extent: DimLike, rows: int, kind: Kind, left: Left) -> Iterator[Rows]:
    """Tiles of ``rows``, and then of one row fewer, as many of these as leave no other rows. Only of few rows (of
    five: 1, 2, 3, 6, 7 or 11) some are left, and only of one row one is."""
    fewer = rows - 1
    first = rows * dim_max(0, extent - fewer * ceil_div(extent, rows))
    yield Rows(span(b, "i", 0, first, rows, kind), rows)
    with b.loop("i", first, extent, fewer, kind) as i:
        with b.when(extent - fewer - i):
            yield Rows(lambda: nullcontext(i), fewer)
        with b.otherwise():
            yield from _once(b, i, extent, fewer - 1, left, others=False)


def _divided(b: Builder, extent: DimLike, rows: int, rest: DimLike, kind: Kind, left: Left) -> Iterator[Rows]:
    """Tiles of a single loop, whose last iteration takes the remaining rows.

    With a second loop for the remaining rows, threads would divide each loop separately, and one thread might get
    more of both.
    """
    with b.loop("i", 0, extent, rows, kind) as first:
        with b.when(extent - rows - first):
            yield Rows(lambda: nullcontext(first), rows)
        with b.otherwise():
            if isinstance(rest, int):
                yield Rows(lambda: nullcontext(first), rest)
            else:
                yield from _left(b, first, extent, rows, left)


def _left(b: Builder, first: DimLike, stop: DimLike, rows: int, left: Left) -> Iterator[Rows]:
    """Tiles of fewer than ``rows``."""
    if left == "ones":
        yield from _halves(b, first, stop, 2)
    elif left == "halves":
        yield from _halves(b, first, stop, rows)
    elif rows > ONCE:
        yield Rows(span(b, "i", first, stop - ONCE + 1, ONCE, "serial"), ONCE)
        yield from _once(b, first + (stop - first) // ONCE * ONCE, stop, ONCE - 1, left)
    else:
        yield from _once(b, first, stop, rows - 1, left)


def _halves(b: Builder, first: DimLike, stop: DimLike, rows: int) -> Iterator[Rows]:
    """Tiles of fewer than ``rows``: powers of two, each at most half of the one before, since all of them are code."""
    begin = first
    while rows > 1:
        rows = halved(rows)
        yield Rows(span(b, "i", begin, stop - rows + 1, rows, "serial"), rows)
        begin = first + (stop - first) // rows * rows


def _once(
    b: Builder, first: DimLike, stop: DimLike, most: int, left: Left, others: bool = True
) -> Iterator[Rows]:
    """A single tile of up to ``most`` rows, if any are left; ``others``: whether one may be left beside others."""
    if most == 1 and left == "once or alone":
        with b.when(1 - stop), b.when(stop - first - 1):
            yield Rows(lambda: nullcontext(first), 1, alone=True)
        if others:
            with b.otherwise():
                yield from _once(b, first, stop, 1, "once")
        return
    with b.when(stop - first - most):
        yield Rows(lambda: nullcontext(first), most)
    if most > 1:
        with b.otherwise():
            yield from _once(b, first, stop, most - 1, left, others)


def span(
    b: Builder, stem: str, start: DimLike, stop: DimLike, step: int, kind: Kind
) -> Callable[[], AbstractContextManager[DimLike]]:
    """A loop, or the first index alone if there is a single iteration that threads need not divide."""
    if stop - start == step and kind != "parallel":
        return lambda: nullcontext(start)
    return lambda: b.loop(stem, start, stop, step, kind)
