"""Layers that add cells: pad, tile, broadcast_to."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from netwright.specs.dims import Dim, DimLike, bounds, dim_max
from netwright.specs.models.layers.padding import BroadcastTo, PadLayer, Tile

from ...graph.rules import ShapeError
from ...graph.types import FLOATS, TensorType
from ...ops.views.layout import show
from ..expansion import Expansion
from ..origins import linear
from ..scope import Scope, Signal
from ..tensor import Tensor, broadcast_shapes, concat, dim_value, full, iota, where
from .picking import LARGEST_TABLE, pick, take, tile
from .slicing import kept_lengths
from .window import least_size, minimum_text


def expand_pad(scope: Scope) -> Signal:
    """Adds cells around the input."""
    spec, signal = scope.spec, scope.input
    assert isinstance(spec, PadLayer)
    axes = [scope.axis(signal, axis, batch=True) for axis in spec.axes or range(signal.rank)]
    if len(axes) != len(spec.padding):
        message = f"{len(spec.padding)} pairs for the {len(axes)} axes of {show(signal.shape)}"
        raise scope.problem("NW0309", message, "padding", labels=scope.blame(signal))
    pads = {axis: _read(scope, pair) for axis, pair in zip(axes, spec.padding, strict=True)}
    x = _filled(scope, spec, pads) if spec.mode == "constant" else signal.tensor
    for axis, (low, high) in pads.items():
        if spec.mode != "constant":
            x = continued(scope, x, axis, low, high, spec.mode)
        if (low, high) != (0, 0):
            text = f"{x.shape[axis]} = {low} + {signal.shape[axis]} + {high}"
            scope.derive(axis, text, signal.origins[axis], rule=linear(1, low + high))
    return scope.give(x, kept_lengths(scope, [axis for axis, pair in pads.items() if pair != (0, 0)]))


def _read(scope: Scope, pair: tuple[int | str, int | str]) -> tuple[DimLike, DimLike]:
    low, high = scope.shape(pair)
    return low, high


def _filled(scope: Scope, spec: PadLayer, pads: Mapping[int, tuple[DimLike, DimLike]]) -> Tensor:
    x = scope.input.tensor
    if x.dtype not in FLOATS and spec.value != int(spec.value):
        message = f"{spec.value} is no {x.dtype}"
        raise scope.problem("NW0311", message, "value", labels=scope.blame(scope.input))
    value = spec.value if x.dtype in FLOATS else int(spec.value)
    added = [[_at_least_0(scope, size) for size in pads.get(axis, (0, 0))] for axis in range(x.rank)]
    x = x.pad([low for low, _ in added], [high for _, high in added], value)
    for axis, (low, high) in pads.items():
        x = _cropped(scope, x, axis, low, scope.input.shape[axis] + low + high)
    return x


def _at_least_0(scope: Scope, size: DimLike) -> DimLike:
    """The size, or 0 if it is negative."""
    low, high = bounds(size, scope.expander.ranges)
    if low is not None and low >= 0:
        return size
    return 0 if high is not None and high <= 0 else dim_max(0, size)


def _cropped(scope: Scope, x: Tensor, axis: int, low: DimLike, left: DimLike) -> Tensor:
    """Cuts off the cells that negative padding removes; ``left`` is how many cells remain."""
    start = _at_least_0(scope, -low)
    if start == 0 and x.shape[axis] == left:
        return x
    least = scope.least(left)
    if least is None or least < 1:
        count = f"{left} remain, which may be none" if isinstance(left, Dim) else "none remain"
        message = f"of {scope.input.shape[axis]} cells {count}"
        raise scope.problem("NW0313", message, "padding", labels=scope.trace((scope.input, axis)))
    return x.slice(axis, start, start + left)


def continued(scope: Scope, x: Tensor, axis: int, low: DimLike, high: DimLike, mode: str) -> Tensor:
    """Continues an axis beyond its borders with copies of its own cells."""
    left = x.shape[axis] - _at_least_0(scope, -low) - _at_least_0(scope, -high)
    x = _cropped(scope, x, axis, low, left)
    low, high, size = _at_least_0(scope, low), _at_least_0(scope, high), x.shape[axis]
    if (low, high) == (0, 0):
        return x
    if not isinstance(low, int) or not isinstance(high, int):
        return _continued_openly(scope, x, axis, low, high, mode)
    if max(low, high) > LARGEST_TABLE:
        message = f"{mode} padding goes up to {LARGEST_TABLE} cells, this is {max(low, high)}"
        raise scope.problem("NW0204", message, "padding")
    if isinstance(size, int) and 0 < size <= LARGEST_TABLE:
        return pick(x, axis, np.pad(np.arange(size), (low, high), mode=mode).tolist())  # type: ignore[call-overload]
    _check_reach(scope, axis, size, max(low, high), mode)
    before, after = _borders(x, axis, low, high, mode)
    return concat([*before, x, *after], axis)


def _reach(low: int, high: int, mode: str) -> int:
    """How many cells an axis needs for its padding."""
    widest = max(low, high, 0)
    return {"edge": 1, "reflect": widest + 1}.get(mode, widest)


def _minimum(scope: Scope, axis: int, reach: int) -> str | None:
    """The declaration that makes an axis as long as ``reach``, or all axes of a layer ``pad`` long enough."""
    spec, signal = scope.spec, scope.input
    if not isinstance(spec, PadLayer):
        least = least_size(signal.shape[axis], reach)
        return minimum_text({least[0]: least[1]}) if least else None
    axes = [scope.axis(signal, axis, batch=True) for axis in spec.axes or range(signal.rank)]
    wanted: dict[str, int] = {}
    for axis, (low, high) in zip(axes, spec.padding, strict=True):
        if not isinstance(low, int) or not isinstance(high, int):
            continue
        size, reach = signal.shape[axis] + min(low, 0) + min(high, 0), _reach(low, high, spec.mode)
        known = scope.least(size)
        if isinstance(size, int) or (known is not None and known >= reach):
            continue
        least = least_size(size, reach)
        if least is None:
            return None
        wanted[least[0]] = max(least[1], wanted.get(least[0], 0))
    return minimum_text(wanted) if wanted else None


def _check_reach(scope: Scope, axis: int, size: DimLike, most: int, mode: str) -> None:
    """Raises Problem unless an axis has enough cells to be continued with."""
    reach = _reach(most, 0, mode)
    least = scope.least(size)
    if least is None or least < reach:
        message = f"{mode} padding by {most} needs {reach} cells, the axis has {size}"
        help = _minimum(scope, axis, reach)
        raise scope.problem("NW0304", message, "padding", labels=scope.trace((scope.input, axis)), help=help)


def _continued_openly(scope: Scope, x: Tensor, axis: int, low: DimLike, high: DimLike, mode: str) -> Tensor:
    """Continues an axis by open numbers of cells, by computing where each cell comes from."""
    size, total = x.shape[axis], low + x.shape[axis] + high
    if mode != "edge":
        mosts = [bounds(number, scope.expander.ranges)[1] for number in (low, high)]
        known = [most for most in mosts if most is not None]
        if len(known) < len(mosts):
            message = f"{mode} padding by {low} and {high}: there is no greatest number of cells"
            raise scope.problem("NW0204", message, "padding", labels=scope.trace((scope.input, axis)))
        _check_reach(scope, axis, size, max(known), mode)

    def number(value: DimLike) -> Tensor:
        known = full(x.graph, value, TensorType("int64", ())) if isinstance(value, int) else None
        return (known or dim_value(x.graph, value, "int64")).to((total,))

    cells = iota(x.graph, "int64", (total,), 0) - number(low)
    last = number(size - 1)
    if mode == "edge":
        before, after = number(0), last
    elif mode == "wrap":
        before, after = cells + number(size), cells - number(size)
    else:  # mirrored about the border cell, or about the border itself
        beyond = number(int(mode == "symmetric"))
        before, after = -cells - beyond, last + last + beyond - cells
    cells = where(cells.compare("lt", 0), before, where(cells.compare("gt", last), after, cells))
    return take(x, axis, cells)


def _borders(x: Tensor, axis: int, low: int, high: int, mode: str) -> tuple[list[Tensor], list[Tensor]]:
    size = x.shape[axis]
    if mode == "edge":
        first, last = x.slice(axis, 0, 1), x.slice(axis, size - 1, size)
        return [first] * low, [last] * high
    skip = int(mode == "reflect")
    if mode == "wrap":
        before = x.slice(axis, size - low, size) if low else None
        after = x.slice(axis, 0, high) if high else None
    else:
        before = x.slice(axis, skip, low + skip).reverse(axis) if low else None
        after = x.slice(axis, size - high - skip, size - skip).reverse(axis) if high else None
    return [before] if before else [], [after] if after else []


def expand_tile(scope: Scope) -> Signal:
    """Repeats the whole input along each axis."""
    spec, signal = scope.spec, scope.input
    assert isinstance(spec, Tile)
    if len(spec.repeats) != signal.rank:
        message = f"{len(spec.repeats)} numbers for the {signal.rank} axes of {show(signal.shape)}"
        raise scope.problem("NW0309", message, "repeats", labels=scope.blame(signal))
    x = signal.tensor
    repeats = scope.shape(spec.repeats)
    for axis, times in enumerate(repeats):
        x = tile(x, axis, times)
        if times != 1:
            text = f"{x.shape[axis]} = {times} · {signal.shape[axis]}"
            scope.derive(axis, text, signal.origins[axis], rule=linear(times, 0))
    return scope.give(x, kept_lengths(scope, [axis for axis, times in enumerate(repeats) if times != 1]))


def expand_broadcast_to(scope: Scope) -> Signal:
    """Stretches the input to a shape."""
    spec, signal = scope.spec, scope.input
    assert isinstance(spec, BroadcastTo)
    shape = scope.shape(spec.shape)
    try:
        x = signal.tensor.to(broadcast_shapes(signal.shape, shape))
    except ShapeError as error:
        raise scope.problem("NW0308", str(error), "shape", labels=scope.blame(signal)) from None
    if x.shape[:2] != signal.shape[:2]:
        scope.refuse_lengths(signal, "it does not keep batch and time", "shape")
    return scope.give(x, signal.lengths)


EXPANSIONS = {
    PadLayer: Expansion(expand_pad, honours_lengths=True),
    Tile: Expansion(expand_tile, honours_lengths=True),
    BroadcastTo: Expansion(expand_broadcast_to, honours_lengths=True),
}
