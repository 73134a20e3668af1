"""Moves operations that do not depend on the state out of scans, to before the loop.

The input half of a recurrence, x(t) @ W, becomes one product over all steps, with T·N rows; what is the same in every
step is computed once. The loop then reads these results as xs and consts. A product that has many rows in each step
already stays: it would gain nothing, and its result for all steps would have to go through memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from ...graph.analysis import ancestors
from ...graph.graph import Graph
from ...graph.node import Node, Value
from ...ops.base import primitive
from ...ops.scans.scan_attributes import ScanAttributes
from ..base import Pass, PassContext
from .vectorize import for_all_steps, is_anchor, vectorizes


@dataclass(frozen=True)
class HoistScanInputs(Pass):
    """A value leaves if it depends on no state, and either on no step or on a product of a step's inputs.

    Operations that only say how a constant is read stay inside: outside they would cost memory, or undo the packing.
    Without ``steps``, only what is the same in every step leaves. Nothing leaves a scan that computes its steps again
    for the gradient: what left would be kept for all steps.
    """

    name: ClassVar[str] = "hoist_scan_inputs"

    max_rows: int = 7
    steps: bool = True

    def run(self, graph: Graph, context: PassContext) -> Graph:
        def rule(new: Graph, node: Node, operands: tuple[Value, ...]) -> Sequence[Value] | None:
            attrs = node.attrs
            return (
                _Hoisting(new, attrs, operands, self.max_rows, self.steps, context.trains).run()
                if isinstance(attrs, ScanAttributes) and not attrs.recompute
                else None
            )

        return graph.rewrite(context.limit(rule))


@dataclass
class _Hoisting:
    """The rewriting of one scan: which values of its body leave it, and what they are outside."""

    graph: Graph
    attrs: ScanAttributes
    operands: Sequence[Value]
    max_rows: int
    steps: bool
    trains: bool
    fixed: set[Value] = field(default_factory=set)  # the same in every step
    leaving: set[Value] = field(default_factory=set)  # fixed values that are computed outside
    stepwise: set[Value] = field(default_factory=set)  # depend on the step, not on the state, and vectorize
    anchored: set[Value] = field(default_factory=set)  # stepwise values that are computed from a product
    outside: dict[Value, Value] = field(default_factory=dict)

    def run(self) -> Sequence[Value] | None:
        attrs, body = self.attrs, self.attrs.body
        k, c = attrs.n_consts, attrs.n_carries
        inputs, outputs = list(body.inputs.items()), list(body.outputs.items())
        for position, ((_, value), operand) in enumerate(zip(inputs, self.operands, strict=True)):
            if not k <= position < k + c:
                self.outside[value] = operand
                if position < k:
                    self.fixed.add(value)
                elif self.steps:
                    self.stepwise.add(value)
        self.leaving |= self.fixed
        for node in body:
            if node.op != "input":
                self._classify(node)
        taken = self._frontier()
        ready = [value for _, value in outputs[c:] if value in self.stepwise and value in self.outside]
        if not taken and not ready:
            return None
        self._compute_outside(taken)
        return self._rebuild(inputs, outputs, taken)

    def _classify(self, node: Node) -> None:
        body = self.attrs.body
        operands = body.operands(node)
        if all(value in self.fixed for value in operands):
            self.fixed.update(node.values)
            moves = not primitive(node.op).rematerialize and any(value in self.leaving for value in operands)
            constant = [_is_generated(body, value) for value in operands]
            if moves and all(c or v in self.leaving for c, v in zip(constant, operands, strict=True)):
                self.leaving.update(node.values)
        elif all(value in self.fixed or value in self.stepwise for value in operands):
            stems = any(value in self.anchored for value in operands)
            if (stems and primitive(node.op).rematerialize) or not vectorizes(
                self.attrs, node, [value in self.stepwise for value in operands]
            ):
                return
            self.stepwise.update(node.values)
            if stems or is_anchor(node, self.max_rows):
                self.anchored.update(node.values)

    def _frontier(self) -> list[Value]:
        """The values that leave and are read by operations that stay."""
        body = self.attrs.body
        moving = {v for v in self.leaving | self.anchored if body.producer(v).op != "input"}
        read = list(body.outputs.values())
        for node in body:
            if not any(value in moving for value in node.values):
                read += body.operands(node)
        return [value for value in dict.fromkeys(read) if value in moving]

    def _compute_outside(self, taken: Iterable[Value]) -> None:
        body, graph = self.attrs.body, self.graph
        needed = ancestors(body, taken, self.outside.keys())
        layer = graph.layer
        for node in body:
            if node.op == "input" or not any(value in needed for value in node.values):
                continue
            operands = body.operands(node)
            stacked = [value in self.stepwise for value in operands]
            values = [self.outside[value] for value in operands]
            graph.layer = node.layer
            if any(stacked):
                result = for_all_steps(
                    graph, body, node, values, stacked, self.attrs.length, ordered=self.trains
                )
                self.outside[node.values[0]] = result
            else:
                copy = graph.add(node.op, values, node.attrs)
                self.outside.update(zip(node.values, copy.values, strict=True))
        graph.layer = layer

    def _rebuild(
        self, inputs: list[tuple[str, Value]], outputs: list[tuple[str, Value]], taken: list[Value]
    ) -> Sequence[Value]:
        attrs, body = self.attrs, self.attrs.body
        k, c = attrs.n_consts, attrs.n_carries
        staying = [
            (name, value)
            for i, (name, value) in enumerate(outputs)
            if i < c or value not in self.stepwise or value not in self.outside
        ]
        names = (name for i in range(len(inputs) + len(taken)) if (name := f"hoisted{i}") not in body.inputs)
        named = [(next(names), value) for value in taken]
        leaves = [*inputs, *named]
        read = ancestors(body, [value for _, value in staying], {value for _, value in leaves})
        consts = [(n, v) for n, v in [*inputs[:k], *named] if v in read and v in self.fixed]
        xs = [(n, v) for n, v in [*inputs[k + c :], *named] if v in read and v not in self.fixed]
        results: dict[str, Value] = {}
        if staying:
            rest = body.extract(body.name, [*consts, *inputs[k : k + c], *xs], staying)
            operands = [
                *(self.outside[value] for _, value in consts),
                *self.operands[k : k + c],
                *(self.outside[value] for _, value in xs),
            ]
            node = self.graph.add("scan", operands, replace(attrs, body=rest, n_consts=len(consts)))
            results = dict(zip((name for name, _ in staying), node.values, strict=True))
        return [results[name] if name in results else self.outside[value] for name, value in outputs]


def _is_generated(body: Graph, value: Value) -> bool:
    """Whether ``value`` is made of nothing, as a constant, an index or a size is."""
    return not body.operands(body.producer(value))
