"""Mixed precision: values that a training step keeps from forward to backward are stored as bfloat16.

A value that is kept is rounded where it is computed (``narrow``), and every reader, forward or backward, reads it
rounded (``widen``): memory holds one copy, and the gradient is that of the numbers the forward half went on with.
Sums, statistics, losses, gradients and weights stay in float32. This is a rewriting of the graph before any pass, so
the interpreter computes with the same roundings as compiled code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from .graph.analysis import ancestors, dependents
from .graph.graph import Graph
from .graph.node import Node, Value
from .ops.base import primitive
from .ops.protocols import Elementwise, View, contraction
from .ops.scans.scan_attributes import ScanAttributes
from .ops.values.widen import WidenAttributes, halves
from .ops.views.slice_pad import PadAttributes
from .passes.base import PassContext
from .passes.dead_code import RemoveDeadCode

_WIDE = WidenAttributes("bfloat16")


def mixed(
    graph: Graph, cotangents: Mapping[str, Value], layers: frozenset[str]
) -> tuple[Graph, dict[str, Value]]:
    """``graph``, whose outputs are those of the forward half, with what the ``layers`` keep for the ``cotangents`` in
    16 bits; and the cotangents there. What losses keep is not of a layer, and stays in float32."""
    graph = graph.copy()
    marks = {name: f"cotangent of {name}" for name in cotangents}
    forward = list(graph.outputs)
    for name, value in cotangents.items():
        graph.set_output(marks[name], value)
    graph = RemoveDeadCode().run(graph, PassContext("mixed"))
    rounding = _Rounding(graph, forward, layers)
    graph = graph.rewrite(rounding.rule)
    values = {name: graph.outputs[mark] for name, mark in marks.items()}
    for mark in marks.values():
        graph.drop_output(mark)
    return graph, values


@dataclass
class _Rounding:
    """Which values are kept, and the rewriting that stores them in 16 bits."""

    graph: Graph
    outputs: Sequence[str]
    layers: frozenset[str]
    forward: set[int] = field(default_factory=set)
    data: set[Value] = field(default_factory=set)
    kept: set[Value] = field(default_factory=set)
    seen: set[tuple[Value, bool]] = field(default_factory=set)

    def __post_init__(self) -> None:
        graph = self.graph
        values = ancestors(graph, [graph.outputs[name] for name in self.outputs])
        self.forward = {value.node for value in values}
        self.data = _data(graph)
        # Masks of bools are kept as they are: one byte, made where their operands are at hand.
        for node in graph:
            generated = node.op != "input" and not graph.operands(node)
            masks = all(type.dtype == "bool" for type in node.types)
            if generated or (masks and all(v.node in self.forward for v in graph.operands(node))):
                self.forward.add(node.id)
        for node in graph:
            if node.id not in self.forward:
                for value in graph.operands(node):
                    if value.node in self.forward:
                        self._keep(value, not isinstance(primitive(node.op), Elementwise | View))

    def _keep(self, value: Value, whole: bool) -> None:
        """Chooses what is stored of a value that the backward half reads; ``whole`` if it has to be in memory."""
        pending = [(value, whole)]
        while pending:
            value, whole = pending.pop()
            node, type = self.graph.producer(value), self.graph.type(value)
            if (value, whole) in self.seen or node.op == "input" or type.dtype != "float32":
                continue
            self.seen.add((value, whole))
            op, operands = primitive(node.op), self.graph.operands(node)
            if isinstance(op, View):
                pending += [(operand, whole) for operand in operands]
            elif not whole and isinstance(op, Elementwise) and op.cheap and not self._ends_product(operands):
                pending += [(operand, False) for operand in operands]
            elif self._is_activation(node, value):
                self.kept.add(value)

    def _ends_product(self, operands: Sequence[Value]) -> bool:
        """Whether an operation on ``operands`` belongs to the kernel of a product, as adding a bias does: its result is
        what memory holds anyway, and its readers need not add the bias again."""
        data = [value for value in operands if value in self.data]
        if len(data) != 1 or len(self.graph.uses(data[0])) != 1:
            return False
        op = contraction(self.graph.producer(data[0]))
        return op is not None and op.factor_count > 1

    def _is_activation(self, node: Node, value: Value) -> bool:
        """Whether a value is data of a layer, and no last state of a recurrence, which may be carried on."""
        last = isinstance(node.attrs, ScanAttributes) and value.port < node.attrs.n_carries
        return node.layer in self.layers and value in self.data and not last

    def rule(self, new: Graph, node: Node, operands: tuple[Value, ...]) -> Sequence[Value] | None:
        if isinstance(node.attrs, ScanAttributes):
            return self._scan(new, node, node.attrs, operands)
        op = primitive(node.op)
        if isinstance(op, View) and (moved := self._moved(new, node, operands)) is not None:
            return [moved]
        if (
            node.op == "max_window_gradient"
        ):  # a kernel of its own, for which memory would have to hold all 32 bits
            operands = (_stored(new, operands[0]) or operands[0], operands[1])
        elif not any(value in self.kept for value in node.values):
            return None
        results = new.add(node.op, operands, node.attrs, layer=node.layer).values
        return [
            _wide(new, new.apply("narrow", result)) if value in self.kept else result
            for value, result in zip(node.values, results, strict=True)
        ]

    def _moved(self, new: Graph, node: Node, operands: tuple[Value, ...]) -> Value | None:
        """A view of what is stored in 16 bits, widened after it; None if it has other operands, too. In the backward
        half these are rounded: there a concat puts a recurrence's first state before those that are kept."""
        attrs, stored = node.attrs, [_stored(new, value) for value in operands]
        known = [value for value in stored if value is not None]
        if not known or (len(known) < len(stored) and (node.op != "concat" or node.id in self.forward)):
            return None
        if isinstance(attrs, PadAttributes):
            attrs = replace(attrs, fill=int(halves(np.array(attrs.fill, np.float32), "bfloat16")))
        all_stored = [
            new.apply("narrow", value) if half is None else half
            for half, value in zip(stored, operands, strict=True)
        ]
        return _wide(new, new.apply(node.op, *all_stored, attrs=attrs))

    def _scan(
        self, new: Graph, node: Node, attrs: ScanAttributes, operands: tuple[Value, ...]
    ) -> Sequence[Value] | None:
        """The scan with sequences of 16 bits: steps widen what they read, and round what is kept of them."""
        first = attrs.n_consts + attrs.n_carries
        stored = [
            _stored(new, value) if position >= first else None for position, value in enumerate(operands)
        ]
        if not any(stored) and not any(value in self.kept for value in node.values):
            return None
        body, inner = attrs.body, Graph(attrs.body.name)
        arguments: list[Value] = []
        for (name, value), half in zip(body.inputs.items(), stored, strict=True):
            type = body.type(value)
            given = inner.input(name, type if half is None else type.with_dtype("uint16"), "body")
            arguments.append(given if half is None else _wide(inner, given))
        made = inner.inline(body, arguments)
        for name, value, own in zip(body.outputs, made, node.values, strict=True):
            inner.set_output(name, inner.apply("narrow", value) if own in self.kept else value)
        given = [half or value for half, value in zip(stored, operands, strict=True)]
        results = new.add(node.op, given, replace(attrs, body=inner), layer=node.layer).values
        return [
            _wide(new, result) if value in self.kept else result
            for value, result in zip(node.values, results, strict=True)
        ]


def _data(graph: Graph) -> set[Value]:
    """The values that are computed from data or drawn at random, but no statistics: sums, and what is made of sums and
    weights alone, element by element. Whether sizes are open does not count: batches may have a fixed size."""
    given = [value for name, value in graph.inputs.items() if graph.input_role(name) in ("input", "target")]
    drawn = [node.values[0] for node in graph if node.op == "random_bits"]
    dependent, data = dependents(graph, [*given, *drawn]), {*given, *drawn}
    for node in graph:
        if node.op in ("input", "reduce") or not any(value in dependent for value in node.values):
            continue
        by_element = isinstance(primitive(node.op), Elementwise | View)
        if not by_element or any(value in data for value in graph.operands(node)):
            data.update(node.values)
    return data


def _wide(graph: Graph, value: Value) -> Value:
    return graph.apply("widen", value, attrs=_WIDE)


def _stored(graph: Graph, value: Value) -> Value | None:
    """The 16 bits that ``value`` is widened from; None if it is not."""
    node = graph.producer(value)
    return graph.operands(node)[0] if node.op == "widen" else None
