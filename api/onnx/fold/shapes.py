"""Folds shape and indexing operators."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.specs.dims import Dim, exact_div, product

from ..agreement import Sizes
from ..errors import Refusal
from .numbers import elementwise, larger, smaller
from .table import FOLDS, Arrays, Folding, axes_of, check_size, checked_axis, first, fold, integers, pair


@fold("Identity")
def _identity(arrays: Arrays, attributes: Mapping[str, Any], at: Folding) -> list[NDArray] | None:
    return [first(arrays)]


@fold("ConstantOfShape")
def _constant_of_shape(arrays: Arrays, attributes: Mapping[str, Any], at: Folding) -> list[NDArray] | None:
    if first(arrays).dtype == object:
        return None
    shape = integers(first(arrays))
    value = attributes.get("value", np.zeros(1, np.float32))
    if not isinstance(value, np.ndarray) or value.size != 1:
        raise Refusal(getattr(value, "reason", "the value is not one number"), "value")
    check_size(shape)
    return [np.full(shape, value.reshape(()))]


@fold("Size")
def _size(arrays: Arrays, attributes: Mapping[str, Any], at: Folding) -> list[NDArray] | None:
    return [np.asarray(first(arrays).size, np.int64)]


@fold("Range")
def _range(arrays: Arrays, attributes: Mapping[str, Any], at: Folding) -> list[NDArray] | None:
    if len(arrays) != 3 or any(array is None or array.size != 1 for array in arrays):
        raise Refusal("start, limit and delta are one number each")
    start, limit, delta = (array.reshape(()) for array in arrays if array is not None)
    if object in (start.dtype, limit.dtype, delta.dtype):
        return None
    if delta == 0 or not np.isfinite(np.float64(limit) - np.float64(start)):
        raise Refusal("the range does not end")
    count = max(0, int(np.ceil((np.float64(limit) - np.float64(start)) / np.float64(delta))))
    check_size([count])
    return [(start + np.arange(count).astype(start.dtype) * delta).astype(start.dtype)]


def reshaped(shape: Sequence[Any], target: Sequence[Any], allow_zero: bool) -> list[Any]:
    """The new shape in a Reshape: 0 keeps a size, -1 is computed from the others. Raises Refusal."""
    if not allow_zero:
        if any(isinstance(size, int) and size == 0 and i >= len(shape) for i, size in enumerate(target)):
            raise Refusal("a size of 0 stands for one that the operand does not have")
        target = [shape[i] if isinstance(size, int) and size == 0 else size for i, size in enumerate(target)]
    holes = [i for i, size in enumerate(target) if isinstance(size, int) and size == -1]
    sizes = list(target)
    if len(holes) > 1 or any(isinstance(size, int) and size < -1 for size in target):
        raise Refusal(f"{sizes} is no shape")
    known, total = product(size for i, size in enumerate(target) if i not in holes), product(shape)
    if holes:
        rest = exact_div(total, known) if known != 0 else None
        if rest is None:
            raise Refusal(
                f"{total} elements do not divide by {known}", "", [Sizes(total, known, divides=True)]
            )
        sizes[holes[0]] = rest
    elif known != total:
        shown = list(map(str, sizes))
        raise Refusal(f"{total} elements do not fit the shape {shown}", "", [Sizes(known, total)])
    return sizes


@fold("Reshape")
def _reshape(arrays: Arrays, attributes: Mapping[str, Any], at: Folding) -> list[NDArray] | None:
    array, shape = pair(arrays)
    if shape.dtype == object:
        return None
    sizes = reshaped(array.shape, integers(shape), bool(attributes.get("allowzero", 0)))
    return [array.reshape(sizes)]


@fold("Flatten")
def _flatten(arrays: Arrays, attributes: Mapping[str, Any], at: Folding) -> list[NDArray] | None:
    array = first(arrays)
    axis = checked_axis(int(attributes.get("axis", 1)), array.ndim, end=True)
    return [array.reshape(int(np.prod(array.shape[:axis], dtype=np.int64)), -1)] if array.size else None


@fold("Transpose")
def _transpose(arrays: Arrays, attributes: Mapping[str, Any], at: Folding) -> list[NDArray] | None:
    array = first(arrays)
    order = attributes.get("perm", tuple(reversed(range(array.ndim))))
    if sorted(order) != list(range(array.ndim)):
        raise Refusal(f"{list(order)} is no order of {array.ndim} axes", "perm")
    return [array.transpose(order)]


@fold("Squeeze")
def _squeeze(arrays: Arrays, attributes: Mapping[str, Any], at: Folding) -> list[NDArray] | None:
    array, axes = first(arrays), axes_of(arrays, 1, attributes)
    dropped = tuple(checked_axis(axis, array.ndim) for axis in axes) if axes is not None else None
    if dropped is not None and any(array.shape[axis] != 1 for axis in dropped):
        raise Refusal(f"not all of the axes {list(dropped)} of {list(array.shape)} have size 1")
    return [np.squeeze(array, dropped)]


@fold("Unsqueeze")
def _unsqueeze(arrays: Arrays, attributes: Mapping[str, Any], at: Folding) -> list[NDArray] | None:
    array, axes = first(arrays), axes_of(arrays, 1, attributes)
    if axes is None:
        raise Refusal("no axes are given", "axes")
    added = [checked_axis(axis, array.ndim + len(axes)) for axis in axes]
    if len(set(added)) != len(added):
        raise Refusal(f"the axes {axes} are not all different", "axes")
    return [np.expand_dims(array, tuple(added))]


@fold("Concat")
def _concat(arrays: Arrays, attributes: Mapping[str, Any], at: Folding) -> list[NDArray] | None:
    axis = checked_axis(int(attributes.get("axis", 0)), first(arrays).ndim)
    try:
        return [np.concatenate([array for array in arrays if array is not None], axis)]
    except ValueError as error:
        raise Refusal(str(error)) from None


@fold("Gather")
def _gather(arrays: Arrays, attributes: Mapping[str, Any], at: Folding) -> list[NDArray] | None:
    array, positions = pair(arrays)
    axis = checked_axis(int(attributes.get("axis", 0)), array.ndim)
    size = array.shape[axis]
    if positions.dtype == object:
        return _at_open(array, positions, axis)
    if ((positions < -size) | (positions >= size)).any():
        raise Refusal(f"a position outside the {size} that there are")
    return [np.asarray(np.take(array, np.where(positions < 0, positions + size, positions), axis))]


def _at_open(array: NDArray, positions: NDArray, axis: int) -> list[NDArray] | None:
    """If all positions give the same value, it does not matter which one is read."""
    if array.shape[axis] == 0 or not (array == array.take([0], axis)).all():
        return None
    return [np.asarray(np.take(array, np.zeros(positions.shape, np.int64), axis))]


def slices(rank: int, arrays: Arrays, attributes: Mapping[str, Any]) -> dict[int, tuple[Any, Any, int]]:
    """Start, end and step by axis, as in a Slice. Starts and ends may be open."""
    if "starts" in attributes:
        starts, ends = list(attributes["starts"]), list(attributes["ends"])
        axes, steps = attributes.get("axes"), None
    else:
        starts, ends = (list(array.reshape(-1)) if array is not None else [] for array in arrays[1:3])
        axes = integers(arrays[3]) if len(arrays) > 3 and arrays[3] is not None else None
        steps = integers(arrays[4]) if len(arrays) > 4 and arrays[4] is not None else None
    axes = list(range(len(starts))) if axes is None else list(axes)
    steps = [1] * len(starts) if steps is None else steps
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        raise Refusal("starts, ends, axes and steps do not fit together")
    rows = {checked_axis(axis, rank): row for axis, *row in zip(axes, starts, ends, steps, strict=True)}
    return {axis: (_plain(a), _plain(b), step) for axis, (a, b, step) in rows.items()}


def _plain(size: Any) -> Any:
    return size if isinstance(size, Dim) else int(size)


@fold("Slice")
def _slice(arrays: Arrays, attributes: Mapping[str, Any], at: Folding) -> list[NDArray] | None:
    array = first(arrays)
    index: list[slice] = [slice(None)] * array.ndim
    for axis, (start, end, step) in slices(array.ndim, arrays, attributes).items():
        if isinstance(start, Dim) or isinstance(end, Dim):
            return None
        size = array.shape[axis]
        begin, past = bounded(start, size, step), bounded(end, size, step, end=True)
        index[axis] = slice(begin, past if past >= 0 else None, step)
    return [array[tuple(index)]]


def bounded(position: int, size: int, step: int, *, end: bool = False) -> int:
    """A start or end of a Slice, with negative ones counted from the end, clipped to the axis."""
    position = position + size if position < 0 else position
    if step > 0:
        return min(max(position, 0), size)
    return min(max(position, -1 if end else 0), size - 1)


@fold("Split")
def _split(arrays: Arrays, attributes: Mapping[str, Any], at: Folding) -> list[NDArray] | None:
    array = first(arrays)
    axis = checked_axis(int(attributes.get("axis", 0)), array.ndim)
    sizes = integers(arrays[1]) if len(arrays) > 1 and arrays[1] is not None else attributes.get("split")
    if sizes is None:
        part = -(-array.shape[axis] // max(1, int(attributes.get("num_outputs", at.outputs))))
        sizes = [min(part, array.shape[axis] - start) for start in range(0, array.shape[axis], max(1, part))]
    if not sizes or sum(sizes) != array.shape[axis] or min(sizes) < 0:
        raise Refusal(f"{array.shape[axis]} cells as {list(sizes)}")
    if len(sizes) != at.outputs:
        raise Refusal(f"{len(sizes)} parts for {at.outputs} results")
    return np.split(array, np.cumsum(sizes)[:-1], axis)


@fold("Expand")
def _expand(arrays: Arrays, attributes: Mapping[str, Any], at: Folding) -> list[NDArray] | None:
    array, shape = pair(arrays)
    if shape.dtype == object:
        return None
    target = integers(shape)
    check_size(target)
    try:
        return [np.broadcast_to(array, np.broadcast_shapes(array.shape, tuple(target)))]
    except ValueError as error:
        raise Refusal(str(error)) from None


@fold("Tile")
def _tile(arrays: Arrays, attributes: Mapping[str, Any], at: Folding) -> list[NDArray] | None:
    array, repeats = pair(arrays)
    if repeats.dtype == object:
        return None
    counts = integers(repeats)
    check_size([size * count for size, count in zip(array.shape, counts, strict=False)])
    return [np.tile(array, counts)]


def _reduction(name: str, function: Callable[..., Any]) -> None:
    def compute(arrays: Arrays, attributes: Mapping[str, Any], at: Folding) -> list[NDArray] | None:
        array, axes = first(arrays), axes_of(arrays, 1, attributes)
        if array.size == 0:
            return None
        if axes == [] or axes is None:
            if attributes.get("noop_with_empty_axes", 0):
                return [array]
            axes = list(range(array.ndim))
        along = tuple(checked_axis(axis, array.ndim) for axis in axes)
        if array.dtype == object and name in ("ReduceMax", "ReduceMin"):
            choose = larger if name == "ReduceMax" else smaller
            rows = np.moveaxis(array, along, range(len(along))).reshape(-1, *np.delete(array.shape, along))
            total = rows[0]
            for row in rows[1:]:
                total = elementwise(
                    lambda x, y: choose(x, y, at.ranges), np.asarray(total, object), np.asarray(row, object)
                )
            if attributes.get("keepdims", 1):
                total = np.asarray(total).reshape([1 if i in along else s for i, s in enumerate(array.shape)])
            return [np.asarray(total, object)]
        try:
            result = np.asarray(function(array, axis=along, keepdims=bool(attributes.get("keepdims", 1))))
        except ValueError as error:
            raise Refusal(str(error)) from None
        return [result if array.dtype == object else result.astype(array.dtype)]

    FOLDS[name] = compute


_reduction("ReduceProd", np.prod)
_reduction("ReduceSum", np.sum)
_reduction("ReduceMax", np.max)
_reduction("ReduceMin", np.min)
