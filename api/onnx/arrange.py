"""Brings values into the order of axes that a layer reads, with as few transposes as possible."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netwright.specs.dims import Shape, exact_div, product

from .errors import Refusal
from .narrow import stored
from .operands import Held, Known, Listed, Merged, Vacant, Value, is_one

if TYPE_CHECKING:
    from .network import NetworkWriter

Axes = tuple[int | None, ...]


def channels_last(rank: int) -> tuple[int, ...]:
    """The logical axes of [N, C, …] in the order in which it is held, features last."""
    return (0, *range(2, rank), 1) if rank > 1 else tuple(range(rank))


def arranged(writer: NetworkWriter, value: Held, axes: Axes) -> str:
    """A reference to ``value`` held under ``axes``; axes of size 1 are added and removed as needed."""
    if value.axes == axes:
        return value.ref
    target = tuple(1 if axis is None else value.shape[axis] for axis in axes)
    wide = [axis for axis in value.axes if axis is not None and not is_one(value.shape[axis])]
    wanted = [axis for axis in axes if axis is not None and not is_one(value.shape[axis])]
    if sorted(wide) != sorted(wanted):
        raise AssertionError(f"{value} can't be held under {axes}")
    ref = value.ref
    if wide != wanted:
        # Put axes of size 1 where the target has them, so that one transpose is enough if possible.
        if sorted(value.axes, key=str) == sorted(axes, key=str) and len(set(axes)) == len(axes):
            order = [value.axes.index(axis) for axis in axes]
            return writer.transposed(ref, order)
        rest = [i for i, axis in enumerate(value.axes) if axis is None or is_one(value.shape[axis])]
        ref = writer.transposed(ref, [value.axes.index(axis) for axis in wanted] + rest)
    if writer.sketch.type_of(ref).shape != target:
        ref = writer.reshaped(ref, target)
    return ref


def identity(rank: int) -> tuple[int, ...]:
    """The axes in logical order."""
    return tuple(range(rank))


def settled(writer: NetworkWriter, value: Held | Merged | Vacant | Listed) -> Held:
    """A value with any deferred Flatten carried out. Raises Refusal for a sequence, and for a tensor without
    elements.
    """
    if isinstance(value, Held):
        return value
    if isinstance(value, Listed):
        raise Refusal("a tensor is expected, not a sequence of tensors")
    if isinstance(value, Vacant):
        raise Refusal(f"an empty tensor [{', '.join(map(str, value.shape))}] has open sizes")
    ref = writer.reshaped(arranged(writer, value.source, identity(value.source.rank)), value.shape)
    return Held(ref, value.dtype, value.shape, identity(value.rank))


def held_of(writer: NetworkWriter, value: Value) -> Held:
    """A value as a tensor of the network. A known one becomes a constant layer. Raises Refusal for open sizes."""
    if not isinstance(value, Known):
        return settled(writer, value)
    if value.is_open:
        raise Refusal("an open size is used as a number that is computed with")
    ref = writer.constant(stored(value), value.name)
    return Held(ref, value.dtype, value.shape, identity(len(value.shape)))


def regrouped(writer: NetworkWriter, value: Held, shape: Shape, *, may_merge: bool = True) -> Held | Merged:
    """``value`` with another logical shape.

    Axes of size 1 are added and removed for free. Other axes are split and joined as they are held: a channel axis in
    the last place is split there, and images need no transpose.
    """
    # A batch of one keeps its place.
    batch = {0} if value.shape[:1] == shape[:1] == (1,) and 0 in value.axes else set()
    old = [axis for axis in range(value.rank) if axis in batch or not is_one(value.shape[axis])]
    new = [axis for axis in range(len(shape)) if axis in batch or not is_one(shape[axis])]
    groups = _groups(value.shape, shape, old, new)
    if all(len(before) == len(after) == 1 for before, after in groups):
        moved = {before[0]: after[0] for before, after in groups}
        axes = tuple(moved.get(axis) if axis is not None else None for axis in value.axes)
        return Held(value.ref, value.dtype, shape, axes)
    wide = [axis for axis in value.axes if axis in old]
    place = {axis: position for position, axis in enumerate(wide)}
    joins = len(shape) == 2 and value.rank > 2 and shape[0] == value.shape[0] and value.axes[0] == 0
    if may_merge and joins and wide != sorted(wide):
        return Merged(value, shape, 1)
    groups.sort(key=lambda group: min((place[axis] for axis in group[0]), default=0))
    ref = arranged(writer, value, tuple(axis for before, _ in groups for axis in before) or (None,))
    axes = tuple(axis for _, after in groups for axis in after) or (None,)
    target = tuple(1 if axis is None else shape[axis] for axis in axes)
    return Held(writer.reshaped(ref, target), value.dtype, shape, axes)


Group = tuple[list[int], list[int]]


def _groups(old_shape: Shape, new_shape: Shape, old: list[int], new: list[int]) -> list[Group]:
    """Splits a reshape into the smallest runs of old axes that become runs of new axes. Raises Refusal if the sizes
    never match.
    """
    groups: list[Group] = []
    i = j = 0
    while i < len(old) or j < len(new):
        before, after = old[i : i + 1], new[j : j + 1]
        i, j = i + 1, j + 1
        while (a := product(old_shape[axis] for axis in before)) != (
            b := product(new_shape[axis] for axis in after)
        ):
            more_new = a > b if isinstance(a, int) and isinstance(b, int) else exact_div(a, b) is not None
            if (more_new or i >= len(old)) and j < len(new):
                after, j = [*after, new[j]], j + 1
            elif i < len(old):
                before, i = [*before, old[i]], i + 1
            else:
                raise Refusal(f"{product(old_shape)} elements do not fit {product(new_shape)}")
        groups.append((before, after))
    return groups
