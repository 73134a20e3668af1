"""Takes maxima over windows before what keeps the order of numbers: max(f(a), f(b)) = f(max(a, b)).

A bias and a ReLU between a convolution and its maximum pool are then computed once per window, not once per cell, and
with the same bits (but for the sign of a zero). Only where windows do not overlap: others have kernels of their own,
which read what the layer before has stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from ...graph.graph import Graph
from ...graph.node import Node, Value
from ...ops.base import BroadcastAttributes
from ...ops.values.constant import ConstantAttributes
from ...ops.windows.reduce_window import ReduceWindowAttributes
from ..base import Pass, PassContext

#: Elementwise operations that do not decrease where an operand grows and the other one stays.
_MONOTONE = ("add", "max", "min")


@dataclass(frozen=True)
class MaximaFirst(Pass):
    """Moves sums with numbers, and maxima and minima with them, behind windows of a maximum."""

    name: ClassVar[str] = "maxima_first"

    def run(self, graph: Graph, context: PassContext) -> Graph:
        outputs = set(graph.outputs.values())

        def rule(new: Graph, node: Node, operands: tuple[Value, ...]) -> Sequence[Value] | None:
            if not is_maximum(node):
                return None
            assert isinstance(node.attrs, ReduceWindowAttributes)
            (old,), (x,) = graph.operands(node), operands
            steps: list[tuple[Node, int]] = []
            while old not in outputs and len(graph.uses(old)) == 1:
                producer = new.producer(x)
                position = _position(new, producer, node.attrs)
                if position is None:
                    break
                steps.append((producer, position))
                old, x = graph.operands(graph.producer(old))[position], new.operands(producer)[position]
            if not steps:
                return None
            y = new.apply(node.op, x, attrs=node.attrs)
            for step, position in reversed(steps):
                pair = [y, _of_windows(new, new.operands(step)[1 - position], new.type(y).shape)]
                y = new.add(
                    step.op, pair if position == 0 else pair[::-1], step.attrs, layer=step.layer
                ).values[0]
            return [y]

        return graph.rewrite(context.limit(rule))


def is_maximum(node: Node) -> bool:
    """Whether ``node`` takes the maximum over windows that do not overlap."""
    attrs = node.attrs
    return (
        isinstance(attrs, ReduceWindowAttributes)
        and attrs.op == "max"
        and all(stride >= window for stride, window in zip(attrs.stride, attrs.window, strict=True))
    )


def _position(graph: Graph, node: Node, windows: ReduceWindowAttributes) -> int | None:
    """The operand of ``node`` that windows can be taken of, if the other one has the same number in all of a window."""
    if node.op not in _MONOTONE:
        return None
    for position, other in enumerate(reversed(graph.operands(node))):
        attrs = graph.producer(other).attrs
        if isinstance(attrs, ConstantAttributes) and attrs.scalar is not None:
            return position
        if isinstance(attrs, BroadcastAttributes) and all(
            windows.window[axis] == windows.stride[axis] == 1 for axis in attrs.axes
        ):
            return position
    return None


def _of_windows(graph: Graph, numbers: Value, shape: Sequence[object]) -> Value:
    """``numbers``, which are the same in all cells of a window, in the ``shape`` of the windows."""
    node = graph.producer(numbers)
    assert isinstance(node.attrs, BroadcastAttributes | ConstantAttributes)
    attrs = replace(node.attrs, shape=tuple(shape))
    return graph.add(node.op, graph.operands(node), attrs, layer=node.layer).values[0]
