"""``scan``: a body graph run once per step of a sequence, with a state: h(t) = f(x(t), h(t−1)), y(t) = g(…).

Every recurrent layer becomes one. Its gradient (backpropagation through time) is in ``scan_gradient``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from netwright.specs.dims import evaluate

from ...graph.graph import Graph
from ...graph.node import Attributes, Node, Value
from ...graph.rules import ShapeError
from ...graph.types import TensorType
from ..base import Cost, Primitive, Sample, sizes
from ..contexts import EvaluationContext, GradientContext, TapingContext
from ..cost import cost_of
from .scan_attributes import ScanAttributes
from .scan_gradient import gradient_of_scan
from .scan_tape import tape_scan


class Scan(Primitive):
    """Runs the body once per step; pure. The steps are the first axis of sequences."""

    name = "scan"
    attributes = ScanAttributes

    def infer(self, attrs: ScanAttributes, operands: Sequence[TensorType]) -> Sequence[TensorType]:
        body = attrs.body
        inputs = [body.type(value) for value in body.inputs.values()]
        outputs = [body.type(value) for value in body.outputs.values()]
        first_x = attrs.n_consts + attrs.n_carries
        if min(attrs.n_consts, attrs.n_carries) < 0 or first_x > len(inputs) or len(operands) != len(inputs):
            raise ShapeError(
                f"scan of {attrs.n_consts} consts and {attrs.n_carries} carries with {len(operands)} operands, "
                f"and a body of {len(inputs)} inputs"
            )
        carries = inputs[attrs.n_consts : first_x]
        if outputs[: attrs.n_carries] != carries:
            shown = ", ".join(map(str, outputs[: attrs.n_carries]))
            raise ShapeError(f"scan carries {', '.join(map(str, carries))}, but its body gives {shown}")
        for position, (type, own) in enumerate(zip(operands, inputs, strict=True)):
            expected = attrs.stacked(own) if position >= first_x else own
            if type != expected:
                raise ShapeError(f"scan takes {expected}, not {type}", position)
        return [*carries, *(attrs.stacked(type) for type in outputs[attrs.n_carries :])]

    def evaluate(
        self, context: EvaluationContext, attrs: ScanAttributes, operands: Sequence[np.ndarray]
    ) -> Sequence[np.ndarray]:
        first_x = attrs.n_consts + attrs.n_carries
        consts, xs = list(operands[: attrs.n_consts]), operands[first_x:]
        carries = list(operands[attrs.n_consts : first_x])
        length = evaluate(attrs.length, context.dims)
        outputs = list(attrs.body.outputs.values())[attrs.n_carries :]
        ys = [
            np.empty(sizes(context, attrs.stacked(type).shape), type.dtype)
            for type in map(attrs.body.type, outputs)
        ]
        for step in reversed(range(length)) if attrs.reverse else range(length):
            results = context.evaluate(attrs.body, [*consts, *carries, *(x[step] for x in xs)])
            carries = results[: attrs.n_carries]
            for y, value in zip(ys, results[attrs.n_carries :], strict=True):
                y[step] = value
        return [*carries, *ys]

    def taped(
        self, context: TapingContext, node: Node, active: Sequence[bool], wanted: Sequence[bool]
    ) -> tuple[Attributes, Any] | None:
        return tape_scan(context, node, active, wanted)

    def separate_sums(self, memo: Any, position: int) -> int:
        return 0 if memo is None else memo.separate_sums(position)

    def goes_on_from(self, graph: Graph, node: Node) -> Node | None:
        """A scan over blocks of steps whose last states are this one's first: this one has the steps that fill no
        block."""
        attrs, operands = node.attrs, graph.operands(node)
        assert isinstance(attrs, ScanAttributes)
        first_x = attrs.n_consts + attrs.n_carries
        if not attrs.n_carries:
            return None
        before = graph.producer(operands[attrs.n_consts])
        if not isinstance(before.attrs, ScanAttributes) or not before.attrs.recompute:
            return None
        consts, carries = graph.operands(before)[: before.attrs.n_consts], before.values[: attrs.n_carries]
        return before if operands[:first_x] == (*consts, *carries) else None

    def gradient(
        self, context: GradientContext, node: Node, cotangents: Sequence[Value | None]
    ) -> Sequence[Value | None]:
        return gradient_of_scan(context, node, cotangents)

    def cost(
        self, attrs: ScanAttributes, operands: Sequence[TensorType], results: Sequence[TensorType]
    ) -> Cost:
        step = cost_of(attrs.body)
        return Cost(attrs.length * step.flops, attrs.length * step.bytes)

    def samples(self) -> Sequence[Sample]:
        """No samples: a sample would need a body, and primitives cannot build graphs."""
        return []
