"""Lets a scan read the pieces of a sequence where they are: slices of an input become slices in its body.

The gates of a cell read pieces of one product over all steps, x(t) @ W. As inputs of the scan of their own, the pieces
would be copied first, since each step's input is one array; in the body, a slice only says where to read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from netwright.specs.dims import DimLike, product

from ...graph.graph import Graph
from ...graph.node import Node, Value
from ...ops.scans.scan_attributes import ScanAttributes
from ...ops.views.slice_pad import SliceAttributes
from ..base import Pass, PassContext


@dataclass(frozen=True)
class SliceScanInputs(Pass):
    """Slices move inside if they keep all steps and if a step reads, in all, no less than the whole has: of what is
    read in part, a copy of this part may be all that is ever needed."""

    name: ClassVar[str] = "slice_scan_inputs"

    def run(self, graph: Graph, context: PassContext) -> Graph:
        def rule(new: Graph, node: Node, operands: tuple[Value, ...]) -> Sequence[Value] | None:
            attrs = node.attrs
            return _moved(new, node, attrs, operands) if isinstance(attrs, ScanAttributes) else None

        return graph.rewrite(context.limit(rule))


def _moved(
    graph: Graph, node: Node, attrs: ScanAttributes, operands: Sequence[Value]
) -> Sequence[Value] | None:
    """The scan with its slices inside; None if it has none to move."""
    first = attrs.n_consts + attrs.n_carries
    wholes = _read_wholly(graph, operands[first:])
    if not wholes:
        return None
    body, inner = attrs.body, Graph(attrs.body.name)
    given: list[Value] = []
    arguments: list[Value] = []
    inside: dict[Value, Value] = {}
    for position, (operand, (name, value)) in enumerate(zip(operands, body.inputs.items(), strict=True)):
        whole = _whole(graph, operand) if position >= first else None
        if whole is None or whole not in wholes:
            arguments.append(inner.input(name, body.type(value), "body"))
            given.append(operand)
            continue
        if whole not in inside:
            type = graph.type(whole)
            inside[whole] = inner.input(name, type.with_shape(type.shape[1:]), "body")
            given.append(whole)
        cut = graph.producer(operand).attrs
        assert isinstance(cut, SliceAttributes)
        own = SliceAttributes(cut.start[1:], cut.limit[1:], cut.stride[1:])
        arguments.append(inner.apply("slice", inside[whole], attrs=own))
    for name, value in zip(body.outputs, inner.inline(body, arguments), strict=True):
        inner.set_output(name, value)
    return graph.add("scan", given, replace(attrs, body=inner), layer=node.layer).values


def _read_wholly(graph: Graph, sequences: Sequence[Value]) -> set[Value]:
    """What the ``sequences`` are slices of, as far as these have, in all, no fewer elements."""
    left: dict[Value, DimLike] = {}
    for sequence in dict.fromkeys(sequences):
        whole = _whole(graph, sequence)
        if whole is not None:
            size = product(graph.type(whole).shape)
            left[whole] = left.get(whole, size) - product(graph.type(sequence).shape)
    return {whole for whole, size in left.items() if isinstance(size, int) and size <= 0}


def _whole(graph: Graph, value: Value) -> Value | None:
    """What ``value`` is a slice of, with all of its steps."""
    node = graph.producer(value)
    if not isinstance(node.attrs, SliceAttributes):
        return None
    (whole,) = graph.operands(node)
    return whole if graph.type(whole).shape[0] == node.types[0].shape[0] else None
