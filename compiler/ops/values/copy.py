"""``copy``: the operand in new memory; lowering inserts it where a view must become a buffer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...graph.node import NoAttributes, Node, Value
from ...graph.types import TensorType
from ..base import Sample
from ..contexts import EvaluationContext, GradientContext
from ..protocols import Elementwise


class Copy(Elementwise):
    """The identity."""

    name = "copy"
    unchanged = "all"

    def infer(self, attrs: NoAttributes, operands: Sequence[TensorType]) -> Sequence[TensorType]:
        return [operands[0]]

    def evaluate(
        self, context: EvaluationContext, attrs: NoAttributes, operands: Sequence[np.ndarray]
    ) -> Sequence[np.ndarray]:
        return [operands[0].copy()]

    def gradient(
        self, context: GradientContext, node: Node, cotangents: Sequence[Value | None]
    ) -> Sequence[Value | None]:
        return list(cotangents)

    def emit(self, builder: Any, attrs: NoAttributes, operands: Sequence[Any]) -> Any:
        return operands[0]

    def samples(self) -> Sequence[Sample]:
        return [Sample((TensorType("float64", (2, 3)),))]
