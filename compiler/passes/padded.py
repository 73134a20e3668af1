"""What passes over convolutions of padded data share."""

from __future__ import annotations

from collections.abc import Sequence

from netwright.specs.dims import DimLike

from ..graph.graph import Graph
from ..graph.node import Value
from ..ops.slice_pad import PadAttributes, SliceAttributes


def zero_padding(graph: Graph, value: Value) -> tuple[Value, PadAttributes] | None:
    """What ``value`` is with zeros around it, and how many; None if it is not padded with zeros."""
    node = graph.producer(value)
    if not isinstance(node.attrs, PadAttributes) or node.attrs.fill != 0:
        return None
    (content,) = graph.operands(node)
    return content, node.attrs


def cut(graph: Graph, value: Value, start: Sequence[DimLike], limit: Sequence[DimLike]) -> Value:
    """``value`` from ``start`` to ``limit``."""
    if tuple(limit) == graph.type(value).shape and not any(start):
        return value
    ones = (1,) * len(start)
    return graph.apply("slice", value, attrs=SliceAttributes(tuple(start), tuple(limit), ones))
