"""Overlapping windows share their work: a dense layer on every window becomes a convolution.

A network that scans reads each window as a sample of its own. Its first product, of a window's cells with a matrix, is
a convolution with the matrix's rows as the kernel's cells; what follows is already one product over all windows, which
is a convolution with a kernel of one cell. Nothing else has to change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from netwright.specs.dims import product

from ..graph.graph import Graph, Node, Value
from ..ops.conv import ConvAttributes
from ..ops.dot import DotAttributes
from ..ops.layout import ReshapeAttributes
from ..ops.scan_windows import WindowsAttributes
from .base import Budget, Pass


@dataclass(frozen=True)
class ShareWindows(Pass):
    """dot(reshape(windows(x)), W) becomes reshape(conv(x, reshape(W)))."""

    name: ClassVar[str] = "share_windows"

    def run(self, graph: Graph, budget: Budget) -> Graph:
        if not any(node.op == "windows" for node in graph):
            return graph
        return graph.rewrite(budget.limit(_rule))


def _rule(graph: Graph, node: Node, operands: tuple[Value, ...]) -> Sequence[Value] | None:
    attrs = node.attrs
    if not isinstance(attrs, DotAttributes) or attrs.batch or attrs.rhs_contract != (0,):
        return None
    rows, matrix = operands
    shape = graph.type(rows).shape
    if attrs.lhs_contract != (len(shape) - 1,) or graph.type(matrix).rank != 2:
        return None
    source = rows
    while graph.producer(source).op == "reshape":
        (source,) = graph.operands(graph.producer(source))
    windows = graph.producer(source)
    found = windows.attrs
    if not isinstance(found, WindowsAttributes) or found.first != 1 or len(found.window) > 3:
        return None
    (x,) = graph.operands(windows)
    channels = graph.type(x).shape[-1]
    taps = product(found.window) * channels
    # All of a window and nothing else is summed: the last axis holds whole windows, in their own order.
    if graph.type(x).rank != len(found.window) + 2 or not isinstance(channels, int) or shape[-1] != taps:
        return None
    units = graph.type(matrix).shape[1]
    kernel_shape = ReshapeAttributes((*found.window, channels, units))
    kernel = graph.apply("reshape", matrix, attrs=kernel_shape)
    conv = ConvAttributes(found.stride, (1,) * len(found.window))
    result = graph.apply("conv", x, kernel, attrs=conv)
    return [graph.apply("reshape", result, attrs=ReshapeAttributes((*shape[:-1], units)))]
