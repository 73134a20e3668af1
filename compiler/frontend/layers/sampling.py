"""Sampling at computed positions, and max unpooling: both index a table with one row per cell."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product as combinations

from netwright.specs.dims import Dim, DimLike, product
from netwright.specs.models.layers.sampling import GridSample, MaxUnpool

from ...graph.types import TensorType
from ...ops.indexing.scatter import ScatterAttributes
from ...ops.views.layout import show
from ..expansion import Expansion
from ..functions.arithmetic import floor, rounded
from ..problem import show_type
from ..scope import Scope, Signal
from ..tensor import Tensor, full, iota, where
from .indexing import combined, flat, inside

#: The coefficient of Keys' cubic convolution in PyTorch's and ONNX's samplers.
_CUBIC = -0.75


def expand_grid_sample(scope: Scope) -> Signal:
    """The weighted cells around each position."""
    spec, (image, grid) = scope.spec, scope.inputs
    assert isinstance(spec, GridSample)
    x, positions = scope.floats(image), scope.floats(grid)
    rank = image.rank - 2
    scope.check_rank(image, "an image [N, …, C] with one to three spatial axes", 1 <= rank <= 3)
    scope.refuse_lengths(image, "positions may be past the end of a sequence")
    if grid.rank != image.rank or grid.shape[-1] != rank or grid.shape[0] != image.shape[0]:
        message = (
            f"the grid is [N, …, {rank}] for an image of {rank} spatial axes, this is {show(grid.shape)}"
        )
        raise scope.problem("NW0308", message, "inputs", 1, labels=scope.blame(grid))
    if grid.dtype != image.dtype:
        message = f"the image is {image.dtype}, the grid {grid.dtype}"
        raise scope.problem("NW0311", message, "inputs", 1, labels=scope.blame(grid))
    sampler = _Sampler(spec, x)
    places = [positions.take(positions.rank - 1, rank - 1 - axis) for axis in range(rank)]
    return scope.give(
        sampler.sample([sampler.cell(place, axis) for axis, place in enumerate(places)]), like=grid
    )


class _Sampler:
    """An image [N, *sizes, C] as a table with one row per cell."""

    def __init__(self, spec: GridSample, x: Tensor):
        self.spec, self.x = spec, x
        self.batch, self.sizes = x.shape[0], x.shape[1:-1]
        self.table = x.reshape((product(x.shape[:-1]), x.shape[-1]))

    def size(self, axis: int) -> Tensor | int | float:
        return self.x.count(self.sizes[axis])

    def cell(self, place: Tensor, axis: int) -> Tensor:
        """A position from −1 to 1 as a coordinate on an axis, moved inside as the padding mode says."""
        size = self.size(axis)
        cell = (place + 1) / 2 * (size - 1) if self.spec.align_corners else ((place + 1) * size - 1) / 2
        if self.spec.mode == "cubic":  # its cells are moved, not the position between them
            return cell
        return self.moved(cell, axis)

    def moved(self, cell: Tensor, axis: int) -> Tensor:
        if self.spec.padding == "zeros":
            return cell
        last = self.size(axis) - 1
        if self.spec.padding == "reflection":
            cell = self.reflected(cell, axis)
        return cell.maximum(0).minimum(last)

    def reflected(self, cell: Tensor, axis: int) -> Tensor:
        """Mirrors a coordinate about the borders of the axis, or about the centres of its outermost cells."""
        size = self.size(axis)
        low, span = (0.0, size - 1) if self.spec.align_corners else (-0.5, size)
        single = self.spec.align_corners and self.sizes[axis] == 1
        if single:
            return cell * 0
        way = (cell - low).abs()
        turns = floor(way / span)
        rest = way - turns * span
        even = (turns - floor(turns / 2) * 2).compare("eq", 0)
        return where(even, rest, span - rest) + low

    def sample(self, cells: Sequence[Tensor]) -> Tensor:
        """The weighted sum of the cells around a position."""
        mode = self.spec.mode
        if mode == "nearest":
            return self.read([rounded(cell) for cell in cells])
        bases = [floor(cell) for cell in cells]
        offsets = range(2) if mode == "linear" else range(-1, 3)
        total: Tensor | None = None
        for corner in combinations(offsets, repeat=len(cells)):
            weight: Tensor | None = None
            for cell, base, offset in zip(cells, bases, corner, strict=True):
                factor = self.weight(cell - base, offset)
                weight = factor if weight is None else weight * factor
            value = self.read([base + offset for base, offset in zip(bases, corner, strict=True)])
            assert weight is not None
            term = value * weight.broadcast(value.shape, range(weight.rank))
            total = term if total is None else total + term
        assert total is not None
        return total

    def weight(self, ratio: Tensor, offset: int) -> Tensor:
        """The weight of the cell at an offset, for a position ``ratio`` after the cell at offset 0."""
        if self.spec.mode == "linear":
            return ratio if offset else 1 - ratio
        d, a = (ratio - offset if offset <= 0 else offset - ratio), _CUBIC
        if offset in (0, 1):
            return ((a + 2) * d - (a + 3)) * d * d + 1
        return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a

    def read(self, cells: Sequence[Tensor]) -> Tensor:
        """The rows at integer positions; zeros outside if the padding mode says so."""
        if self.spec.mode == "cubic":
            cells = [self.moved(cell, axis) for axis, cell in enumerate(cells)]
        graph, shape = self.x.graph, cells[0].shape
        inner, exists = [], None
        for axis, cell in enumerate(cells):
            last = self.size(axis) - 1
            here = cell.compare("ge", 0).both(cell.compare("le", last))
            exists = here if exists is None else exists.both(here)
            # The comparisons also exclude NaN and numbers too large for an index.
            inner.append(where(here, cell, 0).cast("int64"))
        index = iota(graph, "int64", shape, 0)
        for cell, size in zip(inner, self.sizes, strict=True):
            index = index * index.count(size) + cell
        rows = self.table.gather(index)
        if self.spec.padding != "zeros" or exists is None:
            return rows
        return where(exists.broadcast(rows.shape, range(exists.rank)), rows, 0)


def expand_max_unpool(scope: Scope) -> Signal:
    """Zeros with the values at their positions."""
    spec, (signal, positions) = scope.spec, scope.inputs
    assert isinstance(spec, MaxUnpool)
    rank = signal.rank - 2
    scope.check_rank(signal, "an image [N, …, C] with one to three spatial axes", 1 <= rank <= 3)
    scope.refuse_lengths(signal, "it changes the steps")
    if positions.dtype != "int64" or positions.shape != signal.shape:
        actual = show_type(positions.dtype, positions.shape)
        message = f"the positions are int64 {show(signal.shape)}, this is {actual}"
        raise scope.problem("NW0308", message, "inputs", 1, labels=scope.blame(positions))
    sizes = _unpooled(scope, spec, signal, rank)
    shape = (signal.shape[0], *sizes, signal.shape[-1])
    graph, own = scope.graph, signal.shape
    cells = [
        iota(graph, "int64", own, 0),
        inside(positions.tensor, product(sizes)),
        iota(graph, "int64", own, len(own) - 1),
    ]
    rows = combined(cells, (own[0], product(sizes), own[-1]))
    zeros = full(graph, 0, TensorType(signal.dtype, (product(shape),)))
    result = zeros.apply("scatter", flat(rows), flat(signal.tensor), attrs=ScatterAttributes())
    return scope.give(result.reshape(shape))


def _unpooled(scope: Scope, spec: MaxUnpool, signal: Signal, rank: int) -> tuple[DimLike, ...]:
    """The sizes of the spatial axes of the result."""

    def each(value: object, default: object) -> tuple:
        values = default if value is None else value
        values = values if isinstance(values, tuple) else (values,) * rank
        if len(values) != rank:
            message = f"{len(values)} values for {rank} spatial axes"
            raise scope.problem("NW0309", message, labels=scope.blame(signal))
        return values

    if spec.output_size is not None:
        sizes = scope.shape(each(spec.output_size, None))
    else:
        window = each(spec.pool_size, None)
        stride, padding = each(spec.stride, window), each(spec.padding, ((0, 0),) * rank)
        rows = zip(signal.shape[1:-1], window, stride, padding, strict=True)
        sizes = tuple((size - 1) * step + cells - low - high for size, cells, step, (low, high) in rows)
    for axis, (size, before) in enumerate(zip(sizes, signal.shape[1:-1], strict=True), 1):
        if isinstance(size, int) and size < 1:
            raise scope.problem("NW0313", f"{before} cells become {size}", labels=scope.blame(signal, axis))
        scope.derive(axis, f"{size} from {before}", signal.origins[axis])
    return tuple(size if isinstance(size, Dim) else int(size) for size in sizes)


EXPANSIONS = {
    GridSample: Expansion(expand_grid_sample),
    MaxUnpool: Expansion(expand_max_unpool),
}
