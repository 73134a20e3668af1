"""Masks what windows pass back to their maxima, rather than what all of their cells get.

The gradient of a ReLU before a maximum pool is zero where the ReLU's operand is at most zero, for each cell:
select(x ≤ 0, 0, d), where d has the cotangent of a window at its first maximum, and zeros elsewhere. That maximum is
the pool's own result p. So if p ≤ 0, all cells of the window get zero, and d of select(p ≤ 0, 0, dy) is the same, bit
for bit. The mask then has as many elements as the pool's result, as has what it is applied to; the kernel of the
convolution before stores none. Windows may overlap: a cell that is the maximum of several is masked by all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from ..graph.graph import Graph
from ..graph.node import Node, Value
from ..ops.constant import ConstantAttributes
from ..ops.reduce_window import ReduceWindowAttributes, WindowAttributes
from .base import Pass, PassContext


@dataclass(frozen=True)
class MaskWindows(Pass):
    """Moves the mask of a maximum with a number behind the gradient of the windows that read it."""

    name: ClassVar[str] = "mask_windows"

    def run(self, graph: Graph, context: PassContext) -> Graph:
        if not any(isinstance(node.attrs, WindowAttributes) for node in graph):
            return graph
        outputs = set(graph.outputs.values())

        def rule(new: Graph, node: Node, operands: tuple[Value, ...]) -> Sequence[Value] | None:
            if node.op != "select":
                return None
            _, _, given = graph.operands(node)
            scattered = new.producer(operands[2])
            if scattered.op != "max_window_gradient" or given in outputs or len(graph.uses(given)) > 1:
                return None
            y, dy = new.operands(scattered)
            pooled = _pooled(new, y, scattered)
            if pooled is None or not _masks(new, operands[0], operands[1], y):
                return None
            least, zero = (
                _numbers(new, numbers, pooled)
                for numbers in (new.operands(new.producer(operands[0]))[1], operands[1])
            )
            masked = new.apply("select", new.apply("le", pooled, least), zero, dy)
            return new.add(scattered.op, (y, masked), scattered.attrs, layer=scattered.layer).values

        return graph.rewrite(context.limit(rule))


def _pooled(graph: Graph, y: Value, scattered: Node) -> Value | None:
    """The maxima of the windows over ``y`` of which ``scattered`` is the gradient, if the graph has them."""
    attrs = scattered.attrs
    assert isinstance(attrs, WindowAttributes)
    wanted = ReduceWindowAttributes("max", attrs.window, attrs.stride)
    return next((node.values[0] for node, _ in graph.uses(y) if node.attrs == wanted), None)


def _masks(graph: Graph, mask: Value, zero: Value, y: Value) -> bool:
    """Whether ``mask`` tells where an operand of the maximum ``y`` is at most the number that is its other operand, and
    ``zero`` is zero."""
    compared, chosen = graph.producer(mask), graph.producer(y)
    if compared.op != "le" or chosen.op != "max" or _scalar(graph, zero) != 0:
        return False
    x, least = graph.operands(compared)
    number = _scalar(graph, least)
    own = graph.operands(chosen)
    return (
        number is not None
        and x in own
        and any(_scalar(graph, other) == number for other in own if other != x)
    )


def _scalar(graph: Graph, value: Value) -> float | int | None:
    """The number that all elements of ``value`` are, if it is such a constant."""
    attrs = graph.producer(value).attrs
    return attrs.scalar if isinstance(attrs, ConstantAttributes) else None


def _numbers(graph: Graph, numbers: Value, like: Value) -> Value:
    """The constant ``numbers`` in the shape of ``like``."""
    attrs = graph.producer(numbers).attrs
    assert isinstance(attrs, ConstantAttributes)
    return graph.apply("constant", attrs=replace(attrs, shape=graph.type(like).shape))
