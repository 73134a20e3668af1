"""Drops the positions of a filter at which a convolution reads nothing but zeros of its padding.

With large dilations that is most of the filter: at a dilation of 24, every tap of a 3×3 filter but the middle one lies
outside of an image of 14×14, and the convolution is one of 1×1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from ...graph.graph import Graph
from ...graph.node import Node, Value
from ..base import Pass, PassContext
from .padded import PaddedConv, cut, padded_conv


@dataclass(frozen=True)
class DropTaps(Pass):
    """Cuts off the first and last taps along each axis that no result cell reads data at."""

    name: ClassVar[str] = "drop_taps"

    def run(self, graph: Graph, context: PassContext) -> Graph:
        def rule(new: Graph, node: Node, operands: tuple[Value, ...]) -> Sequence[Value] | None:
            conv = padded_conv(new, node, operands)
            if conv is None:
                return None
            unread = [
                _unread(*numbers) if all(isinstance(size, int) for size in numbers) else (0, 0)  # pyright: ignore[reportArgumentType]
                for numbers in zip(
                    new.type(conv.content).shape[1:-1],
                    conv.padding.low[1:-1],
                    conv.padding.interior[1:-1],
                    new.type(conv.w).shape[:-2],
                    node.types[0].shape[1:-1],
                    conv.attrs.stride,
                    conv.attrs.dilation,
                    strict=True,
                )
            ]
            return [_without(new, node, conv, unread)] if any(map(any, unread)) else None

        return graph.rewrite(context.limit(rule))


def _unread(
    size: int, low: int, interior: int, taps: int, cells: int, stride: int, dilation: int
) -> tuple[int, int]:
    """How many taps of an axis, at its beginning and at its end, read padding only; one is left in any case."""
    if interior:
        return 0, 0
    reach = (cells - 1) * stride
    first = next((tap for tap in range(taps) if tap * dilation + reach >= low), taps - 1)
    last = next((tap for tap in range(taps - 1, first, -1) if tap * dilation < low + size), first)
    return first, taps - 1 - last


def _without(new: Graph, node: Node, conv: PaddedConv, unread: Sequence[tuple[int, int]]) -> Value:
    shape, taps = new.type(conv.x).shape, new.type(conv.w).shape
    begin = [a * dilation for (a, _), dilation in zip(unread, conv.attrs.dilation, strict=True)]
    end = [
        size - b * dilation
        for size, (_, b), dilation in zip(shape[1:-1], unread, conv.attrs.dilation, strict=True)
    ]
    x = cut(new, conv.x, (0, *begin, 0), (shape[0], *end, shape[-1]))
    first = [a for a, _ in unread]
    last = [size - b for size, (_, b) in zip(taps[:-2], unread, strict=True)]
    w = cut(new, conv.w, (*first, 0, 0), (*last, *taps[-2:]))
    return new.add(node.op, [x, w], conv.attrs, layer=node.layer).values[0]
