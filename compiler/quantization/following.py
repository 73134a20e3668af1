"""What follows a product and can be part of its scales: numbers per output channel, and maxima of windows.

A layer's end is ``scale · sum + shift`` in floats, with one number per channel for each: the scales of data and
weights, a factor and a bias of the layer and of its normalization, and the zero of the data. If all scales are
positive, the maximum over windows is taken of the sums: it is the maximum of what they stand for.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import Literal, TypeAlias

from numpy.typing import NDArray

from ..graph.graph import Graph
from ..graph.node import Node, Value
from ..ops.base import BroadcastAttributes
from ..passes.windows.maxima_first import is_maximum

Kind: TypeAlias = Literal["scale", "maximum", "shift"]
_KINDS: dict[str, Kind] = {"mul": "scale", "reduce_window": "maximum", "add": "shift"}
#: The order that steps have after a product.
_ORDER: tuple[Kind, ...] = ("scale", "maximum", "shift")


#: A kind of step, and the numbers of one that has some.
Numbers: TypeAlias = tuple[Kind, NDArray | None]


@dataclass(frozen=True, slots=True)
class Step:
    """A step after a product: the ``node`` that takes it, and the ``numbers`` [channels] that it multiplies by or adds,
    which depend on parameters alone."""

    kind: Kind
    node: Node
    numbers: Value | None


def following(graph: Graph, node: Node, fixed: Container[Value]) -> list[Step]:
    """The steps after a product that nothing else reads, each of which reads the one before alone."""
    outputs = set(graph.outputs.values())
    steps: list[Step] = []
    value, kinds = node.values[0], list(_ORDER)
    while value not in outputs and len(uses := graph.uses(value)) == 1:
        ((user, position),) = uses
        kind = _KINDS.get(user.op)
        if kind not in kinds:
            break
        numbers = None
        if kind != "maximum":
            numbers = _per_channel(graph, graph.operands(user)[1 - position])
            if numbers is None or numbers not in fixed:
                break
        elif not is_maximum(user):
            break
        kinds = kinds[kinds.index(kind) + 1 :]
        steps.append(Step(kind, user, numbers))
        value = user.values[0]
    return steps


def _per_channel(graph: Graph, value: Value) -> Value | None:
    """The numbers along the last axis that ``value`` repeats along all others."""
    node = graph.producer(value)
    if not isinstance(node.attrs, BroadcastAttributes):
        return None
    return graph.operands(node)[0] if node.attrs.axes == (len(node.attrs.shape) - 1,) else None
