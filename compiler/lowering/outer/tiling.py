"""Chooses the tiles of products whose sums are long and whose results are few: the gradients of weights.

Such a product is a sum of outer products: for every cell of the data, a row of the data (and of its neighbours, for
each position of a filter) by a row of the cotangent. Each term of a tile of R rows by V vectors loads V vectors and
reads R scalars. The rows of a tile may span several axes: all positions of a filter, say, by a few channels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from netwright.specs.dims import DimLike, Shape, bounds, coefficient, dim_symbols, product, typical

from ...machine import Machine
from ...plans.outer import tile_costs, tile_lanes
from ..grouping.groups import Group
from ..grouping.roles import ContractionPart, Roles, ViewPart
from ..reading.places import LINE

#: Sums of fewer terms gain nothing.
LEAST_TERMS = 64
#: The fewest terms of a block that is fetched ahead: each loads and stores all sums.
LEAST_BLOCK = 40
#: The most tiles of rows that fetch packed columns ahead: where more read them, packing takes little of the time, and
#: the smaller blocks cost as much.
MOST_TILES = 32
#: The fewest tiles of rows that the columns of a single block are packed for: packing takes about as long as half a
#: tile.
LEAST_TILES = 8
#: The value assumed for an open size when memory traffic is compared.
TYPICAL = 32
#: So much longer may a kernel take whose tiles threads can divide than one with a single tile.
WORTH_DIVIDING = 1.15


@dataclass(frozen=True)
class OuterTiling:
    """A tile has ``rows`` indices of ``row_axis`` by all of the axes behind it, and ``vectors`` of ``lanes`` along the
    last axis. ``factor`` is the position of the operand that has the rows.

    Sums are cut into blocks: ``block`` steps of the reduction axis ``cut``, with all of the axes behind it and one
    step of those before. None: a tile is summed up at once. ``packs``: whether the vectors of a block are copied to
    where they are contiguous, for all rows to read. ``columns_outermost``: whether all blocks are added to a tile's
    columns before those of the next tile, or else a block to all columns before the next block. ``unrolls``: whether
    the body of an innermost loop may have several terms.

    ``finishes``: whether something is computed from the sums, or they have an order or a start. Such sums are held in
    memory until all blocks are added, those of ``held`` rows and columns at a time (None: all, see ``outer_held``).
    ``panels``: whether rows lie in panels as wide as a tile is high. ``fetches``: whether tiles ask for what the next
    block reads (see ``outer_ahead``).
    """

    lanes: int
    vectors: int
    row_axis: int
    rows: int
    factor: int
    cut: int | None = None
    block: int = 0
    packs: bool = False
    columns_outermost: bool = False
    finishes: bool = False
    held: tuple[int, int] | None = None
    unrolls: bool = True
    panels: bool = False
    fetches: bool = False

    def describe(self, space: Shape, extents: Shape) -> str:
        """The tile in words: `6 rows × 4 vectors of 16, in sums of 128 terms`."""
        behind = [size for size in space[self.row_axis + 1 : -1] if isinstance(size, int)]
        rows = "·".join(str(n) for n in (self.rows, *behind) if n != 1) or "1"
        tile = f"{rows} row{'s' * (rows != '1')} × {self.vectors} vector{'s' * (self.vectors > 1)} of {self.lanes}"
        if self.cut is None:
            return tile
        terms = self.block * product(extents[self.cut + 1 :])
        tile += f", in sums of {terms} terms" + (" from packed vectors" if self.packs else "")
        tile += ", fetched ahead" if self.fetches else ""
        return tile + (", columns outermost" if self.columns_outermost else "")


def outer_tiling(
    roles: Roles, group: Group, space: Shape, dims: Mapping[str, int], machine: Machine
) -> OuterTiling | None:
    """The tile of a group that is one sum of outer products, and what is computed from its elements; None if it is no
    such sum, or gains nothing."""
    part = _only_product(group)
    if part is None or len(space) < 2 or not all(isinstance(size, int) for size in space):
        return None
    terms = product(part.extents)
    if terms == 0 or (isinstance(terms, int) and terms < LEAST_TERMS):
        return None
    alone = len(group.members) == 1 and part.order == "any" and part.start is None
    if not alone and (len(space) > 2 or not _are_some(terms, dims)):
        return None
    *sizes, columns = (size for size in space if isinstance(size, int))
    dtype = part.node.types[0].dtype
    if machine.is_narrow(columns, dtype):
        return None
    factor = _row_factor(part, space)
    if factor is None:
        return None
    costs = tile_costs(tuple(sizes), columns, dtype, _moves(part, space, factor), machine)
    panels = {tile: cost for tile, cost in costs.items() if tile[1] == _stretch(roles, part, factor)}
    least = min(cycles for cycles, _ in costs.values())
    good = panels or {tile: cost for tile, cost in costs.items() if cost[0] <= least * WORTH_DIVIDING}
    axis, rows, vectors = min(good, key=lambda tile: (good[tile][1] == 1, *good[tile]))
    # Beside each other, terms of neighbouring cells share values that LLVM would keep in registers.
    unrolls = machine.broadcast_operand or axis == len(sizes) - 1
    lanes = tile_lanes(columns, dtype, machine)
    tiling = OuterTiling(lanes, vectors, axis, rows, factor, unrolls=unrolls, panels=bool(panels))
    tiling = _blocked(part, tiling, sizes, columns, machine, alone)
    return tiling if alone else _held(tiling, sizes[0], columns, np.dtype(dtype).itemsize, machine)


def _stretch(roles: Roles, part: ContractionPart, factor: int) -> int | None:
    """How wide the panels are in which the rows lie; None if they do not lie in panels."""
    position, _ = part.general_factors()[factor]
    view = roles.part(part.operands[position])
    return view.op.stretch(view.node.attrs) if isinstance(view, ViewPart) else None


def _only_product(group: Group) -> ContractionPart | None:
    match group.contractions():
        case [ContractionPart(role="product") as part] if not group.windows():
            fits = part.combine == "add" and not part.op.multiplies_bytes
            return part if fits and part.op.segment(part.node.attrs, part.types) is None else None
    return None


def _are_some(terms: DimLike, dims: Mapping[str, int]) -> bool:
    """Whether there is at least one term, whatever the dims."""
    least, _ = bounds(terms, {name: (low, None) for name, low in dims.items()})
    return least is not None and least >= 1


def _row_factor(part: ContractionPart, space: Shape) -> int | None:
    """The position of the operand that has the rows, in which rows are contiguous; the other one has the columns
    alone. None if the product is no sum of outer products."""
    rows = {f"axis{axis}" for axis, size in enumerate(space[:-1]) if size != 1}
    lane = f"axis{len(space) - 1}"
    factors = part.general_factors()
    read = [{name for i in at for name in dim_symbols(i)} & rows for _, at in factors]
    if not rows or sorted(map(len, read)) != [0, len(rows)]:
        return None
    own = 0 if read[0] else 1
    (position, at), (_, other) = factors[own], factors[1 - own]
    # Vectors are contiguous along the columns, and rows beside each other, where a forward product has its terms.
    last = [i for i, size in zip(at, part.types[position].shape, strict=True) if size != 1]
    if not last or not dim_symbols(last[-1]) & (rows | {lane}):
        return None
    return own if [coefficient(i, lane) for i in other] == [0] * (len(other) - 1) + [1] else None


def _moves(part: ContractionPart, space: Shape, factor: int) -> bool:
    """Whether the operand with the rows has the columns, too, as in a depthwise convolution: then it is loaded as
    vectors."""
    _, at = part.general_factors()[factor]
    return any(f"axis{len(space) - 1}" in dim_symbols(i) for i in at)


def _held(tiling: OuterTiling, rows: int, columns: int, itemsize: int, machine: Machine) -> OuterTiling:
    """The tiling with sums held in shares that stay in the second cache: each share's part of both operands is read
    once, so the shares are about as high as they are wide."""
    width = tiling.lanes * tiling.vectors
    tiles, panels = [-(-rows // tiling.rows), max(1, columns // width)]
    high, wide = tiles, panels
    down, across = 1, 1  # the number of shares
    while high * tiling.rows * wide * width * itemsize > machine.l2_bytes // 3 and high * wide > 1:
        if high == 1 or (wide > 1 and wide * width >= high * tiling.rows):
            across += 1
            wide = -(-panels // across)
        else:
            down += 1
            high = -(-tiles // down)
    if (high, wide) == (tiles, panels) and columns > 4 * rows and panels >= 4:
        # Threads that divide rows would each read all columns of the longer operand.
        wide = panels // 4 if panels % 4 == 0 else -(-panels // 2)
    held = None if (high, wide) == (tiles, panels) else (high * tiling.rows, wide * width)
    return replace(tiling, finishes=True, columns_outermost=False, held=held)


def _blocked(
    part: ContractionPart, tiling: OuterTiling, sizes: list[int], columns: int, machine: Machine, alone: bool
) -> OuterTiling:
    """The tiling with its sums cut into blocks whose vectors stay in the first cache, if several tiles read them.
    ``alone``: whether the sums are all that is computed."""
    width = tiling.lanes * tiling.vectors
    if tiling.rows == sizes[tiling.row_axis] and prod(sizes[: tiling.row_axis]) == 1:
        if columns <= width:
            return tiling
        if alone and machine.prefetch and _operand_bytes(part) > machine.l2_bytes:
            cut = _cut(part, tiling, max(LEAST_BLOCK, _terms_in(part, machine.l1_bytes * 2 // 3)))
            return replace(cut, fetches=cut.cut is not None)
        return _cut(part, tiling, max(LEAST_TERMS, _terms_in(part, machine.l2_bytes // 4)))
    itemsize = np.dtype(part.node.types[0].dtype).itemsize
    panel = machine.l1_bytes * 2 // 3
    cut = _cut(part, tiling, panel // (width * itemsize))
    if cut is tiling:
        return _packed_whole(part, tiling, sizes, columns, panel // itemsize) if alone else tiling
    made = replace(cut, packs=columns > width)
    tiles = -(-sizes[tiling.row_axis] // tiling.rows) * prod(sizes[: tiling.row_axis])
    if made.packs and tiles <= MOST_TILES and made.cut == len(part.extents) - 1 and _is_far(part, machine):
        # Each term of a tile has a line of the other operand, too; and what was fetched must not wait for long.
        fetched = _cut(part, tiling, panel // (width * itemsize + LINE))
        made = replace(fetched, packs=True, fetches=True)
    results = prod(sizes) * columns * itemsize
    inside = 1 if made.cut is None else typical(product(part.extents[made.cut + 1 :]), TYPICAL)
    blocks = -(-typical(product(part.extents), TYPICAL) // (made.block * inside))
    return replace(
        made, columns_outermost=_streams_rows(part, tiling, results, blocks, -(-columns // width), machine)
    )


def _packed_whole(
    part: ContractionPart, tiling: OuterTiling, sizes: list[int], columns: int, panel: int
) -> OuterTiling:
    """The tiling of a sum whose block has all terms: packed, if the first cache has no room for all of their columns,
    ``panel`` elements, and enough tiles of rows read what is packed."""
    tiles = -(-sizes[tiling.row_axis] // tiling.rows) * prod(sizes[: tiling.row_axis])
    samples, terms = part.extents[0], product(part.extents)
    if not isinstance(samples, int) or not isinstance(terms, int) or tiles < LEAST_TILES:
        return tiling
    if columns <= tiling.lanes * tiling.vectors or terms * columns <= panel:
        return tiling
    return replace(tiling, cut=0, block=samples, packs=True, columns_outermost=True)


def _terms_in(part: ContractionPart, nbytes: int) -> int:
    """How many terms a block has whose operands take ``nbytes`` with all of their columns: a tile of some columns reads
    a piece of each line of memory or of each few lines, and the next tile reads the rest."""
    return nbytes * typical(product(part.extents), TYPICAL) // max(1, _operand_bytes(part))


def _is_far(part: ContractionPart, machine: Machine) -> bool:
    """Whether operands can be fetched ahead and may be too large for the second cache: those of an open size may."""
    if not machine.prefetch:
        return False
    sizes = [part.types[position].nbytes for position, _ in part.general_factors()]
    return not all(isinstance(size, int) for size in sizes) or _operand_bytes(part) > machine.l2_bytes


def _operand_bytes(part: ContractionPart) -> int:
    return sum(typical(part.types[position].nbytes, TYPICAL) for position, _ in part.general_factors())


def _cut(part: ContractionPart, tiling: OuterTiling, most: int) -> OuterTiling:
    """The tiling with sums cut into blocks of at most ``most`` terms, if that is not all of them."""
    cut, inside = len(part.extents) - 1, 1
    while cut > 0:
        size = part.extents[cut]
        if not isinstance(size, int) or size * inside > most:
            break
        cut, inside = cut - 1, inside * size
    block = max(1, most // inside)
    size: DimLike = part.extents[cut]
    if isinstance(size, int):
        block = -(-size // -(-size // block))  # blocks of about one size
    if all(extent == 1 for extent in part.extents[:cut]) and size == block:
        return tiling
    return replace(tiling, cut=cut, block=block)


def _streams_rows(
    part: ContractionPart, tiling: OuterTiling, results: int, blocks: int, panels: int, machine: Machine
) -> bool:
    """Whether to read the operand with the rows again for each of ``panels`` rather than ``results`` bytes of sums for
    each of ``blocks``, as far as they do not stay in the second cache."""
    position, _ = part.factors((0,) * part.node.types[0].rank, (0,) * len(part.extents))[tiling.factor]
    rows = typical(part.types[position].nbytes, TYPICAL)
    kept = machine.l2_bytes // 2
    return panels > 1 and results > kept and rows * (panels if rows > kept else 1) < 2 * blocks * results
