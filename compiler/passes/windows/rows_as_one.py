"""Reads each row of a convolution's kernel as one stretch where code is to be short.

The cells of such a row lie one after the other, and so do their channels. So a convolution over [.., W, C] is one over
[.., W·C, 1], whose kernel has K·C cells along the row and whose windows are C times as far apart: its sums have one
loop less, with more steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from ...graph.graph import Graph
from ...graph.node import Node, Value
from ...ops.views.layout import ReshapeAttributes
from ...ops.windows.geometry import ConvAttributes
from ..base import Pass, PassContext


@dataclass(frozen=True)
class RowsAsOne(Pass):
    """Joins the last spatial axis and the channels of convolutions, on machines with code that is to be short."""

    name: ClassVar[str] = "rows_as_one"

    def run(self, graph: Graph, context: PassContext) -> Graph:
        if not context.machine.compact:
            return graph

        def rule(new: Graph, node: Node, operands: tuple[Value, ...]) -> Sequence[Value] | None:
            attrs = node.attrs
            if node.op != "conv":
                return None
            assert isinstance(attrs, ConvAttributes)
            x, kernel = (new.type(value) for value in operands)
            *outer, width, channels = x.shape
            *taps, row, _, columns = kernel.shape
            assert isinstance(channels, int)
            if attrs.groups > 1 or attrs.dilation[-1] > 1:
                return None
            if channels == 1 or row == 1:
                return None
            data = ReshapeAttributes((*outer, width * channels, 1))
            weights = ReshapeAttributes((*taps, row * channels, 1, columns))
            read = [new.apply("reshape", v, attrs=a) for v, a in zip(operands, (data, weights), strict=True)]
            stride = (*attrs.stride[:-1], attrs.stride[-1] * channels)
            return new.add(node.op, read, replace(attrs, stride=stride), layer=node.layer).values

        return graph.rewrite(context.limit(rule))
