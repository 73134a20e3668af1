"""Computes only what is read: a slice of a sliding window becomes a window over a slice, or over less padding.

This matters for the gradient of a padded convolution with respect to its data: the full correlation also gives
cotangents for the padding, which the gradient of ``pad`` then cuts away. With 3×3 kernels over 4×4 cells, that is
more than half of the work.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from netwright.specs.descent import Descent, descend
from netwright.specs.dims import DimLike, Shape, bounds

from ...graph.graph import Graph
from ...graph.node import Node, Value
from ...ops.views.interleave import InterleaveAttributes, cells_of
from ...ops.views.slice_pad import PadAttributes, SliceAttributes
from ...ops.windows.conv import ConvAttributes
from ...ops.windows.reduce_window import ReduceWindowAttributes
from ..base import Pass, PassContext

_NOTHING: tuple[Node | None, tuple[Value, ...]] = (None, ())


@dataclass(frozen=True)
class NarrowWindows(Pass):
    """Runs ``narrow_windows`` as a pass."""

    name: ClassVar[str] = "narrow_windows"

    def run(self, graph: Graph, context: PassContext) -> Graph:
        return narrow_windows(graph)


def narrow_windows(graph: Graph) -> Graph:
    """Moves slices with stride 1 through convolutions and windows with stride 1, and merges them into pads."""
    return graph.rewrite(_Narrowing(graph, set(graph.outputs.values())).rule)


@dataclass
class _Narrowing:
    """A rewrite of ``graph``. (Not functions that see each other, which would keep the graph until garbage is
    collected.)"""

    graph: Graph
    outputs: set[Value]
    sources: dict[Value, tuple[Node, tuple[Value, ...]]] = field(default_factory=dict)

    def rule(self, new: Graph, node: Node, operands: tuple[Value, ...]) -> Sequence[Value] | None:
        for value in node.values:
            self.sources[value] = (node, operands)
        attrs = node.attrs
        if not isinstance(attrs, SliceAttributes) or set(attrs.stride) != {1} or 0 in node.types[0].shape:
            return None
        (sliced,), (operand,) = self.graph.operands(node), operands
        narrowed_slice = descend(self._cut(new, sliced, operand, attrs.start, attrs.limit))
        return None if narrowed_slice is None else [narrowed_slice]

    def _once(self, value: Value) -> bool:
        return value not in self.outputs and len(self.graph.uses(value)) == 1

    def _cut(self, new: Graph, old: Value, value: Value, start: Shape, limit: Shape) -> Descent[Value | None]:
        """``value`` from ``start`` to ``limit``, computed from as little as possible; None if that saves nothing."""
        producer, inner = self.sources.get(old, _NOTHING)
        if producer is None or not self._once(old):
            return None
        if isinstance(producer.attrs, InterleaveAttributes):
            phases = list(zip(self.graph.operands(producer), inner, strict=True))
            return (yield _cut_phases(new, phases, producer.attrs, start, limit, self._cut))
        if isinstance(producer.attrs, PadAttributes):
            (content,) = self.graph.operands(producer)
            shape = producer.types[0].shape
            return (yield _cut_pad(new, content, inner[0], producer.attrs, start, limit, shape, self._cut))
        extra = _reach(self.graph, producer, start, limit)
        if extra is None:
            return None
        limits = tuple(end + more for end, more in zip(limit, extra, strict=True))
        source = self.graph.operands(producer)[0]
        narrowed = _cut(new, self.sources, source, inner[0], start, limits, self._once)
        return new.add(producer.op, [narrowed, *inner[1:]], producer.attrs, layer=producer.layer).values[0]


def _reach(graph: Graph, node: Node, start: Shape, limit: Shape) -> tuple[DimLike, ...] | None:
    """How many more operand cells than result cells each axis needs; None where a slice cannot move through."""
    if isinstance(node.attrs, ConvAttributes):
        x, w = (graph.type(value).shape for value in graph.operands(node))
        untouched = all(start[axis] == 0 and limit[axis] == node.types[0].shape[axis] for axis in (0, -1))
        if set(node.attrs.stride) != {1} or not untouched:
            return None
        reaches = [(k - 1) * d for k, d in zip(w[:-2], node.attrs.dilation, strict=True)]
        return (0, *reaches, x[-1] - node.types[0].shape[-1])
    if isinstance(node.attrs, ReduceWindowAttributes) and set(node.attrs.stride) == {1}:
        return tuple(window - 1 for window in node.attrs.window)
    return None


Cut = Callable[[Graph, Value, Value, Shape, Shape], Descent[Value | None]]


def _cut_pad(
    new: Graph,
    old: Value,
    value: Value,
    attrs: PadAttributes,
    start: Shape,
    limit: Shape,
    shape: Shape,
    cut: Cut,
) -> Descent[Value | None]:
    """A padded value from ``start`` to ``limit``: with less padding, and the content cut to the cells that are
    left."""
    if any(attrs.interior):
        return None
    left = [_split(low - begin) for low, begin in zip(attrs.low, start, strict=True)]
    right = [_split(high - (size - end)) for high, size, end in zip(attrs.high, shape, limit, strict=True)]
    if None in left or None in right:
        return None
    (low, first), (high, last) = (
        zip(*(amounts for amounts in side if amounts is not None), strict=True) for side in (left, right)
    )
    cells = new.type(value).shape
    stop = tuple(size - cut_off for size, cut_off in zip(cells, last, strict=True))
    kept = [b - a for a, b in zip(first, stop, strict=True)]
    read = [b - a for a, b in zip(start, limit, strict=True)]
    if any(k not in (n, r) and not _at_least_none(k - 1) for n, k, r in zip(cells, kept, read, strict=True)):
        return None  # what is read may be nothing but padding
    if any(first) or stop != cells:
        narrowed = yield cut(new, old, value, first, stop)
        if narrowed is None:
            return None
        value = narrowed
    if not any((*low, *high)):
        return value
    return new.apply("pad", value, attrs=PadAttributes(low, high, attrs.interior, attrs.fill))


def _split(amount: DimLike) -> tuple[DimLike, DimLike] | None:
    """(padding to add, cells to cut off) for a signed amount of padding, one of them 0; None if its sign is not
    known."""
    least, greatest = bounds(amount, {})
    if least is not None and least >= 0:
        return amount, 0
    return (0, -amount) if greatest is not None and greatest <= 0 else None


def _cut_phases(
    new: Graph,
    phases: Sequence[tuple[Value, Value]],
    attrs: InterleaveAttributes,
    start: Shape,
    limit: Shape,
    cut: Cut,
) -> Descent[Value | None]:
    """An interleaved value from ``start`` to ``limit``: the phases in the order in which they now begin, each cut."""
    strides = attrs.strides
    begins = [begin for begin in start if isinstance(begin, int)]
    if len(begins) < len(start):
        return None  # which phase begins is not known
    shape = tuple(stop - begin for begin, stop in zip(start, limit, strict=True))
    cells = {phase: cells_of(shape, strides, phase) for phase in np.ndindex(*strides)}
    if any(bounds(size, {})[0] in (None, 0) for sizes in cells.values() for size in sizes):
        return None  # a phase without cells
    cut_phases: list[Value] = []
    for phase, sizes in cells.items():
        moved = [p + begin for p, begin in zip(phase, begins, strict=True)]
        source = [index % stride for index, stride in zip(moved, strides, strict=True)]
        old, value = phases[int(np.ravel_multi_index(source, strides))]
        first = tuple(index // stride for index, stride in zip(moved, strides, strict=True))
        stop = tuple(a + size for a, size in zip(first, sizes, strict=True))
        if any(first) or stop != new.type(value).shape:
            ones = SliceAttributes(first, stop, (1,) * len(stop))
            value = (yield cut(new, old, value, first, stop)) or new.apply("slice", value, attrs=ones)
        cut_phases.append(value)
    return new.apply("interleave", *cut_phases, attrs=attrs)


def _cut(
    new: Graph,
    sources: Mapping[Value, tuple[Node, tuple[Value, ...]]],
    old: Value,
    value: Value,
    start: Shape,
    limit: Shape,
    once: Callable[[Value], bool],
) -> Value:
    """``value`` from ``start`` to ``limit``: with less padding if a pad made it, else as a slice."""
    node, operands = sources.get(old, _NOTHING)
    shape = new.type(value).shape
    if node is not None and isinstance(node.attrs, PadAttributes) and once(old):
        low = tuple(a - s for a, s in zip(node.attrs.low, start, strict=True))
        high = tuple(b - (size - stop) for b, size, stop in zip(node.attrs.high, shape, limit, strict=True))
        if all(_at_least_none(amount) for amount in (*low, *high)):
            less = PadAttributes(low, high, node.attrs.interior, node.attrs.fill)
            return new.apply("pad", operands[0], attrs=less)
    return new.apply("slice", value, attrs=SliceAttributes(start, limit, (1,) * len(shape)))


def _at_least_none(amount: DimLike) -> bool:
    """Whether ``amount`` is known not to be negative."""
    least, _ = bounds(amount, {})
    return least is not None and least >= 0
