"""``quantized_groups``: convolution of bytes in groups of channels, such as a depthwise one, summed in int32.

Data x [N, *S, C] of int8 or uint8, weights w [*K, C/groups, F] of int8: as ``conv``, term by term. Neighbours in memory
are multiplied by weights of different channels, so there is nothing to add up four by four as ``quantized_conv`` does.
Sums wrap as int32 does; whoever makes weights takes care that they stay in range.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product as combinations
from typing import Any

import numpy as np

from netwright.specs.dims import DimLike

from ...graph.rules import ShapeError
from ...graph.types import TensorType
from ..base import Cost, Sample
from ..contexts import EvaluationContext
from ..protocols import Contraction
from .conv import Conv
from .geometry import ConvAttributes, conv_cases

#: Which numbers are multiplied and added up.
CONV = Conv()


class QuantizedGroups(Contraction):
    """Convolution of bytes in groups; there is no gradient."""

    name = "quantized_groups"
    attributes = ConvAttributes
    shares_kernel = False

    def infer(self, attrs: ConvAttributes, operands: Sequence[TensorType]) -> Sequence[TensorType]:
        x, w = operands
        if x.dtype not in ("int8", "uint8") or w.dtype != "int8":
            raise ShapeError(f"quantized_groups of {x} with weights {w}", 0)
        (result,) = CONV.infer(attrs, [x.with_dtype("float32"), w.with_dtype("float32")])
        return [result.with_dtype("int32")]

    def evaluate(
        self, context: EvaluationContext, attrs: ConvAttributes, operands: Sequence[np.ndarray]
    ) -> Sequence[np.ndarray]:
        # Sums of products of bytes are exact in float64.
        (total,) = CONV.evaluate(context, attrs, [array.astype(np.float64) for array in operands])
        return [total.astype(np.int64).astype(np.int32)]

    def combine(self, attrs: ConvAttributes) -> str:
        return "add"

    def reduction_shape(self, attrs: ConvAttributes, operands: Sequence[TensorType]) -> Sequence[DimLike]:
        return CONV.reduction_shape(attrs, operands)

    def factors(
        self,
        attrs: ConvAttributes,
        operands: Sequence[TensorType],
        index: Sequence[Any],
        reduction: Sequence[Any],
    ) -> Sequence[tuple[int, Sequence[Any]]]:
        return CONV.factors(attrs, operands, index, reduction)

    def segment(self, attrs: ConvAttributes, operands: Sequence[TensorType]) -> int | None:
        return CONV.segment(attrs, operands)

    def cost(
        self, attrs: ConvAttributes, operands: Sequence[TensorType], results: Sequence[TensorType]
    ) -> Cost:
        return CONV.cost(attrs, operands, results)

    def samples(self) -> Sequence[Sample]:
        return [
            Sample((x.with_dtype(dtype), w.with_dtype("int8")), attrs, ("any", "any"), ())
            for dtype, (x, w, attrs) in combinations(("uint8", "int8"), conv_cases())
            if attrs.groups > 1
        ]
