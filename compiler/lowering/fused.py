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

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from netwright.specs.dims import DimLike, Shape, ceil_div, dim, dim_min, product

from ..graph.node import Value
from ..loop import ir
from ..loop.intrinsics.builder import LANE, KernelBuilder
from ..loop.ir import Expr
from ..loop.leading import fixed_indices, without_leading
from ..loop.typing import VerifyError
from ..loop.verify import verify_function
from ..machine import Machine
from .apart import divided_axes
from .contract import contract
from .flat import is_flat
from .groups import Group
from .indices import Indices
from .outer import outer_products
from .places import Place, Target
from .reader import CLOSE, CLOSE_STEPS, NotVectorizable, Reader
from .roles import Roles
from .tiling import Tiling, choose_tilings
from .transposed import TransposedTiles


@dataclass(frozen=True)
class Parameter:
    """What a buffer of a kernel stands for: the sub-place of ``place`` at the constant leading indices ``fixed``."""

    place: Place
    fixed: Indices = ()


@dataclass(frozen=True)
class Kernel:
    """A finished kernel, what its buffers stand for, in order, and how it is cut into tiles, in words."""

    function: ir.Function
    parameters: tuple[Parameter, ...]
    tiles: str = ""

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
) -> Kernel:
    """The kernel that computes ``group`` and stores its ``targets``, with the first tiling that fits all accesses."""
    reader = Reader(KernelBuilder("kernel", dims), roles, group, place)
    tiles = outer_products(reader, group, targets, machine)
    if tiles is not None:
        return _finished(reader, tiles)
    flat = is_flat(roles, group, targets)
    space = (product(group.space),) if flat else group.space
    for tiling in choose_tilings(roles, group, space, [value for value, _ in targets], machine):
        reader = Reader(KernelBuilder("kernel", dims), roles, group, place)
        reader.flat = space if flat else None
        reader.close = CLOSE_STEPS if tiling.inner else CLOSE
        try:
            kernel = _Attempt(reader, space, targets, tiling, machine).build()
        except NotVectorizable:
            continue
        if reader.moved_axes and not _is_proved(kernel.function):
            continue
        return kernel
    raise AssertionError("one lane always fits")


def _is_proved(function: ir.Function) -> bool:
    """Whether the verifier can prove all accesses in bounds.

    It may fail to where a buffer is seen with merged axes, or lanes run along another axis, and sizes are quotients,
    minima or maxima of dims.
    """
    if not function.dims:
        return True
    try:
        verify_function(function)
    except VerifyError:
        return False
    return True


def _finished(reader: Reader, tiles: str) -> Kernel:
    """The kernel whose body has been emitted."""
    places = [place for _, place in reader.parameters.values()]
    return replace(_of_sub_buffers(reader.b.finish(), places), tiles=tiles)


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
        space: Shape,
        targets: Sequence[tuple[Value, Sequence[Target]]],
        tiling: Tiling,
        machine: Machine,
    ):
        self.reader, self.b = reader, reader.b
        self.space, self.targets, self.tiling, self.machine = space, targets, tiling, machine
        self.divided = divided_axes(space, tiling.parallel_axis, self._nested(), targets)

    def build(self) -> Kernel:
        if self.tiling.lane_axis is not None:
            self.reader.moved_axes = True
            TransposedTiles(self.reader, self.space, self.targets, self.tiling, self.machine).emit()
        elif self.tiling.parallel_axis is None:
            with self.b.loop("one", 0, 1, kind="parallel"):  # nothing to divide: one thread runs the kernel
                self._axes(0, ())
        else:
            self._axes(0, ())
        return _finished(self.reader, str(self.tiling))

    def _nested(self) -> list[tuple[int, DimLike]]:
        """The loops that are perfectly nested, outermost first: each axis with its number of iterations.

        Loops over tiles are only listed where no axis is open: a batch gives enough iterations, and LLVM unrolls loops
        over tiles, which it can't where threads divide them.
        """
        space, tiling = self.space, self.tiling
        last = len(space) - 1
        loops = [(axis, space[axis]) for axis in range(last) if axis != tiling.row_axis]
        if not space or tiling.segment is not None or not all(isinstance(size, int) for size in space):
            return loops
        width = tiling.columns_per_vector * tiling.vectors
        blocks = space[last] // width
        if blocks * width == space[last]:
            loops.append((last, blocks))
        elif blocks != 0:
            return loops  # the columns after whole blocks have a loop of their own
        if tiling.row_axis is not None:
            loops.append((tiling.row_axis, ceil_div(space[tiling.row_axis], tiling.rows)))
        return loops

    # -- loops over tiles ---------------------------------------------------------------------------------------

    def _axes(self, axis: int, index: Indices) -> None:
        """Emits the loops over all axes that are not tiled, outermost first, then over tiles of columns, then of
        rows."""
        rank = len(self.space)
        if axis < rank - 1:
            if axis == self.tiling.row_axis or self.space[axis] == 1:
                self._axes(axis + 1, (*index, 0))
            else:
                with self.b.loop("i", 0, self.space[axis], kind=self._kind(axis)) as i:
                    self._axes(axis + 1, (*index, i))
            return
        if rank == 0:
            self._tile([Cell((), None)])
            return
        with self._segments() as (first, extent, kind):
            for start, columns in self._columns(extent, kind):
                with start() as j:
                    for begin, rows in self._rows():
                        with begin() as i:
                            self._tile(
                                [
                                    Cell(self._placed((*index, first + j + offset), i, r), count)
                                    for r in range(rows)
                                    for offset, count in columns(j)
                                ]
                            )

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

    def _placed(self, index: Indices, row: DimLike, r: int) -> Indices:
        if self.tiling.row_axis is None:
            return index
        axis = self.tiling.row_axis
        return (*index[:axis], row + r, *index[axis + 1 :])

    def _kind(self, axis: int) -> Any:
        return "parallel" if axis in self.divided else "serial"

    def _rows(self) -> Iterator[tuple[Callable[[], Any], int]]:
        """Row tiles: (context that yields the first row, number of rows)."""
        if self.tiling.row_axis is None:
            yield lambda: _given(0), 1
            return
        axis = self.tiling.row_axis
        extent, rows, kind = self.space[axis], self.tiling.rows, self._kind(axis)
        whole = (extent // rows) * rows
        rest = extent - whole
        if kind == "parallel" and rest != 0:
            yield from self._tiles_and_rest(extent, rows, rest)
            return
        yield self._span("i", 0, whole, rows, kind), rows
        if isinstance(rest, int):
            if rest:
                yield self._span("i", whole, extent, rest, kind), rest
        else:
            yield self._span("i", whole, extent, 1, kind), 1

    def _tiles_and_rest(
        self, extent: DimLike, rows: int, rest: DimLike
    ) -> Iterator[tuple[Callable[[], Any], int]]:
        """Row tiles of a single loop, whose last iteration takes the remaining rows.

        With a second loop for the remaining rows, threads would divide each loop separately, and one thread might get
        more of both.
        """

        @contextmanager
        def tile() -> Iterator[DimLike]:
            with self.b.when(extent - rows - first):
                yield first

        @contextmanager
        def left() -> Iterator[DimLike]:
            with self.b.otherwise():
                if isinstance(rest, int):
                    yield first
                else:
                    with self.b.loop("i", first, dim_min(first + rows, extent)) as i:
                        yield i

        with self.b.loop("i", 0, extent, rows, "parallel") as first:
            yield tile, rows
            yield left, rest if isinstance(rest, int) else 1

    def _columns(
        self, extent: DimLike, kind: Any
    ) -> Iterator[tuple[Callable[[], Any], Callable[[DimLike], Any]]]:
        """Column tiles: (context that yields the first column, its vectors as (offset, count))."""
        lanes = self.tiling.columns_per_vector
        width = lanes * self.tiling.vectors
        whole = (extent // width) * width
        if whole != 0:
            offsets = [(v * lanes, None) for v in range(self.tiling.vectors)]
            yield self._blocks(extent // width, width, kind), lambda j: offsets
        rest = extent - whole
        if isinstance(rest, int):
            if rest:
                tail = [(offset, rest - offset) for offset in range(0, rest, lanes)]
                yield self._span("j", whole, extent, rest, kind), lambda j: tail
        else:
            yield self._span("j", whole, extent, lanes, kind), lambda j: [(0, extent - j)]

    def _blocks(self, number: DimLike, width: int, kind: Any) -> Callable[[], Any]:
        """A loop whose index is syntactically a multiple of ``width``, so that indices into panels of that width are
        affine."""
        if number == 1 and kind != "parallel":
            return lambda: _given(0)

        @contextmanager
        def blocks() -> Iterator[DimLike]:
            with self.b.loop("j", 0, number, kind=kind) as j:
                yield j * width

        return blocks

    def _span(self, stem: str, start: DimLike, stop: DimLike, step: int, kind: Any) -> Callable[[], Any]:
        if stop - start == step and kind != "parallel":
            return lambda: _given(start)
        return lambda: self.b.loop(stem, start, stop, step, kind)

    # -- one tile -----------------------------------------------------------------------------------------------

    def _tile(self, cells: Sequence[Cell]) -> None:
        reader, lanes = self.reader, self.tiling.lanes
        with reader.scope():
            moved = [self._lane_index(cell.index) for cell in cells]
            wanted: dict[tuple[int, Indices], DimLike | None] = {}
            for cell, index in zip(cells, moved, strict=True):
                if reader.flat is None:  # a flat group has no contractions
                    for id, at in reader.contractions([value for value, _ in self.targets], index):
                        wanted.setdefault((id, at), cell.count)
            reader.accumulators = contract(reader, self.tiling, wanted, self.machine)
            for cell, index in zip(cells, moved, strict=True):
                with reader.vector(1 if self.tiling.inner else lanes, cell.count):
                    # Read everything before storing anything: a buffer may be updated in place.
                    values = [reader.read(value, index) for value, _ in self.targets]
                    self._store(index, cell, values)

    def _lane_index(self, index: Indices) -> Indices:
        if self.tiling.inner or self.tiling.lanes == 1:
            return index
        return (*index[:-1], index[-1] + dim(LANE))

    def _store(self, index: Indices, cell: Cell, values: Sequence[Expr]) -> None:
        reader = self.reader
        for (_, places), expr in zip(self.targets, values, strict=True):
            for place, index_map in places:
                at = index if reader.flat is not None else index_map(index)
                base, stride = reader.address(place, at)
                if reader.lanes > 1 and stride != 1:
                    raise NotVectorizable
                self.b.store(reader.parameter(place, "write"), base, expr, cell.count)


@contextmanager
def _given(value: DimLike) -> Iterator[DimLike]:
    yield value
