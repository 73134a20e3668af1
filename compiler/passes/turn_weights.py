"""Copies weights that recurrences read transposed, so that their lanes run along the columns.

The cotangents of a recurrence's state and input are products with transposed weights. Read where they are, these have
their terms contiguous: a tile would run its lanes along the sum and add them up at its end, and such tiles are small.
All steps read the copy, or a product that has a row for each step of each sequence; so it costs little. Whether it is
made depends on no number of steps: a block of steps has to give the same bits as all of them.

So do products of few terms with many rows: the cotangents of a sequence that a small dense layer reads. Each result
would be the sum of the lanes of a single vector.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from netwright.specs.dims import product, typical

from ..graph.graph import Graph
from ..graph.node import InputAttributes, Node, Value
from ..graph.types import TensorType
from ..machine import Machine
from ..ops.dot import DotAttributes
from ..ops.layout import TransposeAttributes
from ..ops.panels import copied
from ..ops.scan_attributes import ScanAttributes
from .base import Pass, PassContext

#: With so many rows, products of few terms pay for a copy of their weights.
MANY_ROWS = 64


@dataclass(frozen=True)
class TurnWeights(Pass):
    """Turns the right sides of products whose terms are contiguous there: those that a loop keeps constant, which are
    packed with others, and those of products that left a loop or have few terms, packed into panels if their columns
    fill these."""

    name: ClassVar[str] = "turn_weights"

    def run(self, graph: Graph, context: PassContext) -> Graph:
        turned: dict[Value, Value] = {}
        machine = context.machine

        def rule(new: Graph, node: Node, operands: tuple[Value, ...]) -> Sequence[Value] | None:
            if isinstance(node.attrs, ScanAttributes):
                return _turned_consts(new, node, node.attrs, operands, machine)
            if not _reads_terms(node) or not _has_columns(new.type(operands[1]), machine):
                return None
            attrs: Any = node.attrs
            if attrs.order != "fixed" and not _has_few_terms(new, node, operands[1], machine):
                return None
            left, right, *start = operands
            if right not in turned:
                turned[right] = copied(new, _transposed(new, right), machine.lanes(new.type(right).dtype))
            attrs = replace(attrs, rhs_contract=(0,))
            return new.add("dot", [left, turned[right], *start], attrs, layer=node.layer).values

        return graph.rewrite(context.limit(rule))


def _turned_consts(
    new: Graph, node: Node, attrs: ScanAttributes, operands: tuple[Value, ...], machine: Machine
) -> Sequence[Value] | None:
    """The scan with those consts turned that only products read, as their right sides."""
    body, inputs = attrs.body, list(attrs.body.inputs.items())
    turned = {
        value
        for _, value in inputs[: attrs.n_consts]
        if _has_columns(body.type(value), machine)
        and value not in body.outputs.values()
        and body.uses(value)
        and all(position == 1 and _reads_terms(user) for user, position in body.uses(value))
    }
    if not turned:
        return None
    inner = Graph(body.name)
    moved: dict[Value, Value] = {}
    for name, value in inputs:
        type = body.type(value)
        if value in turned:
            type = type.with_shape(type.shape[::-1])
        moved[value] = inner.input(name, type, "body")
    for own in body:
        if isinstance(own.attrs, InputAttributes):
            continue
        own_attrs, read = own.attrs, body.operands(own)
        if isinstance(own_attrs, DotAttributes) and read[1] in turned:
            own_attrs = replace(own_attrs, rhs_contract=(0,))
        results = inner.add(own.op, [moved[value] for value in read], own_attrs, layer=own.layer).values
        moved.update(zip(own.values, results, strict=True))
    for name, value in body.outputs.items():
        inner.set_output(name, moved[value])
    changed = [
        _transposed(new, operand) if value in turned else operand
        for operand, (_, value) in zip(operands, inputs, strict=True)
    ]
    return new.add("scan", changed, replace(attrs, body=inner), layer=node.layer).values


def _reads_terms(node: Node) -> bool:
    """Whether ``node`` is a product whose right side has its terms along the last of two axes."""
    return isinstance(node.attrs, DotAttributes) and node.attrs.rhs_contract == (1,) and not node.attrs.batch


def _has_columns(type: TensorType, machine: Machine) -> bool:
    """Whether a right side of ``type`` has columns for two vectors or more, and no open size."""
    if type.rank != 2:
        return False
    columns, terms = type.shape
    if not isinstance(columns, int) or not isinstance(terms, int):
        return False
    return columns >= 2 * machine.lanes(type.dtype)


def _has_few_terms(graph: Graph, node: Node, right: Value, machine: Machine) -> bool:
    """Whether lanes along the sum are that of a single vector, to be added up for every result, of which there are
    many: the cotangents of many rows of data, from few outputs."""
    _, terms = graph.type(right).shape
    rows = typical(product(node.types[0].shape[:-1]))
    return isinstance(terms, int) and terms <= machine.lanes(node.types[0].dtype) and rows >= MANY_ROWS


def _transposed(graph: Graph, matrix: Value) -> Value:
    return graph.apply("transpose", matrix, attrs=TransposeAttributes((1, 0)))
