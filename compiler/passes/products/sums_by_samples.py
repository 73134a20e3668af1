"""Sums over all cells of a batch, sample by sample: Σ over samples and cells becomes a sum over cells for each sample,
and then one over samples.

Such a sum has one result per channel, too few for threads to divide: one of them would read all data, half of which
lies in the caches of others. The sums of samples are divided as the samples are everywhere else, so each thread reads
what it has written itself. The order of terms depends on shapes alone, never on the number of threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import ClassVar

from ...graph.graph import Graph
from ...graph.node import Node, Value
from ...graph.types import FLOATS
from ...ops.values.reduce import ReduceAttributes
from ..base import Pass, PassContext

#: The fewest cells of a sample: sums of fewer would be stored and read again for little. And the fewest elements of a
#: sample: with fewer, a typical batch has too little work for threads to divide.
LEAST_CELLS, LEAST_ELEMENTS = 8, 512


@dataclass(frozen=True)
class SumsBySamples(Pass):
    """Splits sums over samples and cells into one over cells and one over samples."""

    name: ClassVar[str] = "sums_by_samples"

    def run(self, graph: Graph, context: PassContext) -> Graph:
        if context.steady:
            return graph
        totals: dict[Value, Value | None] = {}

        def of_cells(new: Graph, node: Node, operands: tuple[Value, ...]) -> Sequence[Value] | None:
            attrs = node.attrs
            if not isinstance(attrs, ReduceAttributes) or not _is_long(graph, node, attrs):
                return None
            sums = new.apply("reduce", *operands, attrs=ReduceAttributes("sum", attrs.axes[1:]))
            totals[sums] = None
            return [sums]

        def total(new: Graph, value: Value) -> Value:
            """The sum over samples that stands for ``value``, if that is a sum over cells. It is added where it is read
            at first: sums over cells of the same data share a kernel if nothing between them needs either."""
            if value not in totals:
                return value
            known = totals[value]
            if known is None:
                attrs, layer = ReduceAttributes("sum", (0,)), new.producer(value).layer
                known = totals[value] = new.add("reduce", [value], attrs, layer=layer).values[0]
            return known

        split = context.limit(of_cells)

        def rule(new: Graph, node: Node, operands: tuple[Value, ...]) -> Sequence[Value | None] | None:
            whole = tuple(total(new, value) for value in operands)
            sums = split(new, node, whole)
            if sums is not None:
                return sums
            return None if whole == operands else new.add(node.op, whole, node.attrs).values

        changed = graph.rewrite(rule)
        for name, value in changed.outputs.items():
            changed.set_output(name, total(changed, value))
        return changed


def _is_long(graph: Graph, node: Node, attrs: ReduceAttributes) -> bool:
    """Whether ``node`` adds up floats of an open number of samples, in any order, each with many cells."""
    if attrs.op != "sum" or attrs.order != "any" or attrs.axes[:1] != (0,):
        return False
    type = graph.type(graph.operands(node)[0])
    samples, *sizes = type.shape
    sample = [size for size in sizes if isinstance(size, int)]
    if type.dtype not in FLOATS or isinstance(samples, int) or len(sample) < len(sizes):
        return False
    cells = prod(sample[axis - 1] for axis in attrs.axes[1:])
    return cells >= LEAST_CELLS and prod(sample) >= LEAST_ELEMENTS
