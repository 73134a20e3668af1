"""Cuts a group's iteration space into register tiles.

The choice follows from counting registers: a tile of R rows × V vectors with A accumulators per cell should leave
some vector registers for its operands, load V vectors for every R broadcasts, and waste no lanes on narrow axes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import gcd, prod
from typing import TypeAlias

import numpy as np

from netwright.specs.dims import DimLike, Shape, dim_symbols, product, typical

from ...graph.node import Value
from ...machine import Machine
from ...plans.cuts import Left, is_at_once
from ...plans.shapes import power_of_two, step_cost
from ..grouping.groups import Group
from ..grouping.roles import ContractionPart, Roles
from .choices import TileRoom, signature
from .even_rows import even_tile, is_long_batch
from .loop_order import SEVERAL, Operands, column_depth, leaves_cache, operands_of, rows_outermost
from .rows import Rows
from .size import MOST_ROWS, open_rows
from .sliding import sliding_taps
from .sum_steps import terms_in_order

#: A vector of a tile's columns: its distance from the first one, and how many of its lanes exist (None: all).
Column: TypeAlias = tuple[int, DimLike | None]

#: Most rows of a tile along an open axis.
OPEN_ROWS = 8
#: Vectors of a tile along an open axis.
OPEN_VECTORS = 2


@dataclass(frozen=True)
class Tiling:
    """A register tile: ``rows`` along ``row_axis`` by ``vectors`` of ``lanes`` elements.

    Lanes run along the last axis, or along the innermost reduction axis if ``inner``. No tile crosses a multiple of
    ``segment`` on the last axis. If ``lane_axis`` is given, lanes run along that axis instead, and rows along the
    last one (see ``transposed``). A tile with all of ``row_axis`` may have ``bands`` indices of the axis before, too,
    and so may one across rows.
    ``column_depth`` loops over whole axes stand outside of the loop over column tiles (None: all of them, see
    ``loop_order``). What is ``left`` of open rows is cut as ``rows`` says. A whole tile of contractions has
    ``accumulators``, ``cells`` of them per result, and ``steps`` of its sum at once (None: see ``sum_steps``). With
    ``prefetch``, weights may be fetched ahead; ``tuned``: it was measured. With ``together``, what lanes along a sum
    add up to is one vector for each row (see ``lane_sums``); if the sum ``slides``, its steps have all taps of a
    filter's row (see ``sliding``). Sums that are held in memory add ``terms`` of all columns at a time (None: they are
    complete before the next columns', see ``ordered_sums``).
    """

    lanes: int
    vectors: int = 1
    rows: int = 1
    row_axis: int | None = None
    inner: bool = False
    parallel_axis: int | None = None
    segment: int | None = None
    lane_axis: int | None = None
    column_depth: int | None = None
    left: Left = "halves"
    rows_outermost: bool = False
    accumulators: int = 0
    cells: int = 1
    steps: int | None = None
    prefetch: bool = True
    tuned: bool = False
    bands: int = 1
    together: bool = False
    slides: bool = False
    terms: int | None = None

    @property
    def band_axis(self) -> int | None:
        """The axis of the bands, if there are several."""
        behind = self.row_axis if self.lane_axis is None else self.lane_axis
        return None if behind is None or self.bands == 1 else behind - 1

    def larger(self, own: Rows) -> Fraction:
        """How many times as large as a tile of ``own`` rows the tile is that its sums have the order of."""
        return Fraction(self.rows if is_at_once(self.left) and not own.alone else own.number, own.number)

    @property
    def columns_per_vector(self) -> int:
        return 1 if self.inner else self.lanes

    @property
    def tile(self) -> str:
        """The tile in words: `6 rows × 2 vectors of 16`."""
        if self.lanes == 1:
            return "scalars" if self.rows == 1 else f"{self.rows} rows of scalars"
        where = " along the sum" if self.inner else "" if self.lane_axis is None else " across rows"
        vectors = f"{self.vectors} vector{'s' * (self.vectors > 1)} of {self.lanes}{where}"
        rows = f"{self.bands}·{self.rows}" if self.bands > 1 else f"{self.rows}"
        return vectors if rows == "1" else f"{rows} rows × {vectors}"

    def __str__(self) -> str:
        """The tile, and where the loop over columns is if it is not inside of all whole axes."""
        tile = self.tile
        if self.terms is not None:
            return f"{tile}, {self.terms} term{'s' * (self.terms > 1)} at a time"
        if self.lanes == 1 or (self.column_depth is None and not self.rows_outermost):
            return tile
        if self.rows_outermost:
            return f"{tile}, rows outermost"
        return f"{tile}, " + ("columns outermost" if self.column_depth == 0 else "columns outside of rows")


def choose_tilings(
    roles: Roles, group: Group, space: Shape, values: Sequence[Value], machine: Machine
) -> Iterator[Tiling]:
    """Tilings of ``space``, best first; the last one is scalar and fits whatever the group accesses."""
    dtype = _widest(group, [roles.type(value).dtype for value in values])
    native = machine.lanes(dtype)
    contractions = group.contractions()
    segment = _segment(contractions)
    columns = segment or (space[-1] if space else 1)
    parallel = parallel_axis(space)
    wide = _wide(space, columns, contractions, group, native, parallel, machine, segment)
    if not contractions:
        transposed = list(_transposed(space, native, parallel))
        if isinstance(columns, int) and machine.is_narrow(columns, dtype):
            yield from transposed[:1]
        if wide.lanes > 1:
            yield wide
        yield from transposed
    elif any(part.op.multiplies_bytes for part in contractions):
        if wide.lanes > 1 or wide.rows > 1 or wide.vectors > 1:
            yield wide
    else:
        order = contractions[0].order  # of all: a group shares the loops over what is summed
        extents = [part.extents[-1:] for part in contractions]
        long = all(e and (not isinstance(e[0], int) or 2 * e[0] >= native) for e in extents)
        deep = _deep(space, columns, contractions, native, parallel, machine)
        narrow = isinstance(columns, int) and columns < min(native, 8)
        # Lanes along the reduction sum every so many terms: not one after the other, but in a fixed order as long as
        # the choice of the tiling does not depend on the number of rows, as that of lanes across few rows does.
        stepwise = order not in ("any", "fixed")
        any_rows = len(space) > 1 and not isinstance(space[-2], int)
        if segment is None and (order != "fixed" or any_rows):
            yield from _crosswise(space, contractions, group, dtype, parallel, machine)
        if narrow and long and not stepwise:
            yield deep
            yield wide
        else:
            yield wide
            if all(extents) and not stepwise:
                yield deep
    yield Tiling(1, parallel_axis=parallel, segment=segment)


def _wide(
    space: Shape,
    columns: DimLike,
    contractions: Sequence[ContractionPart],
    group: Group,
    native: int,
    parallel: int | None,
    machine: Machine,
    segment: int | None,
) -> Tiling:
    """Lanes along the last axis."""
    lanes = native if not isinstance(columns, int) else min(native, power_of_two(columns))
    if not contractions:
        return Tiling(lanes, parallel_axis=parallel, segment=segment)
    cells = _window_cells(group)
    per_cell = len(contractions) * cells
    blocks = -(-columns // lanes) if isinstance(columns, int) else 1
    row_axis = _row_axis(space) if any(map(_is_product, contractions)) else None
    most = machine.vector_registers // (8 if row_axis is not None else 4)
    vectors = max(1, min(blocks, most, machine.vector_registers // 4 // per_cell))
    if row_axis is None:
        terms = (
            None if cells > 1 or segment else terms_in_order(space, contractions, lanes * vectors, machine)
        )
        if terms is not None:
            vectors = max(1, min(blocks, most, machine.vector_registers // 2 // per_cell))
        return Tiling(lanes, vectors, parallel_axis=parallel, segment=segment, terms=terms)
    extent, operands = space[row_axis], operands_of(space, contractions)
    own = Tiling(lanes, row_axis=row_axis, segment=segment, cells=cells)
    name = signature(group, space, contractions) if machine.tuning.tiles else ""
    tuned = machine.tuning.tile(name)
    room, bands = tile_room(space, own, contractions, machine), 1
    if isinstance(extent, int):
        rows, vectors, bands = room.banded(_bands(space, row_axis, contractions), operands.shared)
    if tuned is not None:
        room.check(tuned, name)
        bands = bands if (tuned.rows, tuned.vectors) == (extent, vectors) else 1
        rows, vectors, depth = tuned.rows, tuned.vectors, tuned.depth
        own = replace(own, steps=tuned.steps, prefetch=tuned.prefetch, tuned=True)
    else:
        if not isinstance(extent, int):
            rows, vectors = _open_tile(extent, vectors, blocks, len(contractions), cells, operands, machine)
        depth = column_depth(space, row_axis, operands, lanes * vectors, machine)
    left: Left = "halves" if operands.shared > machine.l1_bytes else "ones"
    outermost = depth is None and rows_outermost(space, row_axis, operands, lanes * vectors, machine)
    if outermost:
        parallel = row_axis
    elif depth == 0 or _columns_first(space, row_axis, lanes * vectors):
        parallel = len(space) - 1
    elif tuned is None and depth is None and is_long_batch(extent, _products(space, row_axis, contractions)):
        rows, vectors = even_tile(rows, vectors, blocks, len(contractions), cells, machine)
    return replace(
        own,
        vectors=vectors,
        rows=rows,
        parallel_axis=parallel,
        column_depth=depth,
        left=left,
        rows_outermost=outermost,
        accumulators=bands * rows * vectors * per_cell,
        bands=bands,
    )


def _products(space: Shape, row_axis: int, contractions: Sequence[ContractionPart]) -> DimLike:
    """How many numbers are multiplied per index along the rows."""
    others = product(size for axis, size in enumerate(space) if axis != row_axis)
    return others * sum(typical(product(part.extents)) for part in contractions)


def _open_tile(
    extent: DimLike,
    vectors: int,
    blocks: int,
    products: int,
    cells: int,
    operands: Operands,
    machine: Machine,
) -> tuple[int, int]:
    """Rows and vectors of a tile along an open axis, of up to so many ``vectors``. Where weights leave the L2 cache,
    fewer vectors for more rows may be better: every tile of rows reads the weights again."""
    sizes = [
        (_rows(extent, open_rows(width, products, cells, machine)), width) for width in range(vectors, 0, -1)
    ]
    if not leaves_cache(operands, machine):
        return sizes[0]
    return min(sizes, key=lambda size: step_cost(SEVERAL, blocks, *size, products, cells, machine))


def _bands(space: Shape, row_axis: int, contractions: Sequence[ContractionPart]) -> DimLike:
    """How many indices the axis before the rows has, if all read the same columns of operands; 1 else."""
    names = {f"axis{axis}" for axis in (row_axis - 1, len(space) - 1)}
    for part in contractions:
        for _, at in part.general_factors():
            if names <= {name for i in at for name in dim_symbols(i)}:
                return 1
    return space[row_axis - 1] if row_axis else 1


def tile_room(
    space: Shape, tiling: Tiling, contractions: Sequence[ContractionPart], machine: Machine
) -> TileRoom:
    """What tiles of other sizes than ``tiling``'s, with lanes and rows along the same axes, have to fit into."""
    assert tiling.row_axis is not None
    # Elsewhere broadcasts are instructions of their own, and the few tiles that slide have too few accumulators.
    taps = sliding_taps(contractions, tiling.row_axis, machine) if machine.broadcast_operand else 1
    columns, lanes = tiling.segment or space[-1], tiling.lanes
    extents = contractions[0].extents
    return TileRoom(
        space[tiling.row_axis],
        -(-columns // lanes) if isinstance(columns, int) else columns // lanes,
        machine.vector_registers // 8,  # rows share the vectors of an operand: fewer leave room for more rows
        len(contractions),
        tiling.cells,
        len(space) - 2,
        extents[-1] if extents else 1,
        machine,
        taps,
    )


def _columns_first(space: Shape, row_axis: int, width: int) -> bool:
    """Whether the loop over column tiles is the outermost, and threads can divide it and the one over rows evenly."""
    columns = space[-1]
    static = all(isinstance(size, int) for size in space)
    first = all(size == 1 for axis, size in enumerate(space[:-1]) if axis != row_axis)
    return static and first and isinstance(columns, int) and columns % width == 0 and columns > width


def _transposed(space: Shape, native: int, parallel: int | None) -> Iterator[Tiling]:
    """Lanes along each other axis with more than one element, the last of them first."""
    columns = space[-1] if space else 1
    for axis in range(len(space) - 2, -1, -1):
        if space[axis] != 1:
            rows = min(native, columns) if isinstance(columns, int) else native
            yield Tiling(native, 1, rows, parallel_axis=parallel, lane_axis=axis)


def _crosswise(
    space: Shape,
    contractions: Sequence[ContractionPart],
    group: Group,
    dtype: str,
    parallel: int | None,
    machine: Machine,
) -> Iterator[Tiling]:
    """Lanes along the second-last axis where the last one is narrow: a tile has all of the last axis as its rows."""
    if len(space) < 2 or not any(map(_is_product, contractions)):
        return
    cells, columns = space[-2:]
    lanes = machine.lanes(dtype)
    pooled = _window_cells(group) > 1
    if not isinstance(columns, int) or not machine.prefers_cells(columns, cells, dtype, pooled):
        return
    blocks = -(-cells // lanes) if isinstance(cells, int) else OPEN_VECTORS
    per_vector = columns * len(contractions) * _window_cells(group)
    most = max(1, machine.accumulators // per_vector)
    tiles = -(-blocks // most)
    vectors = -(-blocks // tiles)
    bands = _bands_across(space, vectors * per_vector, machine)
    yield Tiling(lanes, vectors, columns, parallel_axis=parallel, lane_axis=len(space) - 2, bands=bands)


def _bands_across(space: Shape, accumulators: int, machine: Machine) -> int:
    """How many bands of cells a tile across rows has: as many as hide the latency of its multiply-adds, if they divide
    the axis before the cells. They share broadcasts of weights, too."""
    bands = space[-3] if len(space) > 2 else 1
    if not isinstance(bands, int):
        return 1
    for number in range(1, bands + 1):
        if number * accumulators > machine.accumulators:
            break
        if bands % number == 0 and number * accumulators >= machine.partial_sums:
            return number
    return 1


def _deep(
    space: Shape,
    columns: DimLike,
    contractions: Sequence[ContractionPart],
    native: int,
    parallel: int | None,
    machine: Machine,
) -> Tiling:
    """Lanes along the innermost reduction axis."""
    # Both operands are vectors here, so they take half of the registers.
    budget = max(1, machine.vector_registers // 2 // len(contractions))
    vectors = min(4, budget, columns) if isinstance(columns, int) else 1
    two = any(map(_is_product, contractions))
    row_axis = _row_axis(space) if two else None
    if row_axis is None:
        return Tiling(native, vectors, inner=True, parallel_axis=parallel)
    rows = _rows(space[row_axis], max(1, min(4, budget // vectors)))
    return Tiling(native, vectors, rows, row_axis, True, parallel)


def _window_cells(group: Group) -> int:
    """How many elements of a contraction's result one element of the group's result needs."""
    return prod(extent for part in group.windows() for extent in part.window)


def _rows(extent: DimLike, most: int) -> int:
    most = min(most, MOST_ROWS)
    if not isinstance(extent, int):
        return min(most, OPEN_ROWS)
    tiles = -(-extent // most)
    return -(-extent // tiles)


def _row_axis(space: Shape) -> int | None:
    """The last axis with more than one element, except the axis of the lanes."""
    for axis in range(len(space) - 2, -1, -1):
        if space[axis] != 1:
            return axis
    return None


def parallel_axis(space: Shape) -> int | None:
    """The first open axis, or else the first with more than one index."""
    for axis, size in enumerate(space):
        if not isinstance(size, int):
            return axis
    return next((axis for axis, size in enumerate(space) if size != 1), None)


def _segment(contractions: Sequence[ContractionPart]) -> int | None:
    """The length of stretches of the last axis on which the indices of all contractions are affine; None without
    limit."""
    return gcd(*(part.op.segment(part.node.attrs, part.types) or 0 for part in contractions)) or None


def _is_product(part: ContractionPart) -> bool:
    return part.role == "product"


def _widest(group: Group, stored: Sequence[str]) -> str:
    """The widest float dtype that the group computes with or, if there is none, the widest that it stores."""
    types = dict.fromkeys([*stored, *(type.dtype for part in group.members for type in part.node.types)])
    floats = [name for name in types if np.dtype(name).kind == "f"]
    return max(floats or [stored[0], "float32"], key=lambda name: np.dtype(name).itemsize)
