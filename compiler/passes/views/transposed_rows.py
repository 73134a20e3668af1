"""Moves transposes of a product's rows to where they move fewer elements: of sequences that a loop over steps has made,
a layer with few units computes the steps in the loop's order, and only its results are transposed.

Their cotangents could be transposed before the product that makes those of the loop's steps from them. But rows in
another order are in other tiles, and a loop by blocks of steps reads slices of the cotangents, which stay as they are:
its gradients would have other bits than those of a loop over all steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from netwright.specs.dims import DimLike

from ...graph.graph import Graph
from ...graph.node import Node, Value
from ...ops.products.dot import DotAttributes
from ...ops.views.layout import TransposeAttributes

#: How many elements a shape has, roughly.
Size = Callable[[Sequence[DimLike]], int]


def after_product(
    graph: Graph, new: Graph, node: Node, operands: Sequence[Value], size: Size
) -> Value | None:
    """The result of a product, ``node``, transposed after it instead of its rows before it, if nothing else reads these
    and the result is smaller; else None."""
    attrs, (rows, *others) = node.attrs, graph.operands(node)
    assert isinstance(attrs, DotAttributes)
    last, read_once = graph.type(rows).rank - 1, len(graph.uses(rows)) == 1
    if attrs.batch or attrs.lhs_contract != (last,) or len(others) > 1 or not read_once:
        return None
    if rows in graph.outputs.values() or size(node.types[0].shape) >= size(graph.type(rows).shape):
        return None
    transpose = new.producer(operands[0])
    if not isinstance(transpose.attrs, TransposeAttributes) or transpose.attrs.permutation[last] != last:
        return None
    result = new.apply("dot", new.operands(transpose)[0], operands[1], attrs=attrs)
    back = (*transpose.attrs.permutation[:last], *range(last, node.types[0].rank))
    return new.apply("transpose", result, attrs=TransposeAttributes(back))
