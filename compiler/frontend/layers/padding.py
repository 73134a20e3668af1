"""Layers that add cells: pad, tile, broadcast_to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from netwright.specs.models.base import read_shape
from netwright.specs.models.layers import BroadcastTo, PadLayer, Tile

from ...graph.types import FLOATS
from ...ops.base import ShapeError
from ...ops.layout import show
from ..equations.tensor import Tensor, broadcast_shapes, concat
from ..origins import linear
from ..scope import Scope, Signal
from .picking import LARGEST_TABLE, pick, tile
from .slicing import kept_lengths
from .window import least_size, minimum_text


def expand_pad(scope: Scope) -> Signal:
    """Cells around the input."""
    spec, signal = scope.spec, scope.input
    assert isinstance(spec, PadLayer)
    axes = [scope.axis(signal, axis, batch=True) for axis in spec.axes or range(signal.rank)]
    if len(axes) != len(spec.padding):
        message = f"{len(spec.padding)} pairs for the {len(axes)} axes of {show(signal.shape)}"
        raise scope.problem("NW0309", message, "padding", labels=scope.blame(signal))
    x = _filled(scope, spec, axes) if spec.mode == "constant" else signal.tensor
    for axis, (low, high) in zip(axes, spec.padding, strict=True):
        if spec.mode != "constant":
            x = _continued(scope, x, axis, low, high, spec.mode)
        if low or high:
            text = f"{x.shape[axis]} = {low} + {signal.shape[axis]} + {high}"
            scope.derive(axis, text, signal.origins[axis], rule=linear(1, low + high))
    return scope.give(
        x, kept_lengths(scope, [a for a, pair in zip(axes, spec.padding, strict=True) if any(pair)])
    )


def _filled(scope: Scope, spec: PadLayer, axes: Sequence[int]) -> Tensor:
    x = scope.input.tensor
    if x.dtype not in FLOATS and spec.value != int(spec.value):
        message = f"{spec.value} is no {x.dtype}"
        raise scope.problem("NW0311", message, "value", labels=scope.blame(scope.input))
    value = spec.value if x.dtype in FLOATS else int(spec.value)
    pads = dict(zip(axes, spec.padding, strict=True))
    pairs = [pads.get(axis, (0, 0)) for axis in range(x.rank)]
    x = x.pad([max(low, 0) for low, _ in pairs], [max(high, 0) for _, high in pairs], value)
    for axis, (low, high) in enumerate(pairs):
        x = _cropped(scope, x, axis, low, high)
    return x


def _cropped(scope: Scope, x: Tensor, axis: int, low: int, high: int) -> Tensor:
    """Without the cells that negative padding cuts off."""
    if low >= 0 and high >= 0:
        return x
    start, stop = max(-low, 0), x.shape[axis] + min(high, 0)
    least = scope.least(stop - start)
    if least is None or least < 1:
        message = f"of {x.shape[axis]} cells none remain"
        raise scope.problem("NW0313", message, "padding", labels=scope.trace((scope.input, axis)))
    return x.slice(axis, start, stop)


def _continued(scope: Scope, x: Tensor, axis: int, low: int, high: int, mode: str) -> Tensor:
    """An axis continued over its borders by its own cells."""
    x = _cropped(scope, x, axis, min(low, 0), min(high, 0))
    low, high, size = max(low, 0), max(high, 0), x.shape[axis]
    if low == 0 and high == 0:
        return x
    if max(low, high) > LARGEST_TABLE:
        message = f"{mode} padding goes up to {LARGEST_TABLE} cells, this is {max(low, high)}"
        raise scope.problem("NW0204", message, "padding")
    if isinstance(size, int) and 0 < size <= LARGEST_TABLE:
        return pick(x, axis, np.pad(np.arange(size), (low, high), mode=mode).tolist())  # type: ignore[call-overload]
    reach = _reach(low, high, mode)
    least = scope.least(size)
    if least is None or least < reach:
        message = f"{mode} padding by {max(low, high)} needs {reach} cells, the axis has {size}"
        help = _minimum(scope)
        raise scope.problem("NW0304", message, "padding", labels=scope.trace((scope.input, axis)), help=help)
    before, after = _borders(x, axis, low, high, mode)
    return concat([*before, x, *after], axis)


def _reach(low: int, high: int, mode: str) -> int:
    """How many cells an axis needs for its padding."""
    widest = max(low, high, 0)
    return {"edge": 1, "reflect": widest + 1}.get(mode, widest)


def _minimum(scope: Scope) -> str | None:
    """The declaration under which all axes are long enough for their padding."""
    spec, signal = scope.spec, scope.input
    assert isinstance(spec, PadLayer)
    axes = [scope.axis(signal, axis, batch=True) for axis in spec.axes or range(signal.rank)]
    wanted: dict[str, int] = {}
    for axis, (low, high) in zip(axes, spec.padding, strict=True):
        size, reach = signal.shape[axis] + min(low, 0) + min(high, 0), _reach(low, high, spec.mode)
        known = scope.least(size)
        if isinstance(size, int) or (known is not None and known >= reach):
            continue
        found = least_size(size, reach)
        if found is None:
            return None
        wanted[found[0]] = max(found[1], wanted.get(found[0], 0))
    return minimum_text(wanted) if wanted else None


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
    """The input repeated as a whole along each axis."""
    spec, signal = scope.spec, scope.input
    assert isinstance(spec, Tile)
    if len(spec.repeats) != signal.rank:
        message = f"{len(spec.repeats)} numbers for the {signal.rank} axes of {show(signal.shape)}"
        raise scope.problem("NW0309", message, "repeats", labels=scope.blame(signal))
    x = signal.tensor
    repeats = read_shape(spec.repeats)
    for axis, times in enumerate(repeats):
        x = tile(x, axis, times)
        if times != 1:
            text = f"{x.shape[axis]} = {times} · {signal.shape[axis]}"
            scope.derive(axis, text, signal.origins[axis], rule=linear(times, 0))
    return scope.give(x, kept_lengths(scope, [axis for axis, times in enumerate(repeats) if times != 1]))


def expand_broadcast_to(scope: Scope) -> Signal:
    """The input stretched to a shape."""
    spec, signal = scope.spec, scope.input
    assert isinstance(spec, BroadcastTo)
    shape = read_shape(spec.shape)
    try:
        x = signal.tensor.to(broadcast_shapes(signal.shape, shape))
    except ShapeError as error:
        raise scope.problem("NW0308", str(error), "shape", labels=scope.blame(signal)) from None
    if x.shape[:2] != signal.shape[:2]:
        scope.refuse_lengths(signal, "it does not keep batch and time", "shape")
    return scope.give(x, signal.lengths)
