"""The kernel of a fusion group: loops over tiles, accumulators in registers, then the epilogue.

One generator serves everything that is fused. The iteration space is cut into tiles of R rows (along one axis) by V
vectors (along the last axis). For every cell of a tile the members are read on demand (``reader``); each contraction
met on the way gets an accumulator, which the reduction loops fill before the epilogue reads it. So one mechanism
covers a matmul with bias and activation, the four gates of an LSTM with its cell arithmetic, and a convolution
followed by an activation and a 2×2 pool (four accumulators per cell).

Lanes run along the last axis of the result ("outer") or, where operands are contiguous along the reduction instead,
along the innermost reduction axis ("inner"). Where neither works, lanes run along another axis (``transposed``), or
the kernel is scalar.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

from netwright.specs.dims import DimLike, Shape, ceil_div, dim, product, substitute

from ...graph.node import Value
from ...loop import ir
from ...loop.checks.verify import verify_function
from ...loop.intrinsics.builder import LANE, KernelBuilder
from ...loop.leading import fixed_indices, without_leading
from ...loop.typing import VerifyError
from ...machine import Machine
from ...plans.cuts import Left
from ..grouping.flat import is_flat
from ..grouping.groups import Group
from ..grouping.roles import Roles
from ..outer.parts import Parts
from ..outer.products import outer_products
from ..reading.apart import divided_axes
from ..reading.epilogue import finish
from ..reading.indices import Indices
from ..reading.memory import CLOSE, CLOSE_STEPS, NotVectorizable
from ..reading.places import Place, Target
from ..reading.reader import Reader
from ..tiles.ahead import Ahead, ahead
from ..tiles.plans import Planned, described, loop_axes, planned
from ..tiles.rows import ROW, Rows, row_tiles
from ..tiles.rows_ahead import RowsAhead, rows_ahead
from ..tiles.rows_in_loops import in_loops
from ..tiles.tiling import Column, Tiling, choose_tilings
from ..tiles.turning import following, may_turn
from .columns import column_tiles
from .contract import contract
from .lane_sums import Wanted, are_summed_together
from .ordered_sums import OrderedSums
from .pixels import over_pixels
from .transforms import Block, TransformTiles
from .transposed import TransposedTiles


@dataclass(frozen=True)
class Parameter:
    """What a buffer of a kernel stands for: the sub-place of ``place`` at the constant leading indices ``fixed``."""

    place: Place
    fixed: Indices = ()


@dataclass(frozen=True)
class Kernel:
    """A finished kernel, what its buffers stand for, in order, and how it is cut into tiles, in words. ``proved`` tells
    that the verifier has proved its accesses; ``planned`` is the plan of what it sums up, if it does."""

    function: ir.Function
    parameters: tuple[Parameter, ...]
    tiles: str = ""
    proved: bool = False
    planned: Planned | None = field(default=None, compare=False)
    turn: str | None = None

    @classmethod
    def over(cls, function: ir.Function, *places: Place) -> Kernel:
        """A kernel whose buffers stand for whole places."""
        return cls(function, tuple(map(Parameter, places)))

    @property
    def places(self) -> tuple[Place, ...]:
        """The places that its buffers stand for."""
        return tuple(parameter.place.at_all(parameter.fixed) for parameter in self.parameters)


@dataclass(frozen=True)
class Cell:
    """One vector of a tile (one element where lanes run along the reduction); ``count`` of its lanes exist (None, or
    more than there are: all)."""

    index: Indices
    count: DimLike | None


def build(
    roles: Roles,
    group: Group,
    place: Callable[[Value], Place],
    targets: Sequence[tuple[Value, Sequence[Target]]],
    dims: dict[str, int],
    machine: Machine,
    block: Block | None = None,
    turn: str | None = None,
    parts: Parts | None = None,
) -> Kernel:
    """The kernel that computes ``group`` and stores its ``targets``, with the first tiling that fits all accesses;
    of a transform's tiles only those of ``block``, if it is given. ``turn``: a dim of its own that
    may tell its direction (``turning``). With ``parts``, it stores the sums of these. Raises NotVectorizable if it
    cannot."""
    reader = Reader(KernelBuilder("kernel", dims), roles, group, place)
    if group.transform() is not None:
        transform = TransformTiles(reader, group, targets, machine, block)
        transform.emit()
        return _finished(
            reader, str(transform), described(roles, group, "transform", str(transform), machine)
        )
    tiles = outer_products(reader, group, targets, dims, machine, parts)
    if tiles is not None:
        return _finished(reader, tiles, described(roles, group, "outer products", tiles, machine))
    if parts is not None:
        raise NotVectorizable
    pixels = over_pixels(roles, group, place, targets, machine)
    if pixels is not None:
        roles, group, place, targets = pixels.roles, pixels.group, pixels.place, pixels.targets
    flat = is_flat(roles, group, targets)
    space = (product(group.space),) if flat else group.space
    tilings = choose_tilings(roles, group, space, [value for value, _ in targets], machine)
    if turn is not None:
        tilings = in_loops(tilings, space, group.contractions(), machine)
    for tiling in chain.from_iterable(_attempts(tiling, group) for tiling in tilings):
        own = turn if turn is not None and may_turn(space, tiling, group, machine) else None
        known = dims if own is None else {**dims, own: 0}
        reader = Reader(KernelBuilder("kernel", known), roles, group, place)
        reader.flat = space if flat else None
        reader.close = CLOSE_STEPS if tiling.inner else CLOSE
        try:
            kernel = _Attempt(reader, group, space, targets, tiling, machine, own).build()
        except NotVectorizable:
            continue
        if reader.moved_axes and kernel.function.dims:
            if not _is_proved(kernel.function):
                continue
            return replace(kernel, proved=True)
        return kernel
    raise AssertionError("one lane always fits")


def _attempts(tiling: Tiling, group: Group) -> Iterator[Tiling]:
    """The tiling, before which comes one that finishes several sums along lanes as a vector, if it has such sums."""
    sums = all(part.combine == "add" for part in group.contractions())
    if tiling.inner and sums and are_summed_together(tiling.vectors, tiling.lanes):
        yield replace(tiling, together=True)
    yield tiling


def _is_proved(function: ir.Function) -> bool:
    """Whether the verifier can prove all accesses in bounds.

    It may fail to where a buffer is seen with merged axes, or lanes run along another axis, and sizes are quotients,
    minima or maxima of dims.
    """
    try:
        verify_function(function)
    except VerifyError:
        return False
    return True


def _finished(reader: Reader, tiles: str, planned: Planned | None) -> Kernel:
    """The kernel that has been emitted, with its ``tiles`` in words."""
    return replace(_of_sub_buffers(reader.b.finish(), reader.places), tiles=tiles, planned=planned)


def _of_sub_buffers(function: ir.Function, places: Sequence[Place]) -> Kernel:
    """The kernel with each buffer that it only accesses at constant leading indices narrowed to the sub-buffer
    there."""
    fixed = fixed_indices(function)
    narrowed = without_leading(function, {name: len(indices) for name, indices in fixed.items()})
    parameters = [
        Parameter(place, tuple(fixed[buffer.name]))
        for buffer, place in zip(function.parameters, places, strict=True)
    ]
    return Kernel(narrowed, tuple(parameters))


class _Attempt:
    """An attempt to generate a group's kernel with one tiling. Raises NotVectorizable where an access does not fit
    it."""

    def __init__(
        self,
        reader: Reader,
        group: Group,
        space: Shape,
        targets: Sequence[tuple[Value, Sequence[Target]]],
        tiling: Tiling,
        machine: Machine,
        turn: str | None = None,
    ):
        self.reader, self.b = reader, reader.b
        self.group, self.space, self.targets = group, space, targets
        self.tiling, self.machine = tiling, machine
        self.planned = planned(reader.roles, group, space, tiling, machine)
        plan = self.planned and self.planned.plan
        self.order = plan.order if plan else loop_axes(space, tiling)
        self.fetches = plan is not None and plan.prefetch
        if plan is not None:
            self.tiling = replace(tiling, steps=plan.steps, slides=plan.slides)
        self.divided = divided_axes(space, tiling.parallel_axis, self._nested(), targets)
        self.turn = None if len(space) - 1 in self.divided else turn

    def build(self) -> Kernel:
        if self.tiling.lane_axis is not None:
            self.reader.moved_axes = True
            TransposedTiles(self.reader, self.space, self.targets, self.tiling, self.machine).emit()
        elif self.tiling.parallel_axis is None:
            with self.b.loop("one", 0, 1, kind="parallel"):  # nothing to divide: one thread runs the kernel
                self._loops(self.order, {}, (), ROW)
        else:
            self._loops(self.order, {}, (), ROW)
        return replace(_finished(self.reader, str(self.tiling), self.planned), turn=self.turn)

    def _nested(self) -> list[tuple[int, DimLike]]:
        """The loops that are perfectly nested, outermost first: each axis with its number of iterations.

        Loops over tiles are only listed where no axis is open: a batch gives enough iterations, and LLVM unrolls loops
        over tiles, which it can't where threads divide them.
        """
        space, tiling = self.space, self.tiling
        last = len(space) - 1
        static = all(isinstance(size, int) for size in space)
        loops: list[tuple[int, DimLike]] = []
        for axis in self.order:
            if axis != last and axis != tiling.row_axis:
                loops.append((axis, ceil_div(space[axis], tiling.bands if axis == tiling.band_axis else 1)))
                continue
            if tiling.segment is not None or not (
                static or (axis == last and tiling.column_depth is not None)
            ):
                break
            if axis == tiling.row_axis:
                loops.append((axis, ceil_div(space[axis], tiling.rows)))
                break
            width = tiling.columns_per_vector * tiling.vectors
            blocks = space[last] // width
            if blocks * width == space[last]:
                loops.append((last, blocks))
            elif blocks != 0:
                break  # the columns after whole blocks have a loop of their own
        return loops

    # -- loops over tiles ---------------------------------------------------------------------------------------

    def _loops(
        self, order: Sequence[int], index: dict[int, DimLike], columns: Sequence[Column], rows: Rows
    ) -> None:
        """Emits the loops over the axes of ``order``, outermost first, and a tile of ``rows`` by ``columns`` inside."""
        if not order:
            whole = rows.number == self.tiling.rows  # code for what is left should be short
            fetches = whole and self.fetches
            fetched = ahead(self.tiling, self.space, self.order, index, self.machine) if fetches else None
            if fetched is not None and self.turn is not None:
                fetched = replace(fetched, columns=following(fetched.columns, self.turn))
            self._tile(
                self._cells(index, columns, rows.number),
                rows,
                fetched,
                self._rows_ahead(index) if whole else None,
            )
            return
        axis, *inner = order
        if axis == len(self.space) - 1 and self.tiling.terms is not None:
            OrderedSums(self.reader, self.group, self.targets, self.tiling, self.machine).emit(index)
        elif axis == len(self.space) - 1:
            with self._segments() as (first, extent, kind):
                for start, own in column_tiles(self.b, self.tiling, extent, kind, self.turn):
                    with start() as j:
                        self._loops(inner, {**index, axis: first + j}, own(j), rows)
        elif axis == self.tiling.row_axis:
            # The columns after whole tiles are few, and need no further kinds of tiles.
            whole = all(count is None for _, count in columns)
            for own in self._rows(self.tiling.left if whole or self.tiling.left != "halves" else "ones"):
                with own.begin() as i:
                    self._loops(inner, {**index, axis: i}, columns, own)
        else:
            step, kind = self.tiling.bands if axis == self.tiling.band_axis else 1, self._kind(axis)
            if self.space[axis] == 1 or (self.space[axis] == step and kind == "serial"):
                # No loop: those around and inside may be parallel, and are nested.
                self._loops(inner, {**index, axis: 0}, columns, rows)
                return
            with self.b.loop("i", 0, self.space[axis], step, kind) as i:
                self._loops(inner, {**index, axis: i}, columns, rows)

    def _rows_ahead(self, index: Mapping[int, DimLike]) -> RowsAhead | None:
        """Which rows the tile at ``index`` fetches."""
        if self.planned is None or not self.planned.plan.fetches_rows:
            return None
        own, columns = self.group.contractions(), index[len(self.space) - 1]
        return rows_ahead(self.tiling, self.space, own, columns, self.machine)

    def _cells(self, index: Mapping[int, DimLike], columns: Sequence[Column], rows: int) -> list[Cell]:
        """The vectors of a tile that begins at ``index``, row by row."""
        start = tuple(index[axis] for axis in range(len(self.space)))
        if not start:
            return [Cell((), None)]
        *outer, first = start
        return [
            Cell(self._placed((*outer, first + offset), r, band), count)
            for band in range(self.tiling.bands)
            for r in range(rows)
            for offset, count in columns
        ]

    @contextmanager
    def _segments(self) -> Iterator[tuple[DimLike, DimLike, Any]]:
        """The segments of the last axis: (first index, extent, kind of the loops inside)."""
        last = len(self.space) - 1
        extent, kind, segment = self.space[last], self._kind(last), self.tiling.segment
        if segment is None:
            yield 0, extent, kind
        else:
            with self.b.loop("g", 0, extent // segment, kind=kind) as g:
                yield g * segment, segment, "serial"

    def _placed(self, index: Indices, r: int, band: int) -> Indices:
        """The index ``r`` rows and ``band`` bands below ``index``."""
        moved, own = list(index), self.tiling
        for axis, by in ((own.row_axis, r), (own.band_axis, band)):
            if axis is not None:
                moved[axis] = moved[axis] + by
        return tuple(moved)

    def _kind(self, axis: int) -> Any:
        return "parallel" if axis in self.divided else "serial"

    def _rows(self, left: Left) -> Iterator[Rows]:
        axis = self.tiling.row_axis
        if axis is None:
            yield ROW
        else:
            yield from row_tiles(self.b, self.space[axis], self.tiling.rows, self._kind(axis), left)

    # -- one tile -----------------------------------------------------------------------------------------------

    def _tile(
        self, cells: Sequence[Cell], own: Rows, ahead: Ahead | None, rows_ahead: RowsAhead | None
    ) -> None:
        reader, lanes = self.reader, self.tiling.lanes
        with reader.scope():
            moved = [self._lane_index(cell.index) for cell in cells]
            wanted: dict[tuple[int, Indices], DimLike | None] = {}
            for cell, index in zip(cells, moved, strict=True):
                if reader.flat is None:  # a flat group has no contractions
                    for id, at in reader.contractions([value for value, _ in self.targets], index):
                        wanted.setdefault((id, at), cell.count)
            rows = self._rows_together(cells) if self.tiling.together else []
            together = {key: of for index, width in rows for key, of in self._sums(index, width).items()}
            larger = self.tiling.larger(own)
            reader.accumulators = contract(
                reader, self.tiling, wanted, self.machine, ahead, together, larger, rows_ahead
            )
            if rows:
                for index, width in rows:
                    with reader.vector(width):
                        finish(reader, self.targets, index, None)
                return
            for cell, index in zip(cells, moved, strict=True):
                with reader.vector(1 if self.tiling.inner else lanes, cell.count):
                    finish(reader, self.targets, index, cell.count)

    def _rows_together(self, cells: Sequence[Cell]) -> list[tuple[Indices, int]]:
        """For each row of cells that are finished as a vector, the index of that, and its length; none if the row has
        another length than can be."""
        width = sum(cell.index[:-1] == cells[0].index[:-1] for cell in cells)
        if not are_summed_together(width, self.tiling.lanes):
            return []
        return [((*cell.index[:-1], cell.index[-1] + dim(LANE)), width) for cell in cells[::width]]

    def _sums(self, index: Indices, width: int) -> dict[Wanted, list[Wanted]]:
        """The contractions that a vector of cells needs, each with those of its cells."""
        values = [value for value, _ in self.targets]
        return {
            (id, at): [(id, tuple(substitute(i, {LANE: lane}) for i in at)) for lane in range(width)]
            for id, at in self.reader.contractions(values, index)
        }

    def _lane_index(self, index: Indices) -> Indices:
        if self.tiling.inner or self.tiling.lanes == 1:
            return index
        return (*index[:-1], index[-1] + dim(LANE))
