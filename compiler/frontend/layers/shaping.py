"""Layers that reshape or join values: flatten, reshape, concat, add and multiply."""

from __future__ import annotations

from math import lcm

from netwright.specs.dims import DimLike, Shape, exact_div, fitting_multiples, product
from netwright.specs.models.base import MOST_AXES
from netwright.specs.models.layers.shaping import (
    Add,
    Concat,
    DepthToSpace,
    Flatten,
    Multiply,
    Reshape,
    SpaceToDepth,
)

from ...ops.views.layout import show
from ..expansion import Expansion
from ..origins import input_sizes, smallest_agreement
from ..problem import show_type
from ..scope import Scope, Signal
from ..tensor import Tensor, concat, full


def expand_flatten(scope: Scope) -> Signal:
    """Merges the axes from ``start_axis`` on."""
    spec, signal = scope.spec, scope.input
    assert isinstance(spec, Flatten)
    start = spec.start_axis
    if start >= signal.rank:
        message = f"there is no axis {start} in {show(signal.shape)}"
        raise scope.problem("NW0318", message, "start_axis", labels=scope.blame(signal))
    if start < 2:
        scope.refuse_lengths(signal, "it joins the steps; start_axis: 2 keeps them", "start_axis")
    joined = signal.shape[start:]
    size = product(joined)
    if len(joined) > 1:
        text = f"{size} = {' · '.join(str(factor) for factor in joined)}"
        scope.derive(start, text, *dict.fromkeys(signal.origins[start:]))
    return scope.give(signal.tensor.reshape((*signal.shape[:start], size)), signal.lengths)


def expand_reshape(scope: Scope) -> Signal:
    """The same values in another shape."""
    spec, signal = scope.spec, scope.input
    assert isinstance(spec, Reshape)
    written = scope.shape(spec.shape)
    known = product(size for size in written if size != -1)
    total = product(signal.shape)
    rest = exact_div(total, known) if -1 in written else None
    if (rest is None) if -1 in written else (known != total):
        message = f"{show(signal.shape)} has {total} elements, {show(written)} has {known}"
        if -1 in written:
            message = f"the {total} elements of {show(signal.shape)} do not divide by {known}"
        raise scope.problem("NW0317", message, "shape", labels=scope.blame(signal))
    shape: tuple[DimLike, ...] = tuple(rest if size == -1 and rest is not None else size for size in written)
    if shape[:2] != signal.shape[:2]:
        scope.refuse_lengths(signal, "it does not keep batch and time", "shape")
    return scope.give(signal.tensor.reshape(shape), signal.lengths)


def expand_concat(scope: Scope) -> Signal:
    """Joins the inputs along an axis."""
    spec, first = scope.spec, scope.inputs[0]
    assert isinstance(spec, Concat)
    axis = scope.axis(first, spec.axis)
    for position, other in enumerate(scope.inputs[1:], 1):
        _check_joined(scope, position, other, axis)
    if axis == 1:
        for signal in scope.inputs:
            scope.refuse_lengths(signal, "it would put steps after padding", "axis")
    joined = concat([signal.tensor for signal in scope.inputs], axis)
    parts = " + ".join(str(signal.shape[axis]) for signal in scope.inputs)
    origins = dict.fromkeys(signal.origins[axis] for signal in scope.inputs)
    scope.derive(axis, f"{joined.shape[axis]} = {parts}", *origins)
    return scope.give(joined, _joined_lengths(scope) if axis == 0 else _lengths(scope, joined.shape))


def expand_sum_or_product(scope: Scope) -> Signal:
    """Adds or multiplies the inputs element by element; factors are stretched along axes of size 1."""
    stretched = isinstance(scope.spec, Multiply)
    for position, other in enumerate(scope.inputs[1:], 1):
        for earlier in range(position if stretched else 1):
            _check_joined(scope, position, other, None, earlier, stretched=stretched)
    first, *rest = (signal.tensor for signal in scope.inputs)
    total: Tensor = first
    for tensor in rest:
        total = total * tensor if stretched else total + tensor
    return scope.give(total, _lengths(scope, total.shape))


def _check_joined(
    scope: Scope,
    position: int,
    other: Signal,
    free_axis: int | None,
    earlier: int = 0,
    *,
    stretched: bool = False,
) -> None:
    """Raises Problem unless an input has the type of an earlier one, except on one axis, or on axes of size 1."""
    first = scope.inputs[earlier]
    path = ("inputs", position)
    this, that = scope.refs[position], scope.refs[earlier]
    rows = zip(first.shape, other.shape, strict=False)
    differing = [
        axis
        for axis, (a, b) in enumerate(rows)
        if a != b and axis != free_axis and not (stretched and 1 in (a, b))
    ]
    if first.rank != other.rank or differing:
        axis = differing[0] if differing else -1
        message = f"{this} is {show(other.shape)} and {that} is {show(first.shape)}"
        if free_axis is not None:
            message += f"; they may differ in axis {free_axis} only"
        labels = scope.trace((first, axis), (other, axis))
        same = [smallest_agreement(first.origins[axis], other.origins[axis]) for axis in differing]
        fixes = input_sizes(scope.expander.load, same) if first.rank == other.rank else ()
        raise scope.problem(
            "NW0308", message, *path, labels=labels, fixes=fixes, help=_multiples(first, other, differing)
        )
    if first.dtype != other.dtype or first.dtype == "bool":
        message = f"{this} is {show_type(other.dtype, other.shape)} and {that} is {show_type(first.dtype, first.shape)}"
        labels = [*scope.blame(first), *scope.blame(other)]
        raise scope.problem("NW0311", message, *path, labels=labels)


def _multiples(first: Signal, other: Signal, axes: list[int]) -> str | None:
    """The multiples that dims must be declared with for the inputs to agree, if nothing else is missing."""
    if first.rank != other.rank:
        return None
    multiples: dict[str, int] = {}
    for axis in axes:
        fitting = fitting_multiples(first.shape[axis], other.shape[axis])
        if not fitting:
            return None
        multiples |= {name: lcm(number, multiples.get(name, 1)) for name, number in fitting.items()}
    dims = ", ".join(f"{name}: {{multiple_of: {number}}}" for name, number in multiples.items())
    return f"they agree where dims: {{{dims}}}" if multiples else None


def _lengths(scope: Scope, shape: Shape) -> Tensor | None:
    """The common lengths of the inputs, which are as long as the result, whose shape this is, or stretched to it.
    Raises Problem if they differ."""
    common: Tensor | None = None
    for position, signal in enumerate(scope.inputs):
        lengths = scope.stretched_lengths(signal, shape)
        if lengths is None:
            continue
        if common is not None and lengths != common:
            message = f"{scope.refs[position]} has other lengths than the inputs before it"
            raise scope.problem("NW0315", message, "inputs", position)
        common = lengths
    return common


def _joined_lengths(scope: Scope) -> Tensor | None:
    """The lengths of the inputs one after another; an input without lengths has all steps."""
    given = next((signal.lengths for signal in scope.inputs if signal.lengths is not None), None)
    if given is None:
        return None
    parts: list[Tensor] = []
    for signal in scope.inputs:
        lengths = signal.lengths
        if lengths is None:
            lengths = full(given.graph, 0, given.type.with_shape(signal.shape[:1])) + given.count(
                signal.shape[1]
            )
        parts.append(lengths)
    return concat(parts, 0)


def expand_depth_to_space(scope: Scope) -> Signal:
    """[N, *S, bⁿ·C] as [N, *b·S, C], for n spatial axes."""
    spec, signal = scope.spec, scope.input
    assert isinstance(spec, DepthToSpace)
    scope.check_rank(signal, "[N, …, C]", signal.rank >= 3)
    block, spatial = spec.block_size, signal.rank - 2
    channels = scope.static(signal)
    if channels % block**spatial:
        message = f"{channels} channels do not divide into blocks of {block**spatial}"
        raise scope.problem("NW0308", message, "block_size", labels=scope.blame(signal))
    x, leading = (
        signal.tensor,
        spec.mode == "dcr",
    )  # whether the blocks are the channels' first axes, or the last
    groups = _groups(spatial)
    for axes in groups if leading else reversed(groups):
        blocks, last = (block,) * len(axes), x.rank - 1
        left = exact_div(x.shape[last], block ** len(axes))
        assert left is not None
        wide = x.reshape((*x.shape[:last], *((*blocks, left) if leading else (left, *blocks))))
        first, channel = (last, last + len(axes)) if leading else (last + 1, last)
        order: list[int] = []
        for axis in range(last):  # each block goes behind its own axis
            order += [axis, first + axes.index(axis)] if axis in axes else [axis]
        sizes = [size * block if axis in axes else size for axis, size in enumerate(x.shape[:last])]
        x = wide.transpose(*order, channel).reshape((*sizes, left))
    return scope.give(x)


def expand_space_to_depth(scope: Scope) -> Signal:
    """[N, *b·S, C] as [N, *S, bⁿ·C], for n spatial axes."""
    spec, signal = scope.spec, scope.input
    assert isinstance(spec, SpaceToDepth)
    scope.check_rank(signal, "[N, …, C]", signal.rank >= 3)
    block, spatial = spec.block_size, signal.rank - 2
    scope.static(signal)
    cells: list[DimLike] = []
    for axis, size in enumerate(signal.shape[1:-1], 1):
        part = exact_div(size, block)
        if part is None:
            message = f"{size} cells do not divide into blocks of {block}"
            raise scope.problem("NW0308", message, "block_size", labels=scope.trace((signal, axis)))
        cells.append(part)
    x = signal.tensor
    for axes in reversed(_groups(spatial)):
        split: list[DimLike] = []
        outer: list[int] = []
        inner: list[int] = []
        for axis, size in enumerate(x.shape[:-1]):
            outer.append(len(split))
            split.append(cells[axis - 1] if axis in axes else size)
            if axis in axes:
                inner.append(len(split))
                split.append(block)
        wide = x.reshape((*split, x.shape[-1])).transpose(*outer, *inner, len(split))
        x = wide.reshape((*(split[axis] for axis in outer), x.shape[-1] * block ** len(axes)))
    return scope.give(x)


def _groups(spatial: int) -> list[range]:
    """The spatial axes, as many at once as leave room for their blocks in a shape that can be written."""
    most = max(1, MOST_AXES - 2 - spatial)
    return [range(first, min(first + most, 1 + spatial)) for first in range(1, 1 + spatial, most)]


EXPANSIONS = {
    Flatten: Expansion(expand_flatten, honours_lengths=True),
    Reshape: Expansion(expand_reshape, honours_lengths=True),
    Concat: Expansion(expand_concat, honours_lengths=True),
    Add: Expansion(expand_sum_or_product, honours_lengths=True),
    Multiply: Expansion(expand_sum_or_product, honours_lengths=True),
    DepthToSpace: Expansion(expand_depth_to_space, honours_lengths=False),
    SpaceToDepth: Expansion(expand_space_to_depth, honours_lengths=False),
}
