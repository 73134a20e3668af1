"""``quantize``: floats as bytes of int8 or uint8: round(x·factor) + zero, clipped to what a byte can be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...graph.node import Attributes
from ...graph.rules import ShapeError
from ...graph.types import TensorType
from ..base import Sample
from ..contexts import EvaluationContext
from ..protocols import Elementwise

#: Adding it leaves a float32 of small magnitude rounded to an integer, ties to even, in the last bits.
_ROUNDS = 1.5 * 2.0**23


@dataclass(frozen=True, slots=True)
class QuantizeAttributes(Attributes):
    """``factor`` of the numbers, a float32 (the inverse of a scale), the byte ``zero`` that stands for 0, and
    ``dtype``, int8 or uint8."""

    factor: float
    zero: int
    dtype: str

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and the greatest multiple of the scale that there is a byte for."""
        info = np.iinfo(self.dtype)
        return float(info.min - self.zero), float(info.max - self.zero)


class Quantize(Elementwise):
    """Rounds to nearest, ties to even, and clips; NaN becomes the greatest byte. There is no gradient."""

    name = "quantize"
    attributes = QuantizeAttributes
    cheap = True

    def infer(self, attrs: QuantizeAttributes, operands: Sequence[TensorType]) -> Sequence[TensorType]:
        (x,) = operands
        if x.dtype != "float32" or attrs.dtype not in ("int8", "uint8"):
            raise ShapeError(f"quantize of {x.dtype} to {attrs.dtype}", 0)
        info = np.iinfo(attrs.dtype)
        if not info.min <= attrs.zero <= info.max:
            raise ShapeError(f"{attrs.zero} is no {attrs.dtype}")
        return [x.with_dtype(attrs.dtype)]

    def evaluate(
        self, context: EvaluationContext, attrs: QuantizeAttributes, operands: Sequence[np.ndarray]
    ) -> Sequence[np.ndarray]:
        low, high = map(np.float32, attrs.bounds)
        y = operands[0] * np.float32(attrs.factor)
        y = np.where(y < high, y, high)
        y = np.rint(np.where(y > low, y, low))
        return [(y.astype(np.int32) + attrs.zero).astype(attrs.dtype)]

    def emit(self, builder: Any, attrs: QuantizeAttributes, operands: Sequence[Any]) -> Any:
        (x,) = operands
        low, high = (builder.const(bound, "float32", x.type.lanes) for bound in attrs.bounds)
        y = builder.mul(x, builder.const(attrs.factor, "float32", x.type.lanes))
        # The clipped number plus 1.5·2^23 has the rounded one in its last bits: no conversion takes so few steps.
        y = builder.select(builder.lt(y, high), y, high)
        y = builder.select(builder.gt(y, low), y, low)
        y = builder.add(y, builder.const(_ROUNDS, "float32", x.type.lanes))
        byte = builder.cast(builder.bitcast(y, "int32"), attrs.dtype)
        return builder.add(byte, builder.const(attrs.zero, attrs.dtype, x.type.lanes)) if attrs.zero else byte

    def samples(self) -> Sequence[Sample]:
        x = TensorType("float32", (3, 37))
        return [
            Sample((x,), QuantizeAttributes(64.0, 0, "uint8"), differentiable=()),
            Sample((x,), QuantizeAttributes(0.5, 131, "uint8"), differentiable=()),
            Sample((x,), QuantizeAttributes(100.0, -5, "int8"), differentiable=()),
        ]
