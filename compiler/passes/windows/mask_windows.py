"""Masks what windows pass back to their maxima, rather than what all of their cells get.

The gradient of a ReLU before a maximum pool is zero where the ReLU's operand is at most zero, for each cell:
select(x ≤ 0, 0, d), where d has the cotangent of a window at its first maximum, and zeros elsewhere. That maximum is
the pool's own result p. So if p ≤ 0, all cells of the window get zero, and d of select(p ≤ 0, 0, dy) is the same, bit
for bit. The mask then has as many elements as the pool's result, as has what it is applied to; the kernel of the
convolution before stores none. Windows may overlap: a cell that is the maximum of several is masked by all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from ...graph.graph import Graph
from ...graph.node import Node, Value
from ...ops.values.constant import splat_like
from ...ops.windows.reduce_window import ReduceWindowAttributes, WindowAttributes
from ..base import Pass, PassContext
from ..simplify import scalar_of


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
            pooled, least = _pooled(new, y, scattered), _least(new, operands[0], y)
            zero = scalar_of(new, operands[1])
            if pooled is None or least is None or zero != 0:
                return None
            bound, nothing = (splat_like(new, number, pooled) for number in (least, zero))
            masked = new.apply("select", new.apply("le", pooled, bound), nothing, dy)
            return new.add(scattered.op, (y, masked), scattered.attrs, layer=scattered.layer).values

        return graph.rewrite(context.limit(rule))


def _pooled(graph: Graph, y: Value, scattered: Node) -> Value | None:
    """The maxima of the windows over ``y`` of which ``scattered`` is the gradient, if the graph has them."""
    attrs = scattered.attrs
    assert isinstance(attrs, WindowAttributes)
    wanted = ReduceWindowAttributes("max", attrs.window, attrs.stride)
    return next((node.values[0] for node, _ in graph.uses(y) if node.attrs == wanted), None)


def _least(graph: Graph, mask: Value, y: Value) -> float | int | None:
    """The number that is one operand of the maximum ``y``, if ``mask`` tells where the other one is at most that."""
    compared, chosen = graph.producer(mask), graph.producer(y)
    if compared.op != "le" or chosen.op != "max":
        return None
    x, least = graph.operands(compared)
    number = scalar_of(graph, least)
    own = graph.operands(chosen)
    same = number is not None and x in own
    return number if same and any(scalar_of(graph, other) == number for other in own if other != x) else None
