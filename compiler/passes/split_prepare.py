"""Splits off what depends on parameters alone, to be computed once after loading instead of at every call.

Batch normalization's scale and shift, transposed or reversed weights, and whatever else depends only on parameters
and statistics go to the entry ``prepare``; ``predict`` reads the results as buffers of role "packed".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from ..graph.analysis import open_sizes
from ..graph.graph import Graph
from ..graph.node import InputAttributes, Node, Value
from ..ops.base import primitive
from ..ops.protocols import Elementwise, View
from .base import READERS, Pass, PassContext

_OWNED = ("parameter", "statistic")


@dataclass(frozen=True)
class SplitPrepare(Pass):
    """Moves operations from ``predict`` to the new entry ``prepare``, whose outputs ``predict`` then reads.

    These outputs, and the inputs that read them, are called ``packed.0``, ``packed.1``, ….
    """

    name: ClassVar[str] = "split_prepare"
    bodies: ClassVar[bool] = False

    def run(self, graph: Graph, context: PassContext) -> Graph:
        if context.entry not in READERS:
            return graph
        prepare, rest = _split(graph)
        if prepare is not None:
            context.split["prepare"] = prepare
        return rest


def _split(graph: Graph) -> tuple[Graph | None, Graph]:
    """(the prepare graph or None, the rest of the graph, which reads its outputs)."""
    fixed = fixed_values(graph)
    frontier: dict[Value, None] = {}
    outputs = set(graph.outputs.values())
    for node in graph:
        for value in node.values:
            if value in fixed and (
                value in outputs or any(user.values[0] not in fixed for user, _ in graph.uses(value))
            ):
                base = _computed(graph, value)
                if base is not None:
                    frontier[base] = None
    if not frontier:
        return None, graph
    names = {value: f"packed.{position}" for position, value in enumerate(frontier)}
    prepare = _cut(graph, names)
    rest = Graph(graph.name)
    moved: dict[Value, Value] = {}
    for name, value in graph.inputs.items():
        moved[value] = rest.input(name, graph.type(value), graph.input_role(name))
    for value, name in names.items():
        moved[value] = rest.input(name, graph.type(value), "packed")
    needed = _needed(graph, list(graph.outputs.values()), set(names))
    for node in graph:
        if node.id in needed and node.op != "input":
            results = rest.add(
                node.op, [moved[v] for v in graph.operands(node)], node.attrs, layer=node.layer
            ).values
            moved.update(zip(node.values, results, strict=True))
    for name, value in graph.outputs.items():
        rest.set_output(name, moved[value])
    return prepare, rest


def fixed_values(graph: Graph, given: Iterable[Value] = ()) -> set[Value]:
    """Values that depend only on parameters, and on at least one; not on open sizes, which ``prepare`` is not
    given. ``given``: inputs of a body that are such values outside of it."""
    fixed = set(given)
    free: set[Value] = set()  # values that depend on no input at all
    for node in graph:
        if isinstance(node.attrs, InputAttributes):
            if node.attrs.role in _OWNED:
                fixed.update(node.values)
            continue
        operands = graph.operands(node)
        if open_sizes(node):
            continue
        if all(v in fixed or v in free for v in operands):
            (fixed if any(v in fixed for v in operands) else free).update(node.values)
    return fixed


def _computed(graph: Graph, value: Value) -> Value | None:
    """The part of ``value`` worth storing: without the views on top of it; None if only a parameter or generator is
    left."""
    node = graph.producer(value)
    while node.op != "input" and _is_free(node) and len(graph.operands(node)) == 1:
        value = graph.operands(node)[0]
        node = graph.producer(value)
    return None if node.op == "input" else value


def _is_free(node: Node) -> bool:
    """Whether a result costs no memory and little work: a view, or what readers compute as they load it."""
    op = primitive(node.op)
    return isinstance(op, View) or (isinstance(op, Elementwise) and op.in_readers)


def _needed(graph: Graph, wanted: list[Value], stop: set[Value]) -> set[int]:
    pending, needed = list(wanted), set()
    while pending:
        value = pending.pop()
        if value not in stop and value.node not in needed:
            needed.add(value.node)
            pending.extend(graph.operands(value.node))
    return needed


def _cut(graph: Graph, names: dict[Value, str]) -> Graph:
    """The part of ``graph`` that computes the keys of ``names``."""
    needed = _needed(graph, list(names), set())
    part = Graph("prepare")
    moved: dict[Value, Value] = {}
    for node in graph:
        if node.id not in needed:
            continue
        if isinstance(node.attrs, InputAttributes):
            moved[node.values[0]] = part.input(node.attrs.name, node.types[0], node.attrs.role)
            continue
        results = part.add(
            node.op, [moved[v] for v in graph.operands(node)], node.attrs, layer=node.layer
        ).values
        moved.update(zip(node.values, results, strict=True))
    for value, name in names.items():
        part.set_output(name, moved[value])
    return part
