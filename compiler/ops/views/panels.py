"""``panels``: weights stored as column panels, viewed as the matrix that they represent.

Panel p holds columns p·width … p·width + width − 1 of all rows, so a kernel that works on some columns reads one
contiguous stretch of memory. In a row-major matrix it would read one cache line per row, at a stride that is a power
of two for usual sizes, where the lines evict each other. ``pack_panels`` makes the panels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from netwright.specs.dims import Shape

from ...graph.graph import Graph
from ...graph.node import Attributes, Node, Value
from ...graph.rules import ShapeError
from ...graph.types import TensorType
from ..base import Sample
from ..contexts import EvaluationContext
from ..protocols import Source, View
from .concat import ConcatAttributes
from .layout import ReshapeAttributes, ReverseAttributes, TransposeAttributes


@dataclass(frozen=True, slots=True)
class PanelsAttributes(Attributes):
    """``width`` of a panel."""

    width: int


class Panels(View):
    """[columns / width, *rows, width] viewed as [*rows, columns]."""

    name = "panels"
    attributes = PanelsAttributes
    cheap = True
    rematerialize = True

    def infer(self, attrs: PanelsAttributes, operands: Sequence[TensorType]) -> Sequence[TensorType]:
        (x,) = operands
        if x.rank < 2 or x.shape[-1] != attrs.width:
            raise ShapeError(f"panels of width {attrs.width} from {x}", 0)
        return [x.with_shape((*x.shape[1:-1], x.shape[0] * attrs.width))]

    def evaluate(
        self, context: EvaluationContext, attrs: PanelsAttributes, operands: Sequence[np.ndarray]
    ) -> Sequence[np.ndarray]:
        moved = np.moveaxis(operands[0], 0, -2)
        return [moved.reshape(*moved.shape[:-2], -1)]

    def read(
        self, attrs: PanelsAttributes, operands: Sequence[TensorType], index: Sequence[Any]
    ) -> Sequence[Source]:
        *rows, column = index
        panel = column // attrs.width
        return [Source(0, (panel, *rows, column - attrs.width * panel))]

    def write(
        self, attrs: PanelsAttributes, operands: Sequence[TensorType], position: int, index: Sequence[Any]
    ) -> tuple[Any, ...]:
        panel, *rows, column = index
        return (*rows, panel * attrs.width + column)

    def stretch(self, attrs: PanelsAttributes) -> int | None:
        return attrs.width

    def samples(self) -> Sequence[Sample]:
        return [
            Sample((TensorType("float64", (3, 5, 8)),), PanelsAttributes(8), differentiable=()),
            Sample((TensorType("float64", (2, 2, 3, 4)),), PanelsAttributes(4), differentiable=()),
        ]


def pack(graph: Graph, matrix: Value, width: int) -> Value:
    """Adds the panels of ``matrix`` [*rows, columns], copied to new memory."""
    *rows, columns = graph.type(matrix).shape
    assert isinstance(columns, int)
    node, count, last = graph.producer(matrix), columns // width, len(rows)
    if isinstance(node.attrs, ConcatAttributes) and _in_whole_panels(graph, node, width):
        # Matrices beside each other are panels behind each other, each copied once; those below each other stay so.
        axis = 0 if node.attrs.axis == last else node.attrs.axis + 1
        parts = [pack(graph, part, width) for part in graph.operands(node)]
        return graph.apply("concat", *parts, attrs=ConcatAttributes(axis))
    if isinstance(node.attrs, TransposeAttributes) and node.attrs.permutation == _turn(last + 1):
        # Packed from where it was transposed from, so that it is copied once.
        panels = _split(graph, graph.operands(node)[0], (*rows[:-1], count, width, rows[-1]))
        order = (last - 1, *range(last - 1), last + 1, last)
    else:
        panels = graph.apply("reshape", matrix, attrs=ReshapeAttributes((*rows, count, width)))
        order = (last, *range(last), last + 1)
    return graph.apply("copy", graph.apply("transpose", panels, attrs=TransposeAttributes(order)))


def _turn(rank: int) -> tuple[int, ...]:
    """The order of axes that swaps the last two."""
    return (*range(rank - 2), rank - 1, rank - 2)


def _split(graph: Graph, turned: Value, shape: Shape) -> Value:
    """``turned``, with its last axis but one split in two: before it is reversed along others, so that only the order
    of what is in memory changes."""
    node = graph.producer(turned)
    if isinstance(node.attrs, ReverseAttributes) and all(axis < len(shape) - 3 for axis in node.attrs.axes):
        (whole,) = graph.operands(node)
        split = graph.apply("reshape", whole, attrs=ReshapeAttributes(shape))
        return graph.apply("reverse", split, attrs=node.attrs)
    return graph.apply("reshape", turned, attrs=ReshapeAttributes(shape))


def fills_panels(type: TensorType, width: int) -> bool:
    """Whether the columns of a matrix fill whole panels, at least two of them: a single one is contiguous already."""
    if type.rank < 2 or not all(isinstance(size, int) for size in type.shape):
        return False
    columns = type.shape[-1]
    return isinstance(columns, int) and columns % width == 0 and columns >= 2 * width


def _in_whole_panels(graph: Graph, concat: Node, width: int) -> bool:
    """Whether the columns of all matrices that ``concat`` joins fill panels."""
    columns = [graph.type(part).shape[-1] for part in graph.operands(concat)]
    return all(isinstance(size, int) and size % width == 0 for size in columns)


def pack_rows(graph: Graph, data: Value, width: int) -> Value:
    """Adds the panels of ``data`` [rows, columns], of an open number of rows, copied to new memory, and returns
    ``data`` as read from these. Where it is a sequence of rows with axes of their own, it is copied from that."""
    rows, columns = graph.type(data).shape
    assert isinstance(columns, int)
    node = graph.producer(data)
    if isinstance(node.attrs, ReshapeAttributes):
        (source,) = graph.operands(node)
        if graph.type(source).shape[-1] == columns:
            data = source
    packed = pack(graph, data, width)
    if graph.type(packed).rank > 3:
        packed = graph.apply("reshape", packed, attrs=ReshapeAttributes((columns // width, rows, width)))
    return graph.apply("panels", packed, attrs=PanelsAttributes(width))


def in_panels(graph: Graph, matrix: Value, width: int) -> Value:
    """``matrix``, read from panels in new memory."""
    return graph.apply("panels", pack(graph, matrix, width), attrs=PanelsAttributes(width))


def copied(graph: Graph, matrix: Value, width: int) -> Value:
    """A copy of ``matrix``: in panels if its columns fill these, else as it is."""
    if fills_panels(graph.type(matrix), width):
        return in_panels(graph, matrix, width)
    return graph.apply("copy", matrix)
