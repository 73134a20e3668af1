"""Packs weights into column panels where the work on them pays for the packing.

Inside a recurrence every step multiplies the state by the same weights, so packing them once before the loop pays for
itself; in ``predict`` the entry ``prepare`` packs parameters once. Elsewhere weights are read as they are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from ..graph.graph import Graph
from ..graph.node import InputAttributes, Node, Value
from ..ops.panels import PanelsAttributes, pack
from ..ops.protocols import contraction
from ..ops.scan_attributes import ScanAttributes
from ..ops.slice_pad import SliceAttributes
from .base import READERS, Pass, PassContext


@dataclass(frozen=True)
class PackPanels(Pass):
    """Packs matrices that loops keep constant; in entries that only read weights also those of products outside loops.

    A panel is as wide as a vector.
    """

    name: ClassVar[str] = "pack_panels"
    bodies: ClassVar[bool] = False  # consts of a body are packed in the graph around it

    def run(self, graph: Graph, context: PassContext) -> Graph:
        lanes = context.machine.lanes(_dtype(graph))
        return _packed(graph, lanes, context, parameters=context.entry in READERS)


def _packed(graph: Graph, lanes: int, context: PassContext, *, parameters: bool) -> Graph:
    packed: dict[Value, Value] = {}

    def panels_of(new: Graph, value: Value) -> Value:
        if value not in packed:
            packed[value] = pack(new, value, lanes)
        return packed[value]

    def rule(new: Graph, node: Node, operands: tuple[Value, ...]) -> tuple[Value, ...] | None:
        if isinstance(node.attrs, ScanAttributes):
            return _pack_scan(new, node, node.attrs, operands, lanes)
        position = _packed_operand(node) if parameters else None
        if position is None or not _is_parameter(new, operands[position]):
            return None
        if not _fits(new, operands[position], lanes):
            return None
        changed = list(operands)
        packed = panels_of(new, operands[position])
        changed[position] = new.apply("panels", packed, attrs=PanelsAttributes(lanes))
        return new.add(node.op, changed, node.attrs, layer=node.layer).values

    return graph.rewrite(context.limit(rule))


def _dtype(graph: Graph) -> str:
    """The model's float dtype."""
    double = any(graph.type(value).dtype == "float64" for value in graph.inputs.values())
    return "float64" if double else "float32"


def _pack_scan(
    new: Graph, node: Node, attrs: ScanAttributes, operands: tuple[Value, ...], lanes: int
) -> tuple[Value, ...] | None:
    body = attrs.body
    chosen = {
        position
        for position, value in enumerate(list(body.inputs.values())[: attrs.n_consts])
        if _fits(body, value, lanes) and _is_weight(body, value, lanes)
    }
    if not chosen:
        return None
    changed = [
        pack(new, value, lanes) if position in chosen else value for position, value in enumerate(operands)
    ]
    inner = Graph(body.name)
    moved: dict[Value, Value] = {}
    for position, (name, value) in enumerate(body.inputs.items()):
        if position in chosen:
            raw = inner.input(name, new.type(changed[position]), "body")
            moved[value] = inner.apply("panels", raw, attrs=PanelsAttributes(lanes))
        else:
            moved[value] = inner.input(name, body.type(value), "body")
    for own in body:
        if not isinstance(own.attrs, InputAttributes):
            results = inner.add(
                own.op, [moved[v] for v in body.operands(own)], own.attrs, layer=own.layer
            ).values
            moved.update(zip(own.values, results, strict=True))
    for name, value in body.outputs.items():
        inner.set_output(name, moved[value])
    return new.add("scan", changed, replace(attrs, body=inner), layer=node.layer).values


def _fits(graph: Graph, value: Value, lanes: int) -> bool:
    """Whether the columns fill whole panels, at least two of them: a single one is contiguous already."""
    shape = graph.type(value).shape
    if len(shape) < 2:
        return False
    *rows, columns = shape
    static = all(isinstance(size, int) for size in rows)
    return static and isinstance(columns, int) and columns % lanes == 0 and columns >= 2 * lanes


def _packed_operand(node: Node) -> int | None:
    op = contraction(node)
    return None if op is None else op.packed_operand(node.attrs)


def _is_parameter(graph: Graph, value: Value) -> bool:
    attrs = graph.producer(value).attrs
    return isinstance(attrs, InputAttributes) and attrs.role == "parameter"


def _is_weight(body: Graph, value: Value, lanes: int) -> bool:
    """Whether ``value`` is only read by products that can read it packed, whole or in slices of whole panels."""
    uses = body.uses(value)
    for user, position in uses:
        if isinstance(user.attrs, SliceAttributes):
            start = user.attrs.start[-1]
            whole = (
                isinstance(start, int)
                and start % lanes == 0
                and user.attrs.stride == (1,) * len(user.attrs.stride)
            )
            if not whole or not all(_packed_operand(n) == at for n, at in body.uses(user.values[0])):
                return False
        elif _packed_operand(user) != position:
            return False
    return bool(uses) and value not in body.outputs.values()
