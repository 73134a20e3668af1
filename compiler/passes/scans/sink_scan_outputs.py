"""Moves operations that the state does not depend on out of scans, to after the loop.

y(t) = h(t) @ C becomes one product over all steps: the mirror image of ``hoist_scan_inputs``. In backward scans this
is the cotangent of the inputs, dz(t) @ Wᵀ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from ...graph.analysis import ancestors, dependents
from ...graph.graph import Graph
from ...graph.node import Node, Value
from ...ops.base import primitive
from ...ops.scans.scan_attributes import ScanAttributes
from ..base import Pass, PassContext
from .vectorize import for_all_steps, is_anchor, vectorizes


@dataclass(frozen=True)
class SinkScanOutputs(Pass):
    """A product leaves if only ys depend on it, together with operations on its result; the values it reads become
    ys."""

    name: ClassVar[str] = "sink_scan_outputs"

    max_rows: int = 7

    def run(self, graph: Graph, context: PassContext) -> Graph:
        def rule(new: Graph, node: Node, operands: tuple[Value, ...]) -> Sequence[Value] | None:
            attrs = node.attrs
            return (
                _Sinking(new, attrs, operands, self.max_rows, context.trains).run()
                if isinstance(attrs, ScanAttributes) and not attrs.recompute
                else None
            )

        return graph.rewrite(context.limit(rule))


@dataclass
class _Sinking:
    """The rewriting of one scan: the nodes of its body that leave it, and the values that the loop must provide to
    them."""

    graph: Graph
    attrs: ScanAttributes
    operands: Sequence[Value]
    max_rows: int
    trains: bool
    leaving: dict[int, Node] = field(default_factory=dict)

    def run(self) -> Sequence[Value] | None:
        attrs, body = self.attrs, self.attrs.body
        k, c = attrs.n_consts, attrs.n_carries
        inputs, outputs = list(body.inputs.values()), list(body.outputs.items())
        state = ancestors(body, [value for _, value in outputs[:c]])
        stepwise = dependents(body, inputs[k:])
        gone: set[Value] = set()
        for node in body:
            if not any(value in state for value in node.values):
                self._consider(node, stepwise, gone)
        self._keep_what_ends_outside(gone)
        if not self.leaving:
            return None

        outside = {
            value: operand
            for position, (value, operand) in enumerate(zip(inputs, self.operands, strict=True))
            if not k <= position < k + c
        }
        staying = [(name, value) for name, value in outputs if value not in gone]
        given = {value for _, value in staying[c:]} | outside.keys()
        needed = [value for node in self.leaving.values() for value in body.operands(node)]
        names = (name for i in range(len(needed) + len(outputs)) if (name := f"sunk{i}") not in body.outputs)
        for value in dict.fromkeys(needed):
            if value in stepwise and value not in given and value not in gone:
                staying.append((next(names), value))
        results: list[Value] = []
        ys: dict[Value, Value] = {}
        if staying:
            rest = body.extract(body.name, list(body.inputs.items()), staying)
            results = list(self.graph.add("scan", self.operands, replace(attrs, body=rest)).values)
            ys = dict(zip((value for _, value in staying[c:]), results[c:], strict=True))
            # A y that is the same in every step is recomputed outside if something there reads it.
            outside.update({value: y for value, y in ys.items() if value in stepwise})
        self._compute_outside(outside, needed, stepwise)
        return [*results[:c], *(ys.get(value) or outside[value] for _, value in outputs[c:])]

    def _consider(self, node: Node, stepwise: set[Value], gone: set[Value]) -> None:
        body = self.attrs.body
        operands = body.operands(node)
        stacked = [value in stepwise for value in operands]
        if not (is_anchor(node, self.max_rows) or any(value in gone for value in operands)):
            return
        if not primitive(node.op).rematerialize and vectorizes(self.attrs, node, stacked):
            self.leaving[node.id] = node
            gone.update(node.values)

    def _keep_what_ends_outside(self, gone: set[Value]) -> None:
        """Keeps nodes in the loop if something there reads them, and then nodes that no longer follow a product that
        leaves."""
        body = self.attrs.body
        for node in reversed(list(self.leaving.values())):
            readers = [reader for value in node.values for reader, _ in body.uses(value)]
            if any(value not in gone for reader in readers for value in reader.values):
                self._keep(node, gone)
        for node in list(self.leaving.values()):
            if not is_anchor(node, self.max_rows) and not any(v in gone for v in body.operands(node)):
                self._keep(node, gone)

    def _keep(self, node: Node, gone: set[Value]) -> None:
        del self.leaving[node.id]
        gone.difference_update(node.values)

    def _compute_outside(
        self, outside: dict[Value, Value], needed: list[Value], stepwise: set[Value]
    ) -> None:
        body, graph, layer = self.attrs.body, self.graph, self.graph.layer
        repeated = ancestors(body, needed, outside.keys())
        for node in body:
            if node.id in self.leaving:
                operands = body.operands(node)
                stacked = [value in stepwise for value in operands]
                values = [outside[value] for value in operands]
                graph.layer = node.layer
                result = for_all_steps(
                    graph, body, node, values, stacked, self.attrs.length, ordered=self.trains
                )
                outside[node.values[0]] = result
            elif any(v in repeated and v not in outside for v in node.values):
                graph.layer = node.layer
                copy = graph.add(node.op, [outside[value] for value in body.operands(node)], node.attrs)
                outside.update(zip(node.values, copy.values, strict=True))
        graph.layer = layer
