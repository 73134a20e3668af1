"""``select(condition, a, b)``: a where the condition holds, else b."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...graph.node import Node, Value
from ...graph.rules import ShapeError
from ...graph.types import TensorType
from ..base import Sample
from ..contexts import EvaluationContext, GradientContext
from ..protocols import Elementwise
from .constant import zeros_like


class Select(Elementwise):
    """Chooses elementwise. The cotangent goes to the operand that was chosen."""

    name = "select"
    cheap = True

    def infer(self, attrs: Any, operands: Sequence[TensorType]) -> Sequence[TensorType]:
        if len(operands) != 3:
            raise ShapeError(f"select takes 3 operands, not {len(operands)}")
        condition, a, b = operands
        if condition != a.with_dtype("bool"):
            raise ShapeError(f"select by {condition} from {a}", 0)
        if a != b:
            raise ShapeError(f"select from different types: {a} and {b}", 2)
        return [a]

    def evaluate(
        self, context: EvaluationContext, attrs: Any, operands: Sequence[np.ndarray]
    ) -> Sequence[np.ndarray]:
        return [np.where(*operands)]

    def gradient(
        self, context: GradientContext, node: Node, cotangents: Sequence[Value | None]
    ) -> Sequence[Value | None]:
        graph, (dy,) = context.graph, cotangents
        if dy is None:
            return [None] * 3
        condition, _, _ = graph.operands(node)
        zero = zeros_like(graph, dy)
        return [None, graph.apply("select", condition, dy, zero), graph.apply("select", condition, zero, dy)]

    def emit(self, builder: Any, attrs: Any, operands: Sequence[Any]) -> Any:
        return builder.select(*operands)

    def samples(self) -> Sequence[Sample]:
        types = (TensorType("bool", (3, 4)), TensorType("float64", (3, 4)), TensorType("float64", (3, 4)))
        return [Sample(types, draw=("bool", "normal", "normal"))]
