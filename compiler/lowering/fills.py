"""Fills what no kernel stores to: the cells around a padded value, or all of it where those lie between others."""

from __future__ import annotations

from collections.abc import Container, Mapping
from itertools import count
from math import prod

from netwright.specs.dims import DimLike, Shape, dim, product, typical

from ..loop import ir
from ..loop.intrinsics.builder import KernelBuilder
from ..ops.protocols import Margins
from ..plans.shapes import power_of_two
from .kernels.fused import Kernel
from .program import ProgramBuilder
from .reading.indices import Indices
from .reading.places import Place

#: With fewer vectors per sample, it does not matter which of them are filled.
WORTH_COUNTING = 16


def fill_kernel(
    program: ProgramBuilder,
    place: Place,
    fill: float | int | bool,
    margins: Margins | None = None,
    *,
    opens: bool = False,
) -> tuple[Kernel, Mapping[str, DimLike] | None]:
    """Sets the elements of a place to one number: those within ``margins``, or, also where code is to be short, all of
    them. With ``opens``, margins and what is between them are dims of the kernel; their values are the second
    result."""
    lanes = program.machine.lanes(place.type.dtype)
    shape, sizes = place.type.shape, _Sizes(program.dims)
    whole = (place.type.size,), ((place.type.size, 0),)
    if margins is None or program.machine.compact or not _are_fixed(margins, shape):
        shape, margins = whole
    else:
        last = max(axis for axis, amounts in enumerate(margins) if amounts != (0, 0))
        shape, margins = _merged(shape, margins, last)
        if _are_short(shape, margins, lanes):
            shape, margins = whole
        elif opens:
            shape, margins = _opened(shape, margins, sizes, lanes)
    b = KernelBuilder("kernel", {**program.dims, **dict.fromkeys(sizes.given, 1)})
    buffer = b.buffer("p0", place.type.dtype, shape, "write")
    _Filling(b, buffer, shape, margins, ir.Const(fill, ir.ValueType(place.type.dtype, lanes))).axis(())
    return Kernel.over(b.finish(), place), sizes.given or None


class _Sizes:
    """Sizes that become dims, each of which has a name that is none of ``taken``."""

    def __init__(self, taken: Container[str]):
        self._free = (name for number in count() if (name := f"size_{number}") not in taken)
        self.given: dict[str, DimLike] = {}

    def open(self, size: DimLike, unit: int = 1) -> DimLike:
        """``size`` as a dim, unless it is open already or less than ``unit``. A multiple of this stays one, and what
        is more than a multiple stays as it is, so that whole vectors are known to be whole."""
        if not isinstance(size, int) or size < unit:
            return size
        name = next(self._free)
        self.given[name] = size // unit
        return dim(name) * unit + size % unit


def _opened(shape: Shape, margins: Margins, sizes: _Sizes, lanes: int) -> tuple[Shape, Margins]:
    """``shape`` and ``margins`` with dims for what is between margins and, on the last axis, for these, too."""
    axes: list[DimLike] = []
    amounts: list[tuple[DimLike, DimLike]] = []
    for axis, (size, (low, high)) in enumerate(zip(shape, margins, strict=True)):
        if (low, high) == (0, 0):
            axes.append(size)
            amounts.append((low, high))
            continue
        last = axis == len(shape) - 1
        between = sizes.open(size - low - high, lanes if last else 1)
        if last:
            same = low == high
            low = sizes.open(low, lanes)
            high = low if same else sizes.open(high, lanes)
        axes.append(low + between + high)
        amounts.append((low, high))
    return tuple(axes), tuple(amounts)


def _are_fixed(margins: Margins, shape: Shape) -> bool:
    """Whether all padded axes, and those behind them, have fixed sizes: then accesses are proved within bounds."""
    padded = [axis for axis, amounts in enumerate(margins) if amounts != (0, 0)]
    sizes = [*(size for axis in padded for size in margins[axis]), *(shape[padded[0] :] if padded else ())]
    return bool(padded) and all(isinstance(size, int) for size in sizes)


def _are_short(shape: Shape, margins: Margins, lanes: int) -> bool:
    """Whether margins are so many short pieces that filling everything, from one end to the other, takes clearly fewer
    stores."""
    first = next(axis for axis, amounts in enumerate(margins) if amounts != (0, 0))
    sizes = [size for size in shape[first:] if isinstance(size, int)]
    vectors, stores = -(-sizes[-1] // lanes), sum(-(-typical(size) // lanes) for size in margins[-1])
    for size, (low, high) in zip(sizes[-2::-1], margins[-2 : first - 1 if first else None : -1], strict=True):
        padded = typical(low) + typical(high)
        stores = padded * vectors + (size - padded) * stores
        vectors *= size
    whole = -(-prod(sizes) // lanes)
    return whole >= WORTH_COUNTING and 4 * whole < 3 * stores


def _merged(shape: Shape, margins: Margins, last: int) -> tuple[Shape, Margins]:
    """``shape`` with the axes behind ``last`` as part of it: its margins are contiguous there."""
    behind = product(shape[last + 1 :])
    low, high = margins[last]
    return (*shape[:last], shape[last] * behind), (*margins[:last], (low * behind, high * behind))


class _Filling:
    """The loops over margins; the outermost is divided by threads."""

    def __init__(self, b: KernelBuilder, buffer: ir.Buffer, shape: Shape, margins: Margins, value: ir.Const):
        self.b, self.buffer, self.shape, self.margins, self.value = b, buffer, shape, margins, value

    def axis(self, index: Indices) -> None:
        """Fills the margins of an axis, whole rows at a time, and those of the axes behind it between them."""
        axis = len(index)
        low, high = self.margins[axis]
        size = self.shape[axis]
        if axis == len(self.shape) - 1:
            self._elements(index, 0, low)
            self._elements(index, size - high, size)
            return
        for start, stop in ((0, low), (size - high, size)):
            self._rows(index, start, stop, whole=True)
        self._rows(index, low, size - high, whole=False)

    def _rows(self, index: Indices, start: DimLike, stop: DimLike, *, whole: bool) -> None:
        if start == stop:
            return
        with self.b.loop("i", start, stop, kind="serial" if index else "parallel") as i:
            if not whole:
                self.axis((*index, i))
            else:
                self._row((*index, i))

    def _row(self, index: Indices) -> None:
        if len(index) == len(self.shape) - 1:
            self._elements(index, 0, self.shape[-1])
            return
        with self.b.loop("i", 0, self.shape[len(index)]) as i:
            self._row((*index, i))

    def _elements(self, index: Indices, start: DimLike, stop: DimLike) -> None:
        """Fills elements along the last axis: whole vectors, and pieces of one for what is left. Masks would take
        most of the time where a CPU has none for stores, or slow ones."""
        lanes, kind = self.value.type.lanes, "serial" if index else "parallel"
        whole = (stop - start) // lanes * lanes
        rest = stop - start - whole
        if not isinstance(rest, int) or (rest and not index):
            with self.b.loop("j", start, stop, lanes, kind) as j:
                with self.b.when(stop - j - lanes):
                    self.b.store(self.buffer, (*index, j), self.value)
                with self.b.otherwise():
                    self.b.store(self.buffer, (*index, j), self.value, stop - j)
            return
        if whole != 0:
            with self.b.loop("j", start, start + whole, lanes, kind) as j:
                self.b.store(self.buffer, (*index, j), self.value)
        at = start + whole
        while rest:
            lanes = power_of_two(rest + 1) // 2
            piece = ir.Const(self.value.value, ir.ValueType(self.value.type.dtype, lanes))
            self.b.store(self.buffer, (*index, at), piece)
            at, rest = at + lanes, rest - lanes
