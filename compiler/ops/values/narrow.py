"""``narrow``: float32 rounded to 16 bits, held in uint16; ``widen`` reads them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from netwright.specs.dims import DimLike

from ...graph.graph import Graph
from ...graph.node import NoAttributes, Value
from ...graph.rules import ShapeError
from ...graph.types import TensorType
from ..base import Sample
from ..contexts import EvaluationContext
from ..protocols import Elementwise
from .widen import halves


class Narrow(Elementwise):
    """As bfloat16: to nearest, ties to even. What is too large becomes infinite, NaN stays NaN."""

    name = "narrow"

    def infer(self, attrs: NoAttributes, operands: Sequence[TensorType]) -> Sequence[TensorType]:
        (x,) = operands
        if x.dtype != "float32":
            raise ShapeError(f"narrow of {x.dtype}", 0)
        return [x.with_dtype("uint16")]

    def evaluate(
        self, context: EvaluationContext, attrs: NoAttributes, operands: Sequence[np.ndarray]
    ) -> Sequence[np.ndarray]:
        return [halves(operands[0], "bfloat16")]

    def emit(self, builder: Any, attrs: NoAttributes, operands: Sequence[Any]) -> Any:
        (x,) = operands

        def const(value: int) -> Any:
            return builder.const(value, "uint32", x.type.lanes)

        bits = builder.bitcast(x, "uint32")
        upper = builder.shr(bits, const(16))
        bias = builder.add(builder.bit_and(upper, const(1)), const(0x7FFF))
        rounded = builder.shr(builder.add(bits, bias), const(16))
        quiet = builder.bit_or(upper, const(0x40))
        return builder.cast(builder.select(builder.eq(x, x), rounded, quiet), "uint16")

    def vectorize(
        self, graph: Graph, attrs: Any, operands: Sequence[Value], stacked: Sequence[bool], length: DimLike
    ) -> Value | None:
        return None  # after a loop, the loop would store 32 bits

    def samples(self) -> Sequence[Sample]:
        return [Sample((TensorType("float32", shape),), differentiable=()) for shape in [(3, 37), ()]]
