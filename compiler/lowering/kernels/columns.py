"""Loops over the column tiles of a kernel."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

from netwright.specs.dims import DimLike

from ...loop.builder import Builder
from ..tiles.rows import span
from ..tiles.tiling import Column, Tiling
from ..tiles.turning import turned

#: Column tiles: a context that yields the first column, and what their vectors are if they begin there.
Columns = tuple[Callable[[], Any], Callable[[DimLike], Sequence[Column]]]


def column_tiles(
    b: Builder, tiling: Tiling, extent: DimLike, kind: Any, turn: str | None = None
) -> Iterator[Columns]:
    """The tiles of ``extent`` columns: whole ones, and one of what is left. ``turn``: the dim that tells the direction
    of the loop over whole ones, if one does (see ``turning``)."""
    lanes = tiling.columns_per_vector
    width = lanes * tiling.vectors
    whole = (extent // width) * width
    if whole != 0:
        offsets = [(v * lanes, None) for v in range(tiling.vectors)]
        yield _blocks(b, extent // width, width, kind, 0, turn), lambda j: offsets
    rest = extent - whole
    if isinstance(rest, int):
        if rest:
            tail = [(offset, rest - offset) for offset in range(0, rest, lanes)]
            yield _blocks(b, 1, rest, kind, whole, turn), lambda j: tail
    else:
        yield span(b, "j", whole, extent, lanes, kind), lambda j: [(0, extent - j)]


def _blocks(
    b: Builder, number: DimLike, width: int, kind: Any, first: DimLike, turn: str | None
) -> Callable[[], Any]:
    """A loop from ``first`` on, whose index is syntactically a multiple of ``width`` after that, so that indices into
    panels of that width are affine."""
    if number == 1 and kind != "parallel":
        return lambda: nullcontext(first)

    @contextmanager
    def blocks() -> Iterator[DimLike]:
        with b.loop("j", 0, number, kind=kind) as j:
            yield first + (j if turn is None else turned(j, number, turn)) * width

    return blocks
