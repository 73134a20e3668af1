"""``scan``: a body graph run once per step of a sequence, carrying a state: h(t) = f(x(t), h(t−1)), y(t) = g(…).

Every recurrent layer is one. The gradient (backpropagation through time) is in ``scan_gradient``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from netwright.specs.dims import DimLike, evaluate

from ..graph.types import TensorType
from .base import (
    Attributes,
    Cost,
    EvaluationContext,
    GradientContext,
    Primitive,
    Sample,
    ShapeError,
    TapingContext,
    sizes,
)
from .scan_gradient import gradient_of_scan
from .scan_tape import tape_scan

if TYPE_CHECKING:
    from ..graph.graph import Graph, Node, Value


@dataclass(frozen=True, slots=True)
class ScanAttributes(Attributes):
    """``body``: inputs are consts (``n_consts``), carries (``n_carries``), xs; outputs are carries, ys.

    Operands: consts and first carries as the body takes them, xs with a first axis of ``length``; results: the
    last carries, ys with that axis. With ``reverse`` steps go from the last to the first, and each y stands where
    its x stood. ``unroll``: how many copies of the body code has: "none", a number, "full" or "auto".
    """

    body: Graph
    length: DimLike
    n_consts: int
    n_carries: int
    reverse: bool = False
    unroll: str | int = "none"
    name: str = ""

    def stacked(self, type: TensorType) -> TensorType:
        """The type of a sequence of ``type``."""
        return type.with_shape((self.length, *type.shape))


class Scan(Primitive):
    """Pure; time leads inside."""

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

    def gradient(
        self, context: GradientContext, node: Node, cotangents: Sequence[Value | None]
    ) -> Sequence[Value | None]:
        return gradient_of_scan(context, node, cotangents)

    def cost(
        self, attrs: ScanAttributes, operands: Sequence[TensorType], results: Sequence[TensorType]
    ) -> Cost:
        step = attrs.body.cost()
        return Cost(attrs.length * step.flops, attrs.length * step.bytes)

    def samples(self) -> Sequence[Sample]:
        """None: a body is a graph, and graphs stand above the primitives."""
        return []
