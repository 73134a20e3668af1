"""What passes over convolutions of padded data share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from netwright.specs.dims import DimLike

from ...graph.graph import Graph
from ...graph.node import Node, Value
from ...ops.views.slice_pad import PadAttributes, SliceAttributes
from ...ops.windows.conv import ConvAttributes


class PaddedConv(NamedTuple):
    """A convolution of ``x``, which is ``content`` with zeros around it, and the weights ``w``."""

    x: Value
    w: Value
    content: Value
    padding: PadAttributes
    attrs: ConvAttributes


def padded_conv(graph: Graph, node: Node, operands: Sequence[Value]) -> PaddedConv | None:
    """``node`` with ``operands`` in ``graph``, if it is a convolution of data that are padded with zeros."""
    if not isinstance(node.attrs, ConvAttributes):
        return None
    x, w = operands
    padding = graph.producer(x)
    if not isinstance(padding.attrs, PadAttributes) or padding.attrs.fill != 0:
        return None
    (content,) = graph.operands(padding)
    return PaddedConv(x, w, content, padding.attrs, node.attrs)


def cut(graph: Graph, value: Value, start: Sequence[DimLike], limit: Sequence[DimLike]) -> Value:
    """``value`` from ``start`` to ``limit``."""
    if tuple(limit) == graph.type(value).shape and not any(start):
        return value
    ones = (1,) * len(start)
    return graph.apply("slice", value, attrs=SliceAttributes(tuple(start), tuple(limit), ones))
