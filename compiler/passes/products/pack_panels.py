"""Packs weights into column panels where the work on them pays for the packing.

Inside a recurrence every step multiplies the state by the same weights, so packing them once before the loop pays for
itself; in ``predict`` the entry ``prepare`` packs parameters once. Where weights change from call to call, packing pays
only for those that leave the L2 cache, and are read for many rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from netwright.specs.dims import product, typical

from ...graph.graph import Graph
from ...graph.node import InputAttributes, Node, Value
from ...graph.types import TensorType
from ...machine import Machine
from ...ops.protocols import contraction
from ...ops.scans.scan_attributes import ScanAttributes
from ...ops.values.widen import WidenAttributes
from ...ops.views.panels import PanelsAttributes, fills_panels, pack
from ...ops.views.slice_pad import SliceAttributes
from ..base import READERS, Pass, PassContext

#: With so many rows, reading a matrix in panels saves more than packing it costs.
MANY_ROWS = 64

Pack = Callable[[Graph, Value], Value]


@dataclass(frozen=True)
class PackPanels(Pass):
    """Packs matrices that loops keep constant, and those of products outside loops: parameters in entries that only
    read them, in others what is large and read for many rows.

    A panel is as wide as a vector. Where code is to be short, weights stay as they are: the columns of a tile lie side
    by side, so that one address serves all of them.
    """

    name: ClassVar[str] = "pack_panels"
    bodies: ClassVar[bool] = False  # consts of a body are packed in the graph around it

    def run(self, graph: Graph, context: PassContext) -> Graph:
        if context.machine.compact:
            return graph
        return _packed(graph, context, parameters=context.entry in READERS)


def _packed(graph: Graph, context: PassContext, *, parameters: bool) -> Graph:
    packed: dict[Value, Value] = {}
    machine = context.machine

    def panels_of(new: Graph, value: Value) -> Value:
        if value not in packed:
            packed[value] = pack(new, value, _width(new.type(value), machine))
        return packed[value]

    def rule(new: Graph, node: Node, operands: tuple[Value, ...]) -> tuple[Value, ...] | None:
        if isinstance(node.attrs, ScanAttributes):
            return _pack_scan(new, node, node.attrs, operands, panels_of, machine)
        position = _packed_operand(node)
        if position is None or not _fills_panels(new.type(operands[position]), machine):
            return None
        stored, wide = _stored(new, operands[position])
        pays = (
            _is_parameter(new, stored)
            if parameters
            else _pays_per_call(new, node, operands[position], machine)
        )
        if not pays:
            return None
        changed = list(operands)
        read = _read(new, panels_of(new, stored), machine)
        changed[position] = read if wide is None else new.apply("widen", read, attrs=wide)
        return new.add(node.op, changed, node.attrs, layer=node.layer).values

    return graph.rewrite(context.limit(rule))


def _width(type: TensorType, machine: Machine) -> int:
    """How wide panels of such weights are: a vector of what they are computed with, which has 32 bits at least."""
    return machine.lanes("float64" if type.dtype == "float64" else "float32")


def _fills_panels(type: TensorType, machine: Machine) -> bool:
    return fills_panels(type, _width(type, machine))


def _read(graph: Graph, panels: Value, machine: Machine) -> Value:
    """The matrix that ``panels`` hold."""
    return graph.apply("panels", panels, attrs=PanelsAttributes(_width(graph.type(panels), machine)))


def _pack_scan(
    new: Graph, node: Node, attrs: ScanAttributes, operands: tuple[Value, ...], pack: Pack, machine: Machine
) -> tuple[Value, ...] | None:
    """The scan with packed consts: in place of those that only products read, and beside those that scans in its body
    read as such."""
    body, k = attrs.body, attrs.n_consts
    consts = list(body.inputs.values())[:k]
    direct = _weights(attrs, machine)
    inside = {own.id: _weights(own.attrs, machine) for own in body if isinstance(own.attrs, ScanAttributes)}
    passed = {body.operands(id)[position] for id, positions in inside.items() for position in positions}
    beside = [position for position, value in enumerate(consts) if value in passed]
    if not direct and not beside:
        return None
    changed = [pack(new, value) if position in direct else value for position, value in enumerate(operands)]
    panels = [pack(new, operands[position]) for position in beside]
    inner = Graph(body.name)
    moved: dict[Value, Value] = {}
    raw: dict[Value, Value] = {}
    inputs = list(body.inputs.items())
    for position, (name, value) in enumerate(inputs[:k]):
        moved[value] = _input(inner, name, new.type(changed[position]), position in direct, machine)
    for position, value in zip(beside, panels, strict=True):
        name, own = inputs[position]
        raw[own] = inner.input(f"{name}.panels", new.type(value), "body")
    for name, value in inputs[k:]:
        moved[value] = inner.input(name, body.type(value), "body")
    for own in body:
        if isinstance(own.attrs, InputAttributes):
            continue
        read, own_attrs = [moved[v] for v in body.operands(own)], own.attrs
        if isinstance(own_attrs, ScanAttributes):
            packed = {p for p in inside[own.id] if body.operands(own)[p] in raw}
            read = [raw[v] if p in packed else moved[v] for p, v in enumerate(body.operands(own))]
            own_attrs = _of_panels(own_attrs, packed, [inner.type(value) for value in read], machine)
        results = inner.add(own.op, read, own_attrs, layer=own.layer).values
        moved.update(zip(own.values, results, strict=True))
    for name, value in body.outputs.items():
        inner.set_output(name, moved[value])
    operands = (*changed[:k], *panels, *changed[k:])
    attrs = replace(attrs, body=inner, n_consts=k + len(panels))
    return new.add("scan", operands, attrs, layer=node.layer).values


def _weights(attrs: ScanAttributes, machine: Machine) -> set[int]:
    """The positions of consts that the body can read packed."""
    return {
        position
        for position, value in enumerate(list(attrs.body.inputs.values())[: attrs.n_consts])
        if _fills_panels(attrs.body.type(value), machine) and _is_weight(attrs.body, value, machine)
    }


def _of_panels(
    attrs: ScanAttributes, packed: set[int], types: Sequence[TensorType], machine: Machine
) -> ScanAttributes:
    """The attributes of a scan whose consts at the positions ``packed`` are packed, as ``types`` say."""
    body = attrs.body
    inner = Graph(body.name)
    arguments = [
        _input(
            inner,
            name,
            types[position] if position in packed else body.type(value),
            position in packed,
            machine,
        )
        for position, (name, value) in enumerate(body.inputs.items())
    ]
    for name, value in zip(body.outputs, inner.inline(body, arguments), strict=True):
        inner.set_output(name, value)
    return replace(attrs, body=inner)


def _input(graph: Graph, name: str, type: TensorType, packed: bool, machine: Machine) -> Value:
    value = graph.input(name, type, "body")
    return _read(graph, value, machine) if packed else value


def _pays_per_call(graph: Graph, node: Node, value: Value, machine: Machine) -> bool:
    """Whether packing ``value`` for ``node`` saves more than it costs in every call, and it is not packed already."""
    if isinstance(graph.producer(value).attrs, PanelsAttributes):
        return False
    rows = typical(product(node.types[0].shape[:-1]))
    return rows >= MANY_ROWS and 3 * typical(graph.type(value).nbytes) > machine.l2_bytes


def _packed_operand(node: Node) -> int | None:
    op = contraction(node)
    return None if op is None else op.packed_operand(node.attrs)


def _stored(graph: Graph, value: Value) -> tuple[Value, WidenAttributes | None]:
    """What memory holds of ``value``, and how kernels widen it, if they do: panels hold 16 bits, too."""
    node = graph.producer(value)
    return (graph.operands(node)[0], node.attrs) if isinstance(node.attrs, WidenAttributes) else (value, None)


def _is_parameter(graph: Graph, value: Value) -> bool:
    attrs = graph.producer(value).attrs
    return isinstance(attrs, InputAttributes) and attrs.role == "parameter"


def _is_weight(body: Graph, value: Value, machine: Machine) -> bool:
    """Whether ``value`` is only read by products that can read it packed, whole or in slices of whole panels."""
    uses = body.uses(value)
    for user, position in uses:
        if isinstance(user.attrs, SliceAttributes):
            start = user.attrs.start[-1]
            whole = (
                isinstance(start, int)
                and start % _width(body.type(value), machine) == 0
                and user.attrs.stride == (1,) * len(user.attrs.stride)
            )
            if not whole or not all(_packed_operand(n) == at for n, at in body.uses(user.values[0])):
                return False
        elif isinstance(user.attrs, WidenAttributes):
            if not _is_weight(body, user.values[0], machine):
                return False
        elif _packed_operand(user) != position:
            return False
    return bool(uses) and value not in body.outputs.values()
