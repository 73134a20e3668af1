"""Moves transposes of a product's rows to where they move fewer elements: of sequences that a loop over steps has made,
a layer with few units computes the steps in the loop's order, and only its results are transposed. Gradients go the
other way: those of few units are transposed before the product that makes those of many."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from netwright.specs.dims import DimLike

from ..graph.graph import Graph
from ..graph.node import Node, Value
from ..ops.dot import DotAttributes
from ..ops.layout import TransposeAttributes

#: How many elements a shape has, roughly.
Size = Callable[[Sequence[DimLike]], int]


def after_product(
    graph: Graph, new: Graph, node: Node, operands: Sequence[Value], size: Size
) -> Value | None:
    """The result of a product, ``node``, transposed after it instead of its rows before it, if nothing else reads these
    and the result is smaller; else None."""
    rows = _rows(graph, node)
    if rows is None or not _is_read_once(graph, rows):
        return None
    transpose = new.producer(operands[0])
    if not isinstance(transpose.attrs, TransposeAttributes):
        return None
    order, last = transpose.attrs.permutation, graph.type(rows).rank - 1
    if order[last] != last or size(node.types[0].shape) >= size(graph.type(rows).shape):
        return None
    result = new.apply("dot", new.operands(transpose)[0], operands[1], attrs=node.attrs)
    back = TransposeAttributes((*order[:last], *range(last, node.types[0].rank)))
    return new.apply("transpose", result, attrs=back)


def before_product(
    graph: Graph, new: Graph, node: Node, became: Mapping[Value, Value], size: Size
) -> Value | None:
    """The result of ``node``, a transpose of a product's rows, computed from transposed rows, if only loops read it,
    which need it in memory, nothing else reads the product, and the rows are smaller; else None."""
    assert isinstance(node.attrs, TransposeAttributes)
    (result,) = graph.operands(node)
    product, order = graph.producer(result), node.attrs.permutation
    rows = _rows(graph, product)
    if rows is None or not _is_read_once(graph, result):
        return None
    last, shape = graph.type(rows).rank - 1, graph.type(rows).shape
    if order[last:] != tuple(range(last, len(order))) or size(shape) >= size(node.types[0].shape):
        return None
    readers = graph.uses(node.values[0])
    if not readers or node.values[0] in graph.outputs.values() or any(n.op != "scan" for n, _ in readers):
        return None
    turned = new.apply("transpose", became[rows], attrs=TransposeAttributes((*order[:last], last)))
    return new.apply("dot", turned, became[graph.operands(product)[1]], attrs=product.attrs)


def _rows(graph: Graph, node: Node) -> Value | None:
    """The operand of a product whose last axis is summed, and whose other axes are rows of the result."""
    attrs, operands = node.attrs, graph.operands(node)
    if not isinstance(attrs, DotAttributes) or attrs.batch or len(operands) > 2:
        return None
    return operands[0] if attrs.lhs_contract == (graph.type(operands[0]).rank - 1,) else None


def _is_read_once(graph: Graph, value: Value) -> bool:
    return len(graph.uses(value)) == 1 and value not in graph.outputs.values()
