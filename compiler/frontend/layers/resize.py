"""Resizing: on each axis, which input cells make up an output cell, and with which weights.

Coordinates are computed in float64, as nodes of the graph; if all sizes are known, these are folded to numbers at
once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from netwright.specs.dims import DimLike, product
from netwright.specs.models.layers.resize import Resize, UpSampling

from ...graph.graph import Graph
from ...interpreter import evaluate
from ...ops.views.layout import show
from ..expansion import Expansion
from ..functions.arithmetic import ceil, floor
from ..origins import linear
from ..scope import Scope, Signal
from ..tensor import Tensor, concat, constant, dim_value, full, iota, where
from .picking import LARGEST_TABLE, pick, repeat, take
from .slicing import kept_lengths
from .window import SPATIAL_SHAPES


@dataclass(frozen=True, slots=True)
class _Axis:
    """One axis: its size, the size wanted, and the exact scale if it is a number."""

    position: int
    size: DimLike
    output: DimLike
    scale: float | None
    roi: tuple[float, float]

    @property
    def static(self) -> bool:
        known = isinstance(self.size, int) and isinstance(self.output, int)
        return known and max(self.size, self.output) <= LARGEST_TABLE  # type: ignore[type-var]


def expand_resize(scope: Scope) -> Signal:
    """The input at another resolution, resized one axis after the other."""
    assert isinstance(scope.spec, Resize)
    return _resize(scope, scope.spec)


def expand_up_sampling(scope: Scope) -> Signal:
    """Enlarges each spatial axis ``size`` times, by repetition or interpolation."""
    spec, signal = scope.spec, scope.input
    assert isinstance(spec, UpSampling)
    scope.check_rank(signal, SPATIAL_SHAPES[spec.rank], signal.rank == spec.rank + 2)
    scales = tuple(float(size) for size in spec.size)
    mode = "nearest" if spec.interpolation == "nearest" else "linear"
    return _resize(scope, Resize(name="resize", scales=scales, mode=mode))


def _resize(scope: Scope, spec: Resize) -> Signal:
    signal = scope.input
    x = scope.floats(signal) if spec.mode != "nearest" else signal.tensor
    axes = _axes(scope, spec, signal)
    for axis in axes:
        if axis.scale != 1 or axis.output != axis.size or spec.coordinates == "crop_and_resize":
            x = _resized(scope, spec, x, axis)
            whole = axis.scale is not None and spec.scales is not None and axis.scale.is_integer()
            rule = linear(int(axis.scale), 0) if whole and axis.scale else None
            text = f"{axis.output} from {axis.size}"
            scope.derive(axis.position, text, signal.origins[axis.position], rule=rule)
    return scope.give(x, kept_lengths(scope, [axis.position for axis in axes]))


# Sizes.


def _axes(scope: Scope, spec: Resize, signal: Signal) -> list[_Axis]:
    written = spec.axes if spec.axes is not None else tuple(range(1, signal.rank - 1))
    positions = [scope.axis(signal, axis, batch=True) for axis in written]
    key = "scales" if spec.scales is not None else "sizes"
    values: Sequence[float | DimLike] = (
        spec.scales if spec.scales is not None else scope.shape(spec.sizes or ())
    )
    if len(values) == 1:
        values = [*values] * len(positions)
    rois = spec.roi or ((0.0, 1.0),) * len(positions)
    for name, given in ((key, values), ("roi", rois)):
        if len(given) != len(positions):
            message = f"{len(given)} values for {len(positions)} axes of {show(signal.shape)}"
            raise scope.problem("NW0309", message, name, labels=scope.blame(signal))
    sizes = [signal.shape[position] for position in positions]
    for size, position in zip(sizes, positions, strict=True):
        least = scope.least(size)
        if least is None or least < 1:  # nothing to repeat or to interpolate
            message = (
                f"the axis has {size} cells" if size == 0 else f"the axis can have no cells: it has {size}"
            )
            raise scope.problem("NW0313", message, key, labels=scope.blame(signal, position))
    if spec.scales is not None:
        outputs = [_scaled(size, scale) for size, scale in zip(sizes, spec.scales * len(sizes), strict=False)]
        scales: list[float | None] = [float(value) for value in values]  # type: ignore[arg-type]
    else:
        outputs = [value for value in values if not isinstance(value, float)]
        scales = [_ratio(output, size) for output, size in zip(outputs, sizes, strict=True)]
        if spec.keep_aspect_ratio != "stretch":
            known = [scale for scale in scales if scale is not None]
            if len(known) < len(scales):
                raise scope.problem("NW0314", "keep_aspect_ratio needs known sizes", "keep_aspect_ratio")
            scale = min(known) if spec.keep_aspect_ratio == "not_larger" else max(known)
            scales = [scale] * len(sizes)
            outputs = [math.floor(scale * size + 0.5) for size in sizes if isinstance(size, int)]
    for output, position in zip(outputs, positions, strict=True):
        least = scope.least(output)
        if least is None or least < 1:
            message = f"{signal.shape[position]} cells become {output}"
            raise scope.problem("NW0313", message, key, labels=scope.blame(signal, position))
    return [_Axis(*each) for each in zip(positions, sizes, outputs, scales, rois, strict=True)]


def _scaled(size: DimLike, scale: float) -> DimLike:
    """⌊scale·size⌋; for an open size, with the nearest simple fraction as the scale."""
    if isinstance(size, int):
        return math.floor(size * scale)
    fraction = Fraction(scale).limit_denominator(1000)
    return size * fraction.numerator // fraction.denominator


def _ratio(output: DimLike, size: DimLike) -> float | None:
    return output / size if isinstance(output, int) and isinstance(size, int) else None


# Coordinates.


def _coordinates(graph: Graph, spec: Resize, axis: _Axis) -> Tensor:
    """The input coordinate of each output cell, float64 [O]."""
    cells = iota(graph, "float64", (axis.output,), 0)

    def number(size: DimLike) -> Tensor:
        return dim_value(graph, size, "float64").to((axis.output,))

    size, output = number(axis.size), number(axis.output)
    scale = output / size if axis.scale is None else full(graph, axis.scale, cells.type)
    exact = output if axis.scale is None else size * scale
    if axis.scale is not None and isinstance(axis.size, int):
        exact = full(graph, axis.scale * axis.size, cells.type)
    half_pixel = (cells + 0.5) / scale - 0.5
    single = exact.compare("eq", 1)
    one = full(graph, 1, cells.type)
    match spec.coordinates:
        case "asymmetric":
            return cells / scale
        case "tf_half_pixel_for_nn":
            return (cells + 0.5) / scale
        case "pytorch_half_pixel":
            return where(single, full(graph, -0.5, cells.type), half_pixel)
        case "half_pixel_symmetric":
            return size * 0.5 * (1 - output / exact) + half_pixel
        case "align_corners":
            return where(single, one * 0, cells * (size - 1) / where(single, one, exact - 1))
        case "crop_and_resize":
            start, end = axis.roi
            reach = (size - 1) * (end - start)
            inner = where(single, reach * 0.5, cells * reach / where(single, one, exact - 1))
            return inner + (size - 1) * start
    return half_pixel


def _nearest(spec: Resize, x: Tensor) -> Tensor:
    match spec.nearest:
        case "floor":
            return floor(x)
        case "ceil":
            return ceil(x)
        case "round_prefer_ceil":
            return floor(x + 0.5)
    return ceil(x - 0.5)


def _inside(x: Tensor, axis: _Axis) -> Tensor:
    """Coordinates as indices of input cells, clamped to the borders."""
    indices = x.cast("int64").maximum(0)
    last = axis.size - 1
    return indices.minimum(last if isinstance(last, int) else dim_value(x.graph, last, "int64"))


def _taps(graph: Graph, spec: Resize, axis: _Axis) -> list[tuple[Tensor, Tensor]]:
    """The input cells of each output cell and their weights: int64 [O] and float64 [O], one pair per tap."""
    x = _coordinates(graph, spec, axis)
    base = floor(x)
    ratio = x - base
    shrink = min(axis.scale or 1.0, 1.0) if spec.antialias else 1.0
    support = 2 if spec.mode == "cubic" else 1
    start = math.floor(-support / shrink) + 1
    offsets = range(start, 2 - start)
    weights = [_kernel(spec, (offset - ratio) * shrink) for offset in offsets]
    if spec.exclude_outside:
        weights = [
            where(_exists(base + offset, axis), weight, 0)
            for offset, weight in zip(offsets, weights, strict=True)
        ]
    if spec.exclude_outside or spec.antialias:
        total = weights[0]
        for weight in weights[1:]:
            total = total + weight
        weights = [weight / total for weight in weights]
    return [(_inside(base + offset, axis), weight) for offset, weight in zip(offsets, weights, strict=True)]


def _exists(cells: Tensor, axis: _Axis) -> Tensor:
    return cells.compare("ge", 0).both(cells.compare("lt", cells.count(axis.size)))


def _kernel(spec: Resize, distance: Tensor) -> Tensor:
    """The weight of a cell at a distance: linear interpolation, or Keys' cubic convolution kernel."""
    d = distance.abs()
    if spec.mode == "linear":
        return (1 - d).maximum(0)
    a = spec.cubic_coefficient
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return where(d.compare("le", 1), near, where(d.compare("lt", 2), far, 0))


# One axis.


def _resized(scope: Scope, spec: Resize, x: Tensor, axis: _Axis) -> Tensor:
    if spec.mode == "nearest":
        y = _nearest_cells(spec, x, axis)
    else:
        if spec.antialias and axis.scale is None:
            raise scope.problem("NW0314", "antialias needs a known scale", "antialias")
        y = _weighted(spec, x, axis)
    if spec.coordinates != "crop_and_resize":
        return y
    coordinates = _coordinates(x.graph, spec, axis)
    last = coordinates.count(axis.size - 1)
    inside = coordinates.compare("ge", 0).both(coordinates.compare("le", last))
    return where(_along(inside, y, axis), y, full(y.graph, spec.extrapolation_value, y.type))


def _along(values: Tensor, like: Tensor, axis: _Axis) -> Tensor:
    return values.broadcast(like.shape, [axis.position])


def _nearest_cells(spec: Resize, x: Tensor, axis: _Axis) -> Tensor:
    def indices(graph: Graph) -> Tensor:
        return _inside(_nearest(spec, _coordinates(graph, spec, axis)), axis)

    if axis.static:
        (positions,) = _numbers(lambda graph: [indices(graph)])
        return pick(x, axis.position, positions.tolist())
    if axis.scale is not None and axis.scale.is_integer() and _repeats(spec):
        return repeat(x, axis.position, int(axis.scale))
    return take(x, axis.position, indices(x.graph))


def _repeats(spec: Resize) -> bool:
    """Whether each cell is simply repeated s times, for an integer scale s."""
    if spec.coordinates == "asymmetric":
        return spec.nearest == "floor"
    return spec.coordinates.startswith("half_pixel") and spec.nearest.startswith("round")


def _weighted(spec: Resize, x: Tensor, axis: _Axis) -> Tensor:
    """The sum of weighted cells for each output cell."""

    def tables(graph: Graph) -> list[Tensor]:
        cells, weights = zip(*_taps(graph, spec, axis), strict=True)
        return [_columns(cells), _columns(weights).cast(x.dtype)]

    if axis.static:
        cells, weights = (constant(x.graph, array) for array in _numbers(tables))
    else:
        cells, weights = tables(x.graph)
    before, after = x.shape[: axis.position], x.shape[axis.position + 1 :]
    flat = x.reshape((product(before), axis.size, product(after)))
    return flat.apply("resample", cells, weights).reshape((*before, axis.output, *after))


def _columns(taps: Sequence[Tensor]) -> Tensor:
    """Stacks one [O] per tap to [O, T]."""
    return concat([tap.reshape((*tap.shape, 1)) for tap in taps], 1)


def _numbers(build: Callable[[Graph], Sequence[Tensor]]) -> list[np.ndarray]:
    """The values of tensors that do not depend on any input."""
    graph = Graph("numbers")
    for position, tensor in enumerate(build(graph)):
        graph.set_output(str(position), tensor.value)
    return list(evaluate(graph, {}, {}).values())


EXPANSIONS = {
    UpSampling: Expansion(expand_up_sampling, honours_lengths=True),
    Resize: Expansion(expand_resize, honours_lengths=True),
}
