"""Copies weights that convolutions read transposed, so that their lanes run along the columns.

The gradient of a convolution with respect to its data is a convolution with the same weights, reversed, with input and
output channels swapped. Read where they are, these have their terms contiguous, not their columns; so a tile would
have to keep its lanes along the sum and add them up at its end. Copying pays where there are rows enough that read the
copy: those of all convolutions that do, since bands and phases of a convolution read the same weights. Where columns
fill panels, the copy is packed into panels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from netwright.specs.dims import product, typical

from ...graph.graph import Graph
from ...graph.node import InputAttributes, Node, Value
from ...ops.protocols import contraction
from ...ops.views.layout import TransposeAttributes
from ...ops.views.panels import copied
from ..base import Pass, PassContext
from ..ordered import is_ordered

#: With fewer rows, in a batch of typical size, copying takes longer than it saves.
LEAST_ROWS = 16
#: Views that only choose or reorder whole rows of columns.
_ROWS = ("slice", "reverse")


@dataclass(frozen=True)
class CopyTransposed(Pass):
    """Copies each parameter that convolutions with many rows read with its last two axes swapped, and all that those in
    order read so: their bits must not depend on how many rows there are."""

    name: ClassVar[str] = "copy_transposed"

    def run(self, graph: Graph, context: PassContext) -> Graph:
        rows: Counter[Value] = Counter()
        wanted: set[Value] = set()
        for node in graph:
            value = _transposed(graph, node)
            if value is None:
                continue
            if is_ordered(node.attrs):
                wanted.add(value)
            elif _is_parameter(graph, value):
                rows[value] += typical(product(node.types[0].shape[:-1]))
        wanted |= {value for value, number in rows.items() if number >= LEAST_ROWS}
        if not wanted:
            return graph

        def rule(new: Graph, node: Node, operands: tuple[Value, ...]) -> Sequence[Value] | None:
            if node.values[0] not in wanted:
                return None
            transposed = new.add(node.op, operands, node.attrs, layer=node.layer).values[0]
            return [copied(new, transposed, context.machine.lanes(new.type(transposed).dtype))]

        return graph.rewrite(context.limit(rule))


def _transposed(graph: Graph, node: Node) -> Value | None:
    """The transposed value that ``node`` reads as weights."""
    op = contraction(node)
    position = None if op is None else op.packed_operand(node.attrs)
    if position is None or node.op != "conv":
        return None
    value = graph.operands(node)[position]
    while graph.producer(value).op in _ROWS:
        (value,) = graph.operands(graph.producer(value))
    producer = graph.producer(value)
    if not isinstance(producer.attrs, TransposeAttributes):
        return None
    *_, columns = producer.attrs.permutation
    if columns == len(producer.attrs.permutation) - 1:
        return None
    return value


def _is_parameter(graph: Graph, value: Value) -> bool:
    """Whether ``value`` is a parameter with its elements in another order."""
    node = graph.producer(value)
    while node.op in ("transpose", "reverse", "reshape"):
        (value,) = graph.operands(node)
        node = graph.producer(value)
    return isinstance(node.attrs, InputAttributes) and node.attrs.role == "parameter"
