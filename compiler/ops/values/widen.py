"""``widen``: floats of 16 bits, held in uint16, as float32."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...graph.node import Attributes
from ...graph.rules import ShapeError
from ...graph.types import TensorType
from ..base import Sample
from ..contexts import EvaluationContext
from ..protocols import Elementwise

#: IEEE's half precision, or the upper half of a float32.
Half: TypeAlias = Literal["float16", "bfloat16"]


@dataclass(frozen=True, slots=True)
class WidenAttributes(Attributes):
    """``format``: what the 16 bits are."""

    format: Half


class Widen(Elementwise):
    """Exact for all finite numbers; kernels do it as they load."""

    name = "widen"
    attributes = WidenAttributes
    cheap = True
    in_readers = True
    rematerialize = True  # in loops, too: what is widened before a loop takes twice the memory in each step

    def infer(self, attrs: WidenAttributes, operands: Sequence[TensorType]) -> Sequence[TensorType]:
        (x,) = operands
        if x.dtype != "uint16" or attrs.format not in ("float16", "bfloat16"):
            raise ShapeError(f"widen of {x.dtype} as {attrs.format}", 0)
        return [x.with_dtype("float32")]

    def evaluate(
        self, context: EvaluationContext, attrs: WidenAttributes, operands: Sequence[np.ndarray]
    ) -> Sequence[np.ndarray]:
        (x,) = operands
        if attrs.format == "float16":
            return [x.view(np.float16).astype(np.float32)]
        return [widened(x)]

    def emit(self, builder: Any, attrs: WidenAttributes, operands: Sequence[Any]) -> Any:
        (x,) = operands
        if attrs.format == "float16":
            return builder.cast(builder.bitcast(x, "float16"), "float32")
        return emit_widened(builder, x)

    def samples(self) -> Sequence[Sample]:
        x = TensorType("uint16", (3, 37))
        return [
            Sample((x,), WidenAttributes(format), ("index:31744",), differentiable=())
            for format in ("float16", "bfloat16")
        ]


def widened(array: NDArray[np.uint16]) -> NDArray[np.float32]:
    """The float32 of bfloat16."""
    return (array.astype(np.uint32) << np.uint32(16)).view(np.float32)


def emit_widened(builder: Any, x: Any) -> Any:
    """The loop IR expression of ``widened``."""
    bits = builder.cast(x, "uint32")
    return builder.bitcast(builder.shl(bits, builder.const(16, "uint32", x.type.lanes)), "float32")


def halves(array: NDArray[np.float32], format: Half) -> NDArray[np.uint16]:
    """Numbers rounded to nearest, ties to even, as 16 bits. What is too large becomes infinite; NaN stays NaN."""
    if format == "float16":
        with np.errstate(over="ignore"):
            return np.asarray(array, np.float16, order="C").view(np.uint16)
    bits = np.asarray(array, np.float32, order="C").view(np.uint32)
    rounded = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16
    quiet = bits >> 16 | 0x40  # the payload of a NaN may lie in the lower half alone
    return np.where(bits & 0x7FFFFFFF > 0x7F800000, quiet, rounded).astype(np.uint16)
