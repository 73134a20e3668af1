"""Copies weights that recurrences read transposed, so that their lanes run along the columns.

The cotangents of a recurrence's state and input are products with transposed weights. Read where they are, these have
their terms contiguous: a tile would run its lanes along the sum and add them up at its end, and such tiles are small.
All steps read the copy, or a product that has a row for each step of each sequence; so it costs little. Whether it is
made depends on no number of steps: a block of steps has to give the same bits as all of them.

So do products of few terms with many rows: the cotangents of a sequence that a small dense layer reads. Each result
would be the sum of the lanes of a vector that has added up few others. (From 10 classes of 12,800 steps to 64 units:
0.19 ms in place of 0.67, and from 29 of 1,600 steps to 128 units 0.14 in place of 0.30.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from netwright.specs.dims import product, typical

from ...graph.graph import Graph
from ...graph.node import InputAttributes, Node, Value
from ...graph.types import TensorType
from ...machine import Machine
from ...ops.products.dot import DotAttributes
from ...ops.scans.scan_attributes import ScanAttributes
from ...ops.views.layout import TransposeAttributes
from ...ops.views.panels import copied
from ..base import Pass, PassContext
from ..ordered import is_matrix, is_ordered

#: With so many rows, products of few terms pay for a copy of their weights.
MANY_ROWS = 64
#: So many vectors of terms are few.
FEW_VECTORS = 4


@dataclass(frozen=True)
class TurnWeights(Pass):
    """Turns the right sides of products whose terms are contiguous there: those that a loop keeps constant, which are
    packed with others, and those of products in order or of few terms, packed into panels if their columns fill these.

    Products in order need it, since lanes along the sum would add up terms in another order.
    """

    name: ClassVar[str] = "turn_weights"

    def run(self, graph: Graph, context: PassContext) -> Graph:
        turned: dict[Value, Value] = {}
        machine = context.machine

        def rule(new: Graph, node: Node, operands: tuple[Value, ...]) -> Sequence[Value] | None:
            if isinstance(node.attrs, ScanAttributes):
                return _turned_consts(new, node, node.attrs, operands, machine)
            if not _reads_terms(node) or not _pays(new, node, operands[1], machine):
                return None
            attrs: Any = node.attrs
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
    body, inputs, k = attrs.body, list(attrs.body.inputs.items()), attrs.n_consts
    turned, beside = _consts_to_turn(body, [value for _, value in inputs[:k]], machine)
    if not turned and not beside:
        return None
    inner = Graph(body.name)
    moved: dict[Value, Value] = {}
    columns: dict[Value, Value] = {}  # what is turned, with its terms first
    for name, value in inputs[:k]:
        if value in turned:
            columns[value] = inner.input(name, _turned_type(body, value), "body")
        else:
            moved[value] = inner.input(name, body.type(value), "body")
    for name, value in inputs[:k]:
        if value in beside:
            columns[value] = inner.input(f"{name}.turned", _turned_type(body, value), "body")
    for name, value in inputs[k:]:
        moved[value] = inner.input(name, body.type(value), "body")
    for own in body:
        if isinstance(own.attrs, InputAttributes):
            continue
        read = body.operands(own)
        own_attrs: Any = own.attrs
        values = [moved[value] if value in moved else columns[value] for value in read]
        if _reads_terms(own) and (read[1] in turned or (read[1] in beside and is_ordered(own_attrs))):
            own_attrs, values[1] = replace(own_attrs, rhs_contract=(0,)), columns[read[1]]
        results = inner.add(own.op, values, own_attrs, layer=own.layer).values
        moved.update(zip(own.values, results, strict=True))
    for name, value in body.outputs.items():
        inner.set_output(name, moved[value])
    pairs = [(operand, value) for operand, (_, value) in zip(operands, inputs, strict=True)]
    changed = [_transposed(new, operand) if value in turned else operand for operand, value in pairs[:k]]
    changed += [_transposed(new, operand) for operand, value in pairs[:k] if value in beside]
    attrs = replace(attrs, body=inner, n_consts=len(changed))
    return new.add("scan", [*changed, *operands[k:]], attrs, layer=node.layer).values


def _consts_to_turn(body: Graph, consts: Sequence[Value], machine: Machine) -> tuple[set[Value], set[Value]]:
    """The consts of a body that are turned: those that only products read, as their right sides; and those that get a
    turned one beside them, for products in order, since others read them as they are."""
    turned: set[Value] = set()
    beside: set[Value] = set()
    for value in consts:
        uses = body.uses(value)
        terms = [user for user, position in uses if position == 1 and _reads_terms(user)]
        ordered = any(is_ordered(user.attrs) for user in terms) and is_matrix(body.type(value))
        if not ordered and not (terms and _has_columns(body.type(value), machine)):
            continue
        if len(terms) == len(uses) and value not in body.outputs.values():
            turned.add(value)
        elif ordered:
            beside.add(value)
    return turned, beside


def _turned_type(body: Graph, value: Value) -> TensorType:
    type = body.type(value)
    return type.with_shape(type.shape[::-1])


def _reads_terms(node: Node) -> bool:
    """Whether ``node`` is a product whose right side has its terms along the last of two axes."""
    return isinstance(node.attrs, DotAttributes) and node.attrs.rhs_contract == (1,) and not node.attrs.batch


def _has_columns(type: TensorType, machine: Machine) -> bool:
    """Whether a right side of ``type`` is a matrix with columns for two vectors or more."""
    columns = type.shape[0]
    return is_matrix(type) and isinstance(columns, int) and columns >= 2 * machine.lanes(type.dtype)


def _pays(graph: Graph, node: Node, right: Value, machine: Machine) -> bool:
    """Whether a product is faster with a copy of its ``right`` side, or needs one to add up its terms in order."""
    if is_ordered(node.attrs):
        # The loop around turns what its body gets, for all of its steps.
        return is_matrix(graph.type(right)) and not _is_of_body(graph, right)
    return _has_columns(graph.type(right), machine) and _has_few_terms(graph, node, right, machine)


def _is_of_body(graph: Graph, value: Value) -> bool:
    """Whether ``value`` is given to the body of a loop."""
    attrs = graph.producer(value).attrs
    return isinstance(attrs, InputAttributes) and attrs.role == "body"


def _has_few_terms(graph: Graph, node: Node, right: Value, machine: Machine) -> bool:
    """Whether lanes along the sum add up few vectors, and are added up then for every result, of which there are many:
    the cotangents of many rows of data, from few outputs."""
    _, terms = graph.type(right).shape
    rows = typical(product(node.types[0].shape[:-1]))
    few = FEW_VECTORS * machine.lanes(node.types[0].dtype)
    return isinstance(terms, int) and terms <= few and rows >= MANY_ROWS


def _transposed(graph: Graph, matrix: Value) -> Value:
    return graph.apply("transpose", matrix, attrs=TransposeAttributes((1, 0)))
