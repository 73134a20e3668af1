"""Gives products of recurrences that train an order, so that the same step has the same bits wherever it stands.

A recurrence may be computed in blocks of steps (``bptt.checkpoint``) and with copies of its step (``unroll``). Then the
same product of the same step is in a loop here and between others there, has as many rows as there are steps, or as a
block has, and gets its weights from outside or from the loop around. In order, its sums are the same: term by term.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..graph.graph import Graph
from ..graph.node import Attributes, Node, Value
from ..graph.types import TensorType
from ..ops.products.dot import DotAttributes
from ..ops.windows.geometry import ConvAttributes

#: Fewer columns than these may leave lanes empty, whatever the machine.
FEW_COLUMNS = 8


def is_ordered(attrs: Attributes) -> bool:
    """Whether ``attrs`` are those of a product whose terms are added up one after the other."""
    return isinstance(attrs, DotAttributes | ConvAttributes) and attrs.order == "ascending"


def is_matrix(type: TensorType) -> bool:
    """Whether ``type`` has two axes, and no open size: weights that can be turned."""
    return type.rank == 2 and all(isinstance(size, int) for size in type.shape)


def in_order(graph: Graph, node: Node) -> Attributes:
    """The attributes of ``node`` with an order, if it is a product in any order.

    Terms come one after the other if weights can be turned for that (``turn_weights``, ``copy_transposed``). Other
    right sides may have their terms contiguous; then lanes run along these.
    """
    attrs = node.attrs
    if isinstance(attrs, ConvAttributes) and attrs.order == "any":
        return replace(attrs, order="ascending")
    if isinstance(attrs, DotAttributes) and attrs.order == "any":
        right = graph.type(graph.operands(node)[1])
        along_terms = right.rank - 1 in attrs.rhs_contract and not is_matrix(right)
        return replace(attrs, order="fixed" if along_terms else "ascending")
    return attrs


def products_in_order(body: Graph, copies: bool) -> Graph:
    """``body`` with an order for each of its products. Where it has no ``copies`` of a step, only for those whose lanes
    run along one axis or another, as memory is read: convolutions, and products of few columns."""

    def rule(new: Graph, node: Node, operands: tuple[Value, ...]) -> Sequence[Value] | None:
        if not copies and not isinstance(node.attrs, ConvAttributes) and not _has_few_columns(node):
            return None
        attrs = in_order(body, node)
        return None if attrs is node.attrs else new.add(node.op, operands, attrs, layer=node.layer).values

    return body.rewrite(rule)


def _has_few_columns(node: Node) -> bool:
    columns = node.types[0].shape[-1:]
    return not columns or (isinstance(columns[0], int) and columns[0] < FEW_COLUMNS)
