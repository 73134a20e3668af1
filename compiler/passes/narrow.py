"""Computes only what is read: a slice of a sliding window becomes a window over a slice, or over less padding.

The gradient of a padded convolution to its data is the case that matters: the full correlation gives cotangents for
the padding too, which the gradient of ``pad`` then cuts away; at 3×3 over 4×4 cells that is more than half of the work.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from netwright.specs.dims import DimLike, Shape, bounds

from ..graph.graph import Graph, Node, Value
from ..ops.conv import ConvAttributes
from ..ops.reduce_window import ReduceWindowAttributes
from ..ops.slice_pad import PadAttributes, SliceAttributes
from .base import Pass, PassContext

_NOTHING: tuple[Node | None, tuple[Value, ...]] = (None, ())


@dataclass(frozen=True)
class NarrowWindows(Pass):
    """``narrow_windows`` as a pass."""

    name: ClassVar[str] = "narrow_windows"

    def run(self, graph: Graph, context: PassContext) -> Graph:
        return narrow_windows(graph)


def narrow_windows(graph: Graph) -> Graph:
    """Moves slices with stride 1 through convolutions and windows with stride 1, and merges them into pads."""
    outputs = set(graph.outputs.values())
    sources: dict[Value, tuple[Node, tuple[Value, ...]]] = {}

    def once(value: Value) -> bool:
        return value not in outputs and len(graph.uses(value)) == 1

    def rule(new: Graph, node: Node, operands: tuple[Value, ...]) -> Sequence[Value] | None:
        for value in node.values:
            sources[value] = (node, operands)
        attrs = node.attrs
        if not isinstance(attrs, SliceAttributes) or set(attrs.stride) != {1}:
            return None
        (sliced,) = graph.operands(node)
        producer, inner = sources.get(sliced, _NOTHING)
        if producer is None or not once(sliced):
            return None
        extra = _reach(graph, producer, attrs)
        if extra is None:
            return None
        limits = tuple(limit + more for limit, more in zip(attrs.limit, extra, strict=True))
        narrowed = _cut(new, sources, graph.operands(producer)[0], inner[0], attrs.start, limits, once)
        return new.add(producer.op, [narrowed, *inner[1:]], producer.attrs, layer=producer.layer).values

    return graph.rewrite(rule)


def _reach(graph: Graph, node: Node, attrs: SliceAttributes) -> tuple[DimLike, ...] | None:
    """How many more operand cells than result cells each axis needs; None where a slice can't move through."""
    if isinstance(node.attrs, ConvAttributes) and node.op == "conv":
        x, w = (graph.type(value).shape for value in graph.operands(node))
        untouched = all(
            attrs.start[axis] == 0 and attrs.limit[axis] == node.types[0].shape[axis] for axis in (0, -1)
        )
        if set(node.attrs.stride) != {1} or not untouched:
            return None
        reaches = [(k - 1) * d for k, d in zip(w[:-2], node.attrs.dilation, strict=True)]
        return (0, *reaches, x[-1] - node.types[0].shape[-1])
    if isinstance(node.attrs, ReduceWindowAttributes) and set(node.attrs.stride) == {1}:
        return tuple(window - 1 for window in node.attrs.window)
    return None


def _cut(
    new: Graph,
    sources: Mapping[Value, tuple[Node, tuple[Value, ...]]],
    old: Value,
    value: Value,
    start: Shape,
    limit: Shape,
    once: Callable[[Value], bool],
) -> Value:
    """``value`` from ``start`` to ``limit``; where a pad made it, with less padding."""
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
