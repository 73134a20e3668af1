"""Packs the rows of long sums of outer products into panels.

The gradient of weights is a sum of a row of the data by a row of the cotangent for every sample and step. A tile of the
result reads a few elements of each row of the data. In memory these lie as far apart as a row is long, often a power of
two: each is on a page of its own, few of their cache lines fit into the first cache at the same time, and nothing
fetches them ahead. In panels as wide as a tile is high, a tile reads memory from one end to the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from netwright.specs.dims import typical

from ...graph.graph import Graph
from ...graph.node import Node, Value
from ...machine import Machine
from ...ops.products.dot import DotAttributes
from ...ops.views.panels import pack_rows
from ...plans.outer import row_panels
from ..base import Pass, PassContext

#: Rows fewer bytes apart than these are fetched ahead, and share pages; and packing them costs more than it saves if
#: there are fewer columns, whose tiles read the same rows again.
LEAST_APART, LEAST_COLUMNS = 2048, 512
#: Fewer terms than these stay in the caches. What an open size is taken to be where they are counted.
LEAST_TERMS, TYPICAL = 256, 32


@dataclass(frozen=True)
class PackRows(Pass):
    """Packs the data of each product that sums outer products, whose rows are far apart."""

    name: ClassVar[str] = "pack_rows"

    def run(self, graph: Graph, context: PassContext) -> Graph:
        packed: dict[tuple[Value, int], Value] = {}

        def rule(new: Graph, node: Node, operands: tuple[Value, ...]) -> Sequence[Value] | None:
            width = _width(new, node, operands, context.machine)
            if width is None:
                return None
            data, *others = operands
            if (data, width) not in packed:
                packed[data, width] = pack_rows(new, data, width)
            return new.add(node.op, [packed[data, width], *others], node.attrs, layer=node.layer).values

        return graph.rewrite(context.limit(rule))


def _width(graph: Graph, node: Node, operands: Sequence[Value], machine: Machine) -> int | None:
    """How wide the panels of the data of ``node`` should be; None if it should stay as it is."""
    attrs = node.attrs
    if not isinstance(attrs, DotAttributes) or (attrs.lhs_contract, attrs.rhs_contract) != ((0,), (0,)):
        return None
    if any(graph.type(value).rank != 2 for value in operands[:2]):
        return None
    (type,), data = node.types, graph.type(operands[0])
    rows, columns = type.shape
    if not isinstance(rows, int) or not isinstance(columns, int):
        return None
    apart, terms = rows * np.dtype(data.dtype).itemsize, typical(data.shape[0], TYPICAL)
    if apart < LEAST_APART or columns < LEAST_COLUMNS or terms < LEAST_TERMS:
        return None
    return row_panels(rows, columns, type.dtype, machine)
