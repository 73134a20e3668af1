"""Removes what no output needs: operations and, inside scans, unread states, sequences and operands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from ..graph.analysis import ancestors
from ..graph.graph import Graph
from ..graph.node import Node, Value
from ..ops.scans.scan_attributes import ScanAttributes
from .base import Pass, PassContext


@dataclass(frozen=True)
class RemoveDeadCode(Pass):
    """Walks the graph backwards to find what is live, then forwards to copy it."""

    name: ClassVar[str] = "remove_dead_code"

    def run(self, graph: Graph, context: PassContext) -> Graph:
        live = set(graph.outputs.values())
        trimmed: dict[int, _Trimmed] = {}
        for id in reversed(range(len(graph))):
            node = graph.node(id)
            ports = [value in live for value in node.values]
            if not any(ports):
                continue
            operands = graph.operands(node)
            if isinstance(node.attrs, ScanAttributes):
                trimmed[id] = _trim(node.attrs, ports)
                operands = [operands[position] for position in trimmed[id].inputs]
            live.update(operands)

        def rule(new: Graph, node: Node, operands: tuple[Value, ...]) -> Sequence[Value | None] | None:
            attrs = node.attrs
            if not isinstance(attrs, ScanAttributes):
                return None
            kept = trimmed[node.id]
            if len(kept.inputs) == len(operands) and len(kept.outputs) == len(node.types):
                return None
            values = new.add("scan", [operands[i] for i in kept.inputs], kept.attributes(attrs)).values
            by_port = dict(zip(kept.outputs, values, strict=True))
            return [by_port.get(port) for port in range(len(node.types))]

        return graph.rewrite(rule, keep=lambda node: any(value in live for value in node.values))


@dataclass(frozen=True)
class _Trimmed:
    """The positions of the body's live inputs and outputs."""

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    def attributes(self, attrs: ScanAttributes) -> ScanAttributes:
        body = attrs.body
        inputs, outputs = list(body.inputs.items()), list(body.outputs.items())
        kept = body.extract(body.name, [inputs[i] for i in self.inputs], [outputs[i] for i in self.outputs])
        return replace(
            attrs,
            body=kept,
            n_consts=sum(i < attrs.n_consts for i in self.inputs),
            n_carries=sum(i < attrs.n_carries for i in self.outputs),
        )


def _trim(attrs: ScanAttributes, ports: Sequence[bool]) -> _Trimmed:
    """A carry is live when its last value is read, or when something live reads it in a step."""
    body, k, c = attrs.body, attrs.n_consts, attrs.n_carries
    inputs, outputs = list(body.inputs.values()), list(body.outputs.values())
    kept, before = list(ports), -1
    needed: set[Value] = set()
    while sum(kept) != before:
        before = sum(kept)
        needed = ancestors(body, [value for value, flag in zip(outputs, kept, strict=True) if flag])
        for i in range(c):
            kept[i] = kept[i] or inputs[k + i] in needed
    return _Trimmed(
        tuple(i for i, v in enumerate(inputs) if (kept[i - k] if k <= i < k + c else v in needed)),
        tuple(i for i, flag in enumerate(kept) if flag),
    )
