"""Gives products one row axis: [T, N, K] @ [K, M] is computed as [T·N, K] @ [K, M].

Register tiles take their rows from one axis, and with T·N rows a tile is full even where N is 1. Reshapes of whole
tensors move nothing, so elementwise operations that follow (a bias, an activation) are computed in the flat shape,
too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from netwright.specs.dims import Shape, product

from ...graph.graph import Graph
from ...graph.node import Node, Value
from ...ops.base import BroadcastAttributes, primitive
from ...ops.products.dot import DotAttributes
from ...ops.protocols import Elementwise, View
from ...ops.values.constant import ConstantAttributes, splat
from ...ops.views.layout import ReshapeAttributes, TransposeAttributes
from ..base import Pass, PassContext


@dataclass(frozen=True)
class FlattenProducts(Pass):
    """Merges row axes, and contracted axes, that are adjacent in memory; contracted steps and sequences also where
    the sequences come first."""

    name: ClassVar[str] = "flatten_products"

    def run(self, graph: Graph, context: PassContext) -> Graph:
        flat: dict[Value, Value] = {}  # reshaped value of the new graph: its operand

        def rule(new: Graph, node: Node, operands: tuple[Value, ...]) -> Sequence[Value] | None:
            value = None
            if isinstance(node.attrs, DotAttributes):
                value = _product(new, node.attrs, operands)
            elif isinstance(primitive(node.op), Elementwise):
                value = _elementwise(new, node, operands, flat)
            if value is None:
                return None
            shape = node.types[0].shape
            if new.type(value).shape == shape:
                return [value]
            shaped = new.apply("reshape", value, attrs=ReshapeAttributes(shape))
            flat[shaped] = value
            return [shaped]

        return graph.rewrite(context.limit(rule))


def _product(g: Graph, attrs: DotAttributes, operands: tuple[Value, ...]) -> Value | None:
    """The product with merged axes, before the reshape that restores its row axes."""
    a, b, *start = operands
    rank_a, rank_b = g.type(a).rank, g.type(b).rank
    m, n = len(attrs.lhs_contract), len(attrs.free(rank_a, attrs.lhs_contract))
    # With batches, the contracted axes are neither the first nor all that follow the rows.
    if n > 1 and not start and attrs.lhs_contract == tuple(range(n, rank_a)):
        shape = g.type(a).shape
        rows = _reshaped(g, a, (product(shape[:n]), *shape[n:]))
        return g.apply("dot", rows, b, attrs=replace(attrs, lhs_contract=tuple(range(1, m + 1))))
    leading = tuple(range(m))
    turned = set(attrs.lhs_contract) == set(leading) and attrs.lhs_contract != leading
    if turned and attrs.order != "any" and attrs.rhs_contract == leading and rank_a > m:
        # Sums in order go on from step to step: a copy of the sequence, which the product of all steps reads, too.
        order = TransposeAttributes((*attrs.lhs_contract, *range(m, rank_a)))
        a, attrs = g.apply("transpose", a, attrs=order), replace(attrs, lhs_contract=leading)
    if m > 1 and attrs.lhs_contract == attrs.rhs_contract == leading and rank_a > m and rank_b > m:
        depth = product(g.type(a).shape[:m])
        lhs = _reshaped(g, a, (depth, *g.type(a).shape[m:]))
        rhs = _reshaped(g, b, (depth, *g.type(b).shape[m:]))
        return g.apply("dot", lhs, rhs, *start, attrs=replace(attrs, lhs_contract=(0,), rhs_contract=(0,)))
    return None


def _elementwise(g: Graph, node: Node, operands: tuple[Value, ...], flat: dict[Value, Value]) -> Value | None:
    """The elementwise operation in the flat shape that one of its operands was reshaped from."""
    source = next((flat[value] for value in operands if value in flat), None)
    if source is None:
        return None
    shape = g.type(source).shape
    merged = len(node.types[0].shape) - len(shape) + 1
    values = [_flattened(g, value, shape, merged, flat) for value in operands]
    if any(value is None for value in values):
        return None
    return g.apply(node.op, *(value for value in values if value is not None), attrs=node.attrs)


def _flattened(g: Graph, value: Value, shape: Shape, merged: int, flat: dict[Value, Value]) -> Value | None:
    """``value`` with its first ``merged`` axes as one; None if that would move elements."""
    if value in flat:
        return flat[value] if g.type(flat[value]).shape == shape else None
    node, type = g.producer(value), g.type(value)
    if isinstance(node.attrs, ConstantAttributes) and node.attrs.scalar is not None:
        return splat(g, node.attrs.scalar, type.with_shape(shape))
    if isinstance(node.attrs, BroadcastAttributes):
        if any(axis < merged for axis in node.attrs.axes):
            return None
        axes = tuple(axis - merged + 1 for axis in node.attrs.axes)
        return g.apply("broadcast", *g.operands(node), attrs=BroadcastAttributes(shape, axes))
    if node.op != "input" and isinstance(primitive(node.op), View):
        return None
    return _reshaped(g, value, shape)


def _reshaped(g: Graph, value: Value, shape: Shape) -> Value:
    return g.apply("reshape", value, attrs=ReshapeAttributes(shape))
