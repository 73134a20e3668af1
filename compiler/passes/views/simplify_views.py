"""Simplifies operations that only move elements: views of views, and sums of pieces that do not overlap."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

from netwright.specs.dims import Dim, DimLike, bounds

from ...graph.graph import Graph
from ...graph.node import Node, Value
from ...ops.base import BroadcastAttributes
from ...ops.views.concat import ConcatAttributes
from ...ops.views.layout import ReshapeAttributes, ReverseAttributes, TransposeAttributes
from ...ops.views.slice_pad import PadAttributes, SliceAttributes
from .reshapes import merged_axes

#: How many terms of a sum to search for padded pieces of one tensor.
_MAX_TERMS = 16


def _reshape(g: Graph, node: Node, xs: tuple[Value, ...]) -> Value | None:
    (x,) = xs
    if node.types[0].shape == g.type(x).shape:
        return x
    inner = g.producer(x)
    return g.apply("reshape", *g.operands(inner), attrs=node.attrs) if inner.op == "reshape" else None


def _transpose(g: Graph, node: Node, xs: tuple[Value, ...]) -> Value | None:
    (x,) = xs
    assert isinstance(node.attrs, TransposeAttributes)
    order = node.attrs.permutation
    if order == tuple(range(len(order))):
        return x
    inner = g.producer(x)
    if isinstance(inner.attrs, TransposeAttributes):
        composed = TransposeAttributes(tuple(inner.attrs.permutation[axis] for axis in order))
        return g.apply("transpose", *g.operands(inner), attrs=composed)
    return None


def _reverse(g: Graph, node: Node, xs: tuple[Value, ...]) -> Value | None:
    (x,) = xs
    assert isinstance(node.attrs, ReverseAttributes)
    axes = {axis for axis in node.attrs.axes if node.types[0].shape[axis] != 1}
    if not axes:
        return x
    inner = g.producer(x)
    if isinstance(inner.attrs, ReverseAttributes):
        composed = ReverseAttributes(tuple(sorted(axes ^ set(inner.attrs.axes))))
        return g.apply("reverse", *g.operands(inner), attrs=composed)
    return None


def _broadcast(g: Graph, node: Node, xs: tuple[Value, ...]) -> Value | None:
    (x,) = xs
    assert isinstance(node.attrs, BroadcastAttributes)
    if len(node.attrs.axes) == len(node.attrs.shape):
        return x
    inner = g.producer(x)
    if isinstance(inner.attrs, BroadcastAttributes):
        axes = tuple(node.attrs.axes[axis] for axis in inner.attrs.axes)
        composed = BroadcastAttributes(node.attrs.shape, axes)
        return g.apply("broadcast", *g.operands(inner), attrs=composed)
    return _broadcast_of_merged(g, node.attrs, x)


def _broadcast_of_merged(g: Graph, attrs: BroadcastAttributes, x: Value) -> Value | None:
    """Moves a broadcast before a reshape that merges axes of another broadcast, so that the two become one."""
    reshape = g.producer(x)
    if reshape.op != "reshape":
        return None
    (source,) = g.operands(reshape)
    if g.producer(source).op != "broadcast":
        return None
    fine = g.type(source).shape
    merged = merged_axes(fine, g.type(x).shape)
    if merged is None:
        return None
    shape: list[DimLike] = []
    axes: list[int] = []
    for axis, size in enumerate(attrs.shape):
        if axis not in attrs.axes:
            shape.append(size)
            continue
        for part in merged[attrs.axes.index(axis)]:
            axes.append(len(shape))
            shape.append(fine[part])
    wide = g.apply("broadcast", source, attrs=BroadcastAttributes(tuple(shape), tuple(axes)))
    return g.apply("reshape", wide, attrs=ReshapeAttributes(attrs.shape))


def _pad(g: Graph, node: Node, xs: tuple[Value, ...]) -> Value | None:
    attrs = node.attrs
    assert isinstance(attrs, PadAttributes)
    return None if any(amount != 0 for amount in (*attrs.low, *attrs.high, *attrs.interior)) else xs[0]


def _concat(g: Graph, node: Node, xs: tuple[Value, ...]) -> Value | None:
    """Simplifies a concat of one operand, of adjacent slices of one tensor, or of concats along the same axis."""
    assert isinstance(node.attrs, ConcatAttributes)
    axis = node.attrs.axis
    if len(xs) == 1:
        return xs[0]
    merged: list[Value] = []
    for x in xs:
        joined = _joined(g, merged[-1], x, axis) if merged else None
        if joined is not None:
            merged[-1] = joined
        elif (inner := g.producer(x)).attrs == node.attrs:
            merged += g.operands(inner)
        else:
            merged.append(x)
    return None if tuple(merged) == xs else g.apply("concat", *merged, attrs=node.attrs)


def _joined(g: Graph, a: Value, b: Value, axis: int) -> Value | None:
    """One slice instead of two, if b begins where a ends."""
    producers = g.producer(a), g.producer(b)
    first, second = (producer.attrs for producer in producers)
    if not (isinstance(first, SliceAttributes) and isinstance(second, SliceAttributes)):
        return None
    source, other = map(g.operands, producers)
    # As parts of one concat, the two are as large along every other axis.
    after = tuple(first.limit[i] if i == axis else n for i, n in enumerate(first.start))
    ones = (1,) * len(after)
    if source != other or first.stride != ones or second.stride != ones or second.start != after:
        return None
    return g.apply("slice", *source, attrs=SliceAttributes(first.start, second.limit, ones))


def _slice(g: Graph, node: Node, xs: tuple[Value, ...]) -> Value | None:
    (x,) = xs
    attrs = node.attrs
    assert isinstance(attrs, SliceAttributes)
    if node.types[0].shape == g.type(x).shape:
        return x
    return _slice_of_slice(g, attrs, x) or _slice_of_concat(g, attrs, x) or _slice_of_pad(g, attrs, x)


def _slice_of_slice(g: Graph, attrs: SliceAttributes, x: Value) -> Value | None:
    inner = g.producer(x).attrs
    if not isinstance(inner, SliceAttributes):
        return None
    axes = range(len(attrs.start))
    start = tuple(inner.start[i] + attrs.start[i] * inner.stride[i] for i in axes)
    limit = tuple(
        start[i]  # without elements, the last one would come before the first
        if attrs.limit[i] == attrs.start[i]
        else inner.start[i] + (attrs.limit[i] - 1) * inner.stride[i] + 1
        for i in axes
    )
    stride = tuple(inner.stride[i] * attrs.stride[i] for i in axes)
    return g.apply("slice", *g.operands(g.producer(x)), attrs=SliceAttributes(start, limit, stride))


def _slice_of_concat(g: Graph, attrs: SliceAttributes, x: Value) -> Value | None:
    """Slices the one operand of a concat that contains the slice."""
    concat = g.producer(x)
    if not isinstance(concat.attrs, ConcatAttributes):
        return None
    axis = concat.attrs.axis
    begin: DimLike = 0
    for operand in g.operands(concat):
        shape = g.type(operand).shape
        end = begin + shape[axis]
        if _at_most(begin, attrs.start[axis]) and _at_most(attrs.limit[axis], end):
            return g.apply("slice", operand, attrs=_moved(attrs, axis, begin))
        begin = end
    return None


def _slice_of_pad(g: Graph, attrs: SliceAttributes, x: Value) -> Value | None:
    """A slice that reads none of the padding."""
    padding = g.producer(x).attrs
    if not isinstance(padding, PadAttributes) or any(padding.interior):
        return None
    (operand,) = g.operands(g.producer(x))
    for axis, size in enumerate(g.type(operand).shape):
        low = padding.low[axis]
        if not (_at_most(low, attrs.start[axis]) and _at_most(attrs.limit[axis], low + size)):
            return None
        attrs = _moved(attrs, axis, low)
    return g.apply("slice", operand, attrs=attrs)


def _at_most(a: DimLike, b: DimLike) -> bool:
    least = bounds(b - a, {})[0]
    return least is not None and least >= 0


def _moved(attrs: SliceAttributes, axis: int, by: DimLike) -> SliceAttributes:
    start = tuple(n - by if i == axis else n for i, n in enumerate(attrs.start))
    limit = tuple(n - by if i == axis else n for i, n in enumerate(attrs.limit))
    return SliceAttributes(start, limit, attrs.stride)


def sum_of_pads(g: Graph, node: Node, xs: tuple[Value, ...]) -> Value | None:
    """A sum of zero-padded adjacent pieces is a concat: the gradients of slices become one tensor again."""
    pieces: list[tuple[int, Value, PadAttributes]] = []
    axis: int | None = None
    for value in _terms(g, xs):
        padding = g.producer(value).attrs
        if not isinstance(padding, PadAttributes) or len(pieces) == _MAX_TERMS:
            return None
        padded = [i for i, ends in enumerate(zip(padding.low, padding.high, strict=True)) if ends != (0, 0)]
        if any(padding.interior) or padding.fill != 0 or len(padded) != 1 or axis not in (None, padded[0]):
            return None
        axis = padded[0]
        low = padding.low[axis]
        if isinstance(low, Dim):
            return None
        pieces.append((low, g.operands(g.producer(value))[0], padding))
    assert axis is not None
    pieces.sort(key=lambda piece: piece[0])
    for (low, value, _), (after, _, _) in pairwise(pieces):
        if low + g.type(value).shape[axis] != after:
            return None
    joined = g.apply("concat", *(value for _, value, _ in pieces), attrs=ConcatAttributes(axis))
    first, last = pieces[0][2], pieces[-1][2]
    if first.low[axis] == 0 and last.high[axis] == 0:
        return joined
    return g.apply("pad", joined, attrs=PadAttributes(first.low, last.high, first.interior))


def _terms(g: Graph, values: tuple[Value, ...]) -> Iterator[Value]:
    """The terms of a sum; ``sum_of_pads`` reads only a bounded number."""
    pending = list(values)
    while pending:
        value = pending.pop()
        if g.producer(value).op != "add":
            yield value
        elif len(pending) < _MAX_TERMS:
            pending += g.operands(g.producer(value))
        else:
            yield value


VIEW_RULES: dict[str, tuple[Callable[[Graph, Node, tuple[Value, ...]], Value | None], ...]] = {
    "reshape": (_reshape,),
    "transpose": (_transpose,),
    "reverse": (_reverse,),
    "broadcast": (_broadcast,),
    "pad": (_pad,),
    "concat": (_concat,),
    "slice": (_slice,),
}
