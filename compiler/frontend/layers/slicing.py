"""Layers that reorder axes and cut them: transpose, slice, split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from netwright.specs.dims import Dim, DimLike, Range, bounds, dim_max, dim_min, exact_div, settled
from netwright.specs.models.layers.slicing import Slice, Split, Transpose

from ...ops.views.layout import show
from ..expansion import Expansion
from ..problem import Problem
from ..scope import Scope, Signal
from ..tensor import Tensor
from .picking import pick


def kept_lengths(scope: Scope, changed: Sequence[int]) -> Tensor | None:
    """The lengths of the input, for a layer that leaves batch and time unchanged. Raises Problem if it does not."""
    if any(axis < 2 for axis in changed):
        scope.refuse_lengths(scope.input, "it changes batch or time")
    return scope.input.lengths


def expand_transpose(scope: Scope) -> Signal:
    """Permutes the axes."""
    spec, signal = scope.spec, scope.input
    assert isinstance(spec, Transpose)
    order = tuple(
        axis % signal.rank if -signal.rank <= axis < signal.rank else axis for axis in spec.permutation
    )
    if sorted(order) != list(range(signal.rank)):
        message = f"{list(spec.permutation)} is no order of the {signal.rank} axes of {show(signal.shape)}"
        raise scope.problem("NW0318", message, "permutation", labels=scope.blame(signal))
    lengths = kept_lengths(scope, [i for i, axis in enumerate(order) if i != axis])
    return Signal(signal.tensor.transpose(*order), tuple(signal.origins[axis] for axis in order), lengths)


def expand_slice(scope: Scope) -> Signal:
    """Cells from start to before stop, as in Python's slices."""
    spec, signal = scope.spec, scope.input
    assert isinstance(spec, Slice)
    axes = [scope.axis(signal, axis, batch=True) for axis in spec.axes]
    if len(set(axes)) < len(axes):
        raise scope.problem("NW0318", "an axis is named twice", "axes")
    x = signal.tensor
    written = zip(axes, spec.starts, spec.stops, spec.steps, strict=True)
    for position, (axis, start, stop, step) in enumerate(written):
        x = _sliced(scope, x, axis, _bound(scope, start), _bound(scope, stop), step)
        if x.shape[axis] == 0 and isinstance(signal.shape[axis], int):
            raise _nothing_remains(scope, spec, axis, position)
        if x.shape[axis] != signal.shape[axis]:
            scope.derive(axis, f"{x.shape[axis]} of {signal.shape[axis]}", signal.origins[axis])
    return scope.give(x, kept_lengths(scope, axes))


def _nothing_remains(scope: Scope, spec: Slice, axis: int, position: int) -> Problem:
    start, stop, step = spec.starts[position], spec.stops[position], spec.steps[position]
    first = ("the first" if step > 0 else "the last") if start is None else start
    end = "the end" if stop is None else stop
    message = f"of {scope.input.shape[axis]} cells none remain: from {first} to {end} by {step}"
    key = "stops" if start is None and stop is not None else "starts"
    labels = scope.trace((scope.input, axis))
    return scope.problem(
        "NW0313", message, key, labels=labels, help="positions count from 0, or back from −1"
    )


def _bound(scope: Scope, written: int | str | None) -> DimLike | None:
    return scope.shape((written,))[0] if isinstance(written, str) else written


def _sliced(
    scope: Scope, x: Tensor, axis: int, start: DimLike | None, stop: DimLike | None, step: int
) -> Tensor:
    size = x.shape[axis]
    if isinstance(size, int) and not isinstance(start, Dim) and not isinstance(stop, Dim):
        positions = range(*slice(start, stop, step).indices(size))
        return pick(x, axis, positions) if positions else x.slice(axis, 0, 0)
    if step > 0:
        low = _inside(scope, start, size, 0)
        high = _at_least(scope, _inside(scope, stop, size, size), low)
        return _reaching(scope, x, axis, high).strided(axis, low, high, step)
    # Backwards from start to after stop: the cells from stop + 1 to start, reversed.
    high = size if start is None else _inside(scope, _next(start), size, size)
    low = 0 if stop is None else _inside(scope, _next(stop), size, size)
    high = _at_least(scope, high, low)
    reach = high - low - 1
    first = low + reach - reach // -step * -step  # the last cell that steps from the start reach
    if (scope.least(reach) or 0) < 0:
        first = _settled(scope, dim_min(first, high))
    return x.strided(axis, first, high, -step).reverse(axis)


def _reaching(scope: Scope, x: Tensor, axis: int, stop: DimLike) -> Tensor:
    """An axis long enough for a bound. If the bound is inside only because of a dim's greatest value, the axis is
    extended by cells that no admitted size reaches: the verifier only knows least values."""
    room = bounds(x.shape[axis] - stop, _least_ranges(scope))[0]
    if room is not None and room >= 0:
        return x
    more = dim_max(0, stop - x.shape[axis])
    rest = [0] * x.rank
    return x if more == 0 else x.pad(rest, [more if i == axis else 0 for i in range(x.rank)])


def _next(bound: DimLike) -> DimLike | None:
    """The bound one cell further; None, the end of the axis, for −1."""
    return None if bound == -1 else bound + 1


def _inside(scope: Scope, bound: DimLike | None, size: DimLike, default: DimLike) -> DimLike:
    """A bound on an open axis: negative ones count from the end, and all are clamped to the axis. One that is
    negative for the least sizes alone counts from the start."""
    if bound is None:
        return default
    low, high = bounds(bound, scope.expander.ranges)
    if high is not None and high < 0:
        return _at_least(scope, size + bound, 0)
    if low is None or (low < 0 and high is not None):  # as −T + 2
        back = dim_max(0, dim_min(1, -bound))
        bound = _settled(scope, dim_max(0, dim_min(size, bound + back * size)))
    elif low < 0:  # as T − 2
        bound = _settled(scope, dim_max(bound, 0))
    least = scope.least(size - bound)
    if least is not None and least >= 0:
        return bound
    if (most := bounds(size - bound, scope.expander.ranges)[1]) is not None and most <= 0:
        return size
    return _settled(scope, dim_min(bound, size))


def _at_least(scope: Scope, size: DimLike, low: DimLike) -> DimLike:
    least = scope.least(size - low)
    return size if least is not None and least >= 0 else _settled(scope, dim_max(size, low))


def _settled(scope: Scope, size: DimLike) -> DimLike:
    """A size as the least values of the dims let it be written: slices of slices stay as short as they can."""
    return settled(size, _least_ranges(scope))


def _least_ranges(scope: Scope) -> dict[str, Range]:
    return {name: (low, None) for name, (low, _) in scope.expander.ranges.items()}


def expand_split(scope: Scope) -> Mapping[str, Signal]:
    """The parts of an axis, one per port."""
    spec, signal = scope.spec, scope.input
    assert isinstance(spec, Split)
    axis = scope.axis(signal, spec.axis, batch=True)
    sizes = _part_sizes(scope, spec, signal, axis)
    lengths = kept_lengths(scope, [axis])
    parts: dict[str, Signal] = {}
    start: DimLike = 0
    for position, size in enumerate(sizes):
        text = f"part {position} of {len(sizes)} of {signal.shape[axis]}"
        scope.derive(axis, text, signal.origins[axis])
        parts[str(position)] = scope.give(signal.tensor.slice(axis, start, start + size), lengths)
        start = start + size
    return {"": parts["0"], **parts}


def _part_sizes(scope: Scope, spec: Split, signal: Signal, axis: int) -> Sequence[DimLike]:
    size = signal.shape[axis]
    if spec.sizes is not None:
        sizes = list(scope.shape(spec.sizes))
        total: DimLike = 0
        for cells in sizes:
            total = total + cells
        if total != size:
            message = f"the parts have {total} cells, the axis has {size}"
            raise scope.problem("NW0308", message, "sizes", labels=scope.trace((signal, axis)))
        return sizes
    assert spec.parts is not None
    part = exact_div(size, spec.parts)
    if part is not None:
        return [part] * spec.parts
    if isinstance(size, int):
        part = -(-size // spec.parts)
        rest = size - part * (spec.parts - 1)
        if rest >= 1:
            return [part] * (spec.parts - 1) + [rest]
    message = f"an axis of {size} does not split into {spec.parts} parts"
    raise scope.problem("NW0308", message, "parts", labels=scope.trace((signal, axis)))


EXPANSIONS = {
    Transpose: Expansion(expand_transpose, honours_lengths=True),
    Slice: Expansion(expand_slice, honours_lengths=True),
    Split: Expansion(expand_split, honours_lengths=True),
}
