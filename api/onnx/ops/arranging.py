"""Operators that slice, repeat and pad."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.specs.dims import Dim, DimLike, Shape, bounds, exact_div

from ..agreement import Sizes
from ..arrange import held_of, identity, regrouped, settled
from ..context import Context
from ..errors import Refusal
from ..fold import checked_axis
from ..fold.shapes import bounded, slices
from ..formulas import inlined
from ..network import written
from ..operands import Held, Known, Vacant, Value, dims_array, empty, is_one
from ..tensors import MAX_CONTINUED
from .broadcast import broadcast_shape, equation
from .table import op


def with_axes(ctx: Context, value: Held, axes: list[int]) -> Held:
    """``value`` held with all of these logical axes."""
    missing = tuple(axis for axis in axes if axis not in value.axes)
    if not missing:
        return value
    order = (*value.axes, *missing)
    return Held(ctx.arranged(value, order), value.dtype, value.shape, order)


@op("Slice", attributes="axes ends starts")
def slice_(ctx: Context) -> None:
    """Cells from starts to before ends. Both values and positions may depend on open sizes."""
    value = ctx.held()
    arrays: list[NDArray | None] = [None]
    for position, what in enumerate(("starts", "ends", "axes", "steps"), 1):
        arrays.append(dims_array(ctx.sizes(position, what)) if ctx.has(position) else None)
    if "starts" not in ctx.node.attributes and (arrays[1] is None or arrays[2] is None):
        raise Refusal("starts and ends are missing")
    cuts = {}
    for axis, (start, end, step) in slices(value.rank, arrays, ctx.node.attributes).items():
        size = value.shape[axis]
        if isinstance(size, int) and not isinstance(start, Dim) and not isinstance(end, Dim):
            first, last = bounded(start, size, step), bounded(end, size, step, end=True)
            count = max(0, -((first - last) // step))
            if count == 0:
                shape = tuple(0 if i == axis else s for i, s in enumerate(value.shape))
                return ctx.give(empty(shape, value.dtype))
            if count == size and step == 1:
                continue
            cuts[axis] = (first, last if last >= 0 else None, step)
        else:
            cut = _open(size, start, end, step)
            if cut in ((0, None, 1), (None, None, 1)):
                continue
            cuts[axis] = cut
    if not cuts:
        return ctx.give(value)
    value = with_axes(ctx, value, list(cuts))
    positions = sorted((value.axes.index(axis), cut) for axis, cut in cuts.items())
    keys: dict[str, Any] = {"axes": [position for position, _ in positions]}
    if any(cut[0] not in (0, None) for _, cut in positions):
        keys["starts"] = [_written(cut[0]) for _, cut in positions]
    if any(cut[1] is not None for _, cut in positions):
        keys["stops"] = [_written(cut[1]) for _, cut in positions]
    if any(cut[2] != 1 for _, cut in positions):
        keys["steps"] = [cut[2] for _, cut in positions]
    ref = ctx.layer("slice", [value.ref], keys)
    whole = ctx.writer.stretched.get(value.ref)
    if isinstance(whole, Known) and whole.array.size == 1:  # a slice of a single number is that number
        ctx.writer.stretched[ref] = whole
    ctx.give(ctx.held_as(ref, value.axes, value.rank))


def _open(size: DimLike, start: Any, end: Any, step: int) -> tuple[Any, Any, int]:
    """The slice of an open size, without ends that lie beyond all its values."""
    far = 2**31 - 1
    for bound in (start, end):
        if isinstance(bound, Dim) and any(abs(factor) >= far for monomial, factor in bound.terms if monomial):
            raise Refusal(
                "a position that lies beyond the axis for some open sizes, and counts back from its end for others"
            )
    if step < 0:
        start = None if isinstance(start, int) and (start >= far or start == -1) else start
        end = None if isinstance(end, int) and end <= -far else end
    else:
        end = None if (isinstance(end, int) and end >= far) or end == size else end
        start = None if isinstance(start, int) and start <= -far else start
    return start, end, step


def _written(size: Any) -> Any:
    return None if size is None else written(size)


@op("Split", attributes="axis num_outputs split")
def split(ctx: Context) -> None:
    """Consecutive parts of an axis."""
    sizes = ctx.integers("split") or (ctx.sizes(1, "the sizes of the parts") if ctx.has(1) else None)
    given = ctx.value()
    axis, count = ctx.axis(0, len(given.shape)), len(ctx.node.outputs)
    if ctx.integer("num_outputs", count) != count or ("num_outputs" in ctx.node.attributes and sizes):
        raise Refusal(f"there are {count} outputs, and perhaps their sizes", "num_outputs")
    whole = [size for size in sizes or () if isinstance(size, int)]
    if isinstance(given, Known) and sizes is not None and not given.is_open and len(whole) == len(sizes):
        if sum(whole) != given.shape[axis] or len(whole) != count or min(whole) < 0:
            raise Refusal(f"{given.shape[axis]} cells as {whole}")
        ends = np.cumsum(whole)[:-1]
        for i, part in enumerate(np.split(given.array, ends, axis)):
            ctx.give(Known.of(part), i)
        return
    value = ctx.settled(given)
    size = value.shape[axis]
    if sizes is None:
        if not isinstance(size, int):
            if not isinstance(size // count * count - size, int):
                mismatch = Sizes(size // count * count, size)
                raise Refusal(f"an axis of the open size {size} is split into {count} parts", "", [mismatch])
            sizes = [size // count] * count
        else:
            part = -(-size // count)
            sizes = [min(part, max(0, size - i * part)) for i in range(count)]
    if len(sizes) != count:
        raise Refusal(f"{len(sizes)} sizes for {count} outputs")
    if count == 1:
        return ctx.give(value)
    kept = [(i, part) for i, part in enumerate(sizes) if not (isinstance(part, int) and part == 0)]
    for i, cells in enumerate(sizes):
        if isinstance(cells, int) and cells == 0:
            shape = tuple(0 if a == axis else s for a, s in enumerate(value.shape))
            ctx.give(empty(shape, value.dtype), i)
    if len(kept) == 1:
        return ctx.give(value, kept[0][0])
    value = with_axes(ctx, value, [axis])
    position = value.axes.index(axis)
    keys: dict[str, Any] = {"axis": position if position < len(value.axes) - 1 else -1}
    parts = [part for _, part in kept]
    if all(part == parts[0] for part in parts):
        keys["parts"] = len(parts)
    else:
        keys["sizes"] = [written(part) for part in parts]
    ports = [str(i) for i in range(len(parts))]
    ref = ctx.layer("split", [value.ref], keys, ports=ports)
    for port, (i, _) in enumerate(kept):
        ctx.give(ctx.held_as(f"{ref}.{port}", value.axes, value.rank), i)


@op("Pad", attributes="mode paddings pads value")
def pad(ctx: Context) -> None:
    """Pads by a mode; negative numbers cut cells off."""
    value = ctx.held()
    mode = ctx.text("mode", "constant", "constant", "reflect", "edge", "wrap")
    if ctx.opset < 11:
        pads: list[DimLike] = list(ctx.integers("pads") or ())
        fill: Any = ctx.number("value", 0.0)
    else:
        pads = ctx.sizes(1, "the padding")
        fill = ctx.array(2, "the fill value").reshape(-1)[0].item() if ctx.has(2) else 0.0
    axes = list(range(value.rank))
    if ctx.has(3):
        axes = [checked_axis(int(axis), value.rank) for axis in ctx.array(3, "the list of axes").reshape(-1)]
    if len(pads) != 2 * len(axes):
        raise Refusal(f"{len(pads)} numbers for {len(axes)} axes")
    pairs = {axis: (pads[i], pads[i + len(axes)]) for i, axis in enumerate(axes)}
    pairs = {axis: pair for axis, pair in pairs.items() if pair != (0, 0)}
    if not pairs:
        return ctx.give(value)
    known = [amount for pair in pairs.values() for amount in pair if isinstance(amount, int)]
    if mode != "constant" and any(abs(amount) > MAX_CONTINUED for amount in known):
        raise Refusal("the padding is too long")
    value = with_axes(ctx, value, list(pairs))
    rows = sorted((value.axes.index(axis), pair) for axis, pair in pairs.items())
    keys: dict[str, Any] = {
        "padding": [[written(amount) for amount in pair] for _, pair in rows],
        "axes": [at for at, _ in rows],
    }
    if mode != "constant":
        keys["mode"] = mode
    # the language has no such number: put it in place of the padding afterwards
    elif not math.isfinite(fill):
        inside = equation(ctx, "logical_or(x == x, x != x)", {"x": value}, fallback="inside")
        cells, inside = (
            ctx.held_as(ctx.layer("pad", [held.ref], keys), held.axes, held.rank) for held in (value, inside)
        )
        number = inlined(np.asarray(fill))
        operands = {"c": inside, "x": cells}
        return ctx.give(equation(ctx, f"where(c, x, {number})", operands, fallback="pad"))
    elif fill:
        keys["value"] = fill if value.dtype == "bool" else float(fill)
    ref = ctx.layer("pad", [value.ref], keys)
    ctx.give(ctx.held_as(ref, value.axes, value.rank))


@op("Tile")
def tile(ctx: Context) -> None:
    """The whole tensor repeated along each axis."""
    value = ctx.held()
    repeats = ctx.sizes(1, "the repeats")
    if len(repeats) != value.rank:
        raise Refusal(f"{len(repeats)} repeats for {value.rank} axes")
    if 0 in repeats:
        shape = tuple(size * repeat for size, repeat in zip(value.shape, repeats, strict=True))
        return ctx.give(empty(shape, value.dtype))
    value = with_axes(ctx, value, [axis for axis, repeat in enumerate(repeats) if not is_one(repeat)])
    counts = [1 if axis is None else repeats[axis] for axis in value.axes]
    if all(is_one(count) for count in counts):
        return ctx.give(value)
    ref = ctx.layer("tile", [value.ref], {"repeats": [written(count) for count in counts]})
    ctx.give(ctx.held_as(ref, value.axes, value.rank))


@op("Expand", since=8)
def expand(ctx: Context) -> None:
    """Axes of size 1 expanded to a shape, which broadcasts in both directions."""
    ctx.give(stretched(ctx, ctx.value(), broadcast_shape(ctx.shape(), tuple(ctx.sizes(1, "the shape")))))


@op("ConstantOfShape", attributes="value", since=9)
def constant_of_shape(ctx: Context) -> None:
    """One number everywhere; folded if the shape has no open size."""
    value = ctx.attribute("value", np.zeros(1, np.float32))
    if not isinstance(value, np.ndarray) or value.size != 1:
        raise Refusal("the value is not one number", "value")
    ctx.give(stretched(ctx, Known.of(value.reshape(())), tuple(ctx.sizes(0, "the shape"))))


def stretched(ctx: Context, given: Value, shape: Shape) -> Held | Known | Vacant:
    """A value whose axes of size 1 are expanded to a shape."""
    if isinstance(given, Known) and given.is_open and given.array.size == 1:
        value = equation(ctx, f"cast(n, {given.dtype})", {"n": Known(given.array.reshape(()), given.dtype)})
        value = Held(value.ref, value.dtype, (), value.axes)
    else:
        value = held_of(ctx.writer, given)
    if 0 in shape:
        return empty(shape, value.dtype)
    offset = len(shape) - value.rank
    axes = tuple(None if axis is None else axis + offset for axis in value.axes)
    widened = (*(1,) * offset, *value.shape)
    value = Held(value.ref, value.dtype, widened, axes)
    if shape == widened:
        return value
    stretched = [axis for axis, size in enumerate(shape) if not is_one(size) and axis not in axes]
    order = tuple(sorted([*[a for a in axes if a is not None], *stretched]))
    if [a for a in axes if a is not None] == sorted(a for a in axes if a is not None):
        value = Held(ctx.arranged(value, order), value.dtype, widened, order)
    else:
        value = with_axes(ctx, value, stretched)
    target = [1 if axis is None else shape[axis] for axis in value.axes]
    ref = ctx.layer("broadcast_to", [value.ref], {"shape": [written(size) for size in target]})
    ctx.writer.stretched[ref] = given if isinstance(given, Known) else settled(ctx.writer, given)
    return ctx.held_as(ref, value.axes, len(shape))


@op("Gather", attributes="axis")
def gather(ctx: Context) -> None:
    """Slices by position along an axis, which is replaced by the axes of the positions."""
    indices = ctx.value(1)
    data = ctx.value(0)
    axis = ctx.axis(0, len(data.shape))
    if isinstance(indices, Known):
        return _gather_known(ctx, ctx.held(0), axis, indices)
    positions = ctx.settled(indices)
    table = isinstance(data, Known) and len(data.shape) == 2 and axis == 0 and data.dtype == ctx.writer.dtype
    if table and isinstance(data, Known) and not data.is_open:
        keys = {"input_dim": data.array.shape[0], "output_dim": data.array.shape[1]}
        order = identity(positions.rank) or (None,)
        ref = ctx.layer("embedding", [ctx.arranged(positions, order)], keys, {"embeddings": data.array})
        axes: tuple[int | None, ...] = (*order, positions.rank)
        return ctx.give(ctx.held_as(ref, axes, positions.rank + 1))
    value = ctx.held(0)
    order = identity(value.rank)
    inner = identity(positions.rank) or (None,)
    refs = [ctx.arranged(value, order), ctx.arranged(positions, inner)]
    ref = ctx.layer("gather", refs, {"axis": axis} if axis else None)
    if positions.rank == 0:  # a single position becomes an axis of size 1
        axes = (*range(axis), None, *range(axis, value.rank - 1))
        return ctx.give(ctx.held_as(ref, axes, value.rank - 1))
    rank = value.rank - 1 + positions.rank
    ctx.give(ctx.held_as(ref, identity(rank), rank))


def _gather_known(ctx: Context, value: Held, axis: int, indices: Known) -> None:
    if indices.is_open:
        return _gather_open(ctx, value, axis, indices)
    positions, size = indices.array, value.shape[axis]
    if isinstance(size, int) and ((positions < -size) | (positions >= size)).any():
        raise Refusal(f"a position outside the {size} that there are")
    if positions.ndim > 1:
        order = identity(value.rank)
        ref = ctx.layer("gather", [ctx.arranged(value, order)], {"axis": axis, "indices": positions.tolist()})
        rank = value.rank - 1 + positions.ndim
        return ctx.give(ctx.held_as(ref, identity(rank), rank))
    value = with_axes(ctx, value, [axis])
    position = value.axes.index(axis)
    keys = {"axis": position, "indices": positions.reshape(-1).tolist()}
    ref = ctx.layer("gather", [value.ref], keys)
    if positions.ndim == 1:
        return ctx.give(ctx.held_as(ref, value.axes, value.rank))
    axes = tuple(None if a is None or a == axis else a - (a > axis) for a in value.axes)
    ctx.give(ctx.held_as(ref, axes, value.rank - 1))


def _gather_open(ctx: Context, value: Held, axis: int, indices: Known) -> None:
    """Cells at positions that depend on open sizes, such as the last one."""
    size, positions = value.shape[axis], list(indices.array.reshape(-1))
    if indices.array.ndim > 1:
        raise Refusal("positions that depend on open sizes are more than a row")
    ranges = ctx.writer.sketch.ranges
    rows: list[DimLike] = []
    for position in positions:
        low, high = bounds(position, ranges)
        if high is not None and high < 0:
            position, (low, high) = position + size, bounds(position + size, ranges)
        room = bounds(size - 1 - position, ranges)[0]
        if low is None or low < 0 or room is None or room < 0:
            raise Refusal(f"the position {position} may be outside the {size} that there are")
        rows.append(position)
    value = with_axes(ctx, value, [axis])
    place = value.axes.index(axis)
    refs = [
        ctx.layer(
            "slice", [value.ref], {"axes": [place], "starts": [written(row)], "stops": [written(row + 1)]}
        )
        for row in rows
    ]
    if len(refs) != 1:
        keys = {"axis": place} if place != len(value.axes) - 1 else None
        return ctx.give(ctx.held_as(ctx.layer("concat", refs, keys), value.axes, value.rank))
    if indices.array.ndim:
        return ctx.give(ctx.held_as(refs[0], value.axes, value.rank))
    axes = tuple(None if a is None or a == axis else a - (a > axis) for a in value.axes)
    ctx.give(ctx.held_as(refs[0], axes, value.rank - 1))


def check_blocks(sizes: Shape, part: int) -> None:
    """Raises Refusal unless axes consist of whole blocks."""
    mismatches = [Sizes(size, part, divides=True) for size in sizes if exact_div(size, part) is None]
    if mismatches:
        raise Refusal(f"blocks of {part} of {[str(size) for size in sizes]}", "blocksize", mismatches)


@op("DepthToSpace", attributes="blocksize mode")
def depth_to_space(ctx: Context) -> None:
    """Moves channels to space."""
    mode, size = ctx.text("mode", "DCR", "DCR", "CRD"), ctx.integer("blocksize", 0)
    value = ctx.held()
    if value.rank != 4 or size < 1 or isinstance(value.shape[1], int):
        return _blocks(ctx, "depth_to_space", {} if mode == "DCR" else {"mode": "crd"})
    n, c, h, w = value.shape
    check_blocks((c,), size * size)
    c = c // (size * size)
    parts, order = ((size, size, c), (3, 4, 1, 5, 2)) if mode == "DCR" else ((c, size, size), (1, 4, 2, 5, 3))
    ctx.give(_by_parts(ctx, value, (n, *parts, h, w), (0, *order), (n, c, h * size, w * size)))


@op("SpaceToDepth", attributes="blocksize mode")
def space_to_depth(ctx: Context) -> None:
    """Moves space to channels."""
    mode, size = ctx.text("mode", "DCR", "DCR", "CRD"), ctx.integer("blocksize", 0)
    value = ctx.held()
    # The layer has a number of channels. Where space moves to the batch, these are the batch.
    if mode == "DCR" and (value.rank != 4 or size < 1 or isinstance(value.shape[1], int)):
        return _blocks(ctx, "space_to_depth", {})
    if value.rank != 4 or size < 1:
        raise Refusal(f"blocks of {size} of {[str(s) for s in value.shape]}", "blocksize")
    check_blocks(value.shape[2:], size)
    n, c, (h, w) = value.shape[0], value.shape[1], (extent // size for extent in value.shape[2:])
    order = (0, 3, 5, 1, 2, 4) if mode == "DCR" else (0, 1, 3, 5, 2, 4)
    ctx.give(_by_parts(ctx, value, (n, c, h, size, w, size), order, (n, c * size * size, h, w)))


def _by_parts(ctx: Context, value: Held, parts: Shape, order: Sequence[int], shape: Shape) -> Held:
    """``value`` with axes divided into ``parts``, which are put in another ``order`` and joined to ``shape``."""
    parted = regrouped(ctx.writer, value, parts, may_merge=False)
    assert isinstance(parted, Held)
    axes = tuple(None if axis is None else order.index(axis) for axis in parted.axes)
    moved = Held(parted.ref, parted.dtype, tuple(parts[axis] for axis in order), axes)
    joined = regrouped(ctx.writer, moved, shape, may_merge=False)
    assert isinstance(joined, Held)
    return joined


def _blocks(ctx: Context, kind: str, keys: dict[str, Any]) -> None:
    value = ctx.held()
    if value.rank != 4:
        raise Refusal(f"an input of {value.rank} axes")
    size = ctx.integer("blocksize", 0)
    axes = (0, 2, 3, 1)
    if kind == "space_to_depth" and size > 0:
        check_blocks(value.shape[2:], size)
    ref = ctx.layer(kind, [ctx.arranged(value, axes)], {"block_size": size, **keys})
    ctx.give(ctx.held_as(ref, axes))
