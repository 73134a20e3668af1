"""``quantized_conv``: convolution of bytes, and products with a matrix of them, summed in int32.

Data x [N, *S, L] of int8 or uint8, weights w [*K, G, 4·F] of int8. Four elements of data that lie one after the other
are multiplied by four weights, which is what instructions for products of bytes do:

    y[n, o, f] = Σ_{k, g, j} x[n, o·stride + k·dilation, 4·g + j] · w[k, g, 4·f + j]

With ``step`` s the last axis of x holds the cells of an axis and their channels, so that a row of a kernel is read as
one stretch, and the result has one more axis of cells:

    y[n, o, p, f] = Σ_{k, g, j} x[n, o·stride + k·dilation, p·s + 4·g + j] · w[k, g, 4·f + j]

Without spatial axes it is the product of a matrix [N, 4·G] and one of [4·G, F]. Weights that fill up a group of four
are 0. Sums wrap as int32 does; whoever makes weights takes care that they stay in range.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product as combinations
from typing import Any

import numpy as np

from netwright.specs.dims import DimLike, Shape, product

from ...graph.node import Attributes
from ...graph.rules import ShapeError
from ...graph.types import TensorType
from ..base import Cost, Sample, moved_bytes, sizes
from ..contexts import EvaluationContext
from ..protocols import Contraction
from .geometry import window_cells


@dataclass(frozen=True, slots=True)
class QuantizedConvAttributes(Attributes):
    """``stride`` and ``dilation`` per spatial axis before the last one; ``step``: how many elements lie between two
    cells on the last axis of the data, 0 if it holds one cell."""

    stride: tuple[int, ...] = ()
    dilation: tuple[int, ...] = ()
    step: int = 0


class QuantizedConv(Contraction):
    """Convolution and products of bytes; there is no gradient."""

    name = "quantized_conv"
    attributes = QuantizedConvAttributes
    shares_kernel = False
    multiplies_bytes = True

    def infer(self, attrs: QuantizedConvAttributes, operands: Sequence[TensorType]) -> Sequence[TensorType]:
        x, w = operands
        rank = len(attrs.stride)
        if x.dtype not in ("int8", "uint8") or x.rank != rank + 2 or len(attrs.dilation) != rank:
            raise ShapeError(f"quantized_conv of {x} with stride {attrs.stride}", 0)
        if min((1, *attrs.stride, *attrs.dilation)) < 1 or attrs.step < 0:
            raise ShapeError("quantized_conv with a stride or dilation below 1, or a negative step")
        static = [size for size in w.shape if isinstance(size, int)]
        if (
            w.dtype != "int8"
            or w.rank != rank + 2
            or len(static) != w.rank
            or min(static) < 1
            or static[-1] % 4
        ):
            raise ShapeError(f"quantized_conv with weights {w}", 1)
        *kernel_size, groups, columns = static
        axes = zip(x.shape[1:-1], kernel_size, attrs.stride, attrs.dilation, strict=True)
        cells: list[DimLike] = [window_cells(*axis) for axis in axes]
        if attrs.step:
            cells.append(window_cells(x.shape[-1], 4 * groups, attrs.step))
        elif x.shape[-1] != 4 * groups:
            raise ShapeError(f"{groups} groups of four weights for {x.shape[-1]} channels", 1)
        return [TensorType("int32", (x.shape[0], *cells, columns // 4))]

    def evaluate(
        self, context: EvaluationContext, attrs: QuantizedConvAttributes, operands: Sequence[np.ndarray]
    ) -> Sequence[np.ndarray]:
        x, w = operands
        *kernel_size, groups, columns = w.shape
        types = [TensorType(array.dtype.name, array.shape) for array in operands]
        shape = sizes(context, self.infer(attrs, types)[0].shape)
        last = shape[-2] if attrs.step else 1
        outer = shape[1 : 1 + len(kernel_size)]
        matrices = w.reshape(*kernel_size, groups, columns // 4, 4).swapaxes(-1, -2)
        total = np.zeros((x.shape[0], *outer, last, columns // 4), np.float64)
        # Sums of products of bytes are exact in float64, which NumPy multiplies fast.
        for tap in np.ndindex(*kernel_size):
            window = tuple(
                slice(k * d, k * d + (o - 1) * s + 1 if o else 0, s)
                for k, d, o, s in zip(tap, attrs.dilation, outer, attrs.stride, strict=True)
            )
            cells = x[(slice(None), *window)].astype(np.float64)
            matrix = matrices[tap].reshape(4 * groups, columns // 4).astype(np.float64)
            for p in range(last):
                begin = p * attrs.step
                total[..., p, :] += cells[..., begin : begin + 4 * groups] @ matrix
        return [total.astype(np.int64).astype(np.int32).reshape(shape)]

    def combine(self, attrs: QuantizedConvAttributes) -> str:
        return "add"

    def reduction_shape(self, attrs: QuantizedConvAttributes, operands: Sequence[TensorType]) -> Shape:
        return operands[1].shape[:-1]

    def factors(
        self,
        attrs: QuantizedConvAttributes,
        operands: Sequence[TensorType],
        index: Sequence[Any],
        reduction: Sequence[Any],
    ) -> Sequence[tuple[int, Sequence[Any]]]:
        sample, *cells, feature = index
        *taps, group = reduction
        last = 4 * group
        if attrs.step:
            last = cells.pop() * attrs.step + last
        at = [
            cell * stride + tap * dilation
            for cell, tap, stride, dilation in zip(cells, taps, attrs.stride, attrs.dilation, strict=True)
        ]
        return [(0, (sample, *at, last)), (1, (*taps, group, 4 * feature))]

    def cost(
        self,
        attrs: QuantizedConvAttributes,
        operands: Sequence[TensorType],
        results: Sequence[TensorType],
    ) -> Cost:
        depth = 4 * product(operands[1].shape[:-1])
        return Cost(2 * results[0].size * depth, moved_bytes(operands, results))

    def samples(self) -> Sequence[Sample]:
        def case(
            dtype: str, x: tuple[int, ...], w: tuple[int, ...], attrs: QuantizedConvAttributes
        ) -> Sample:
            return Sample((TensorType(dtype, x), TensorType("int8", w)), attrs, ("any", "any"), ())

        dense = QuantizedConvAttributes()
        rows = QuantizedConvAttributes((1,), (1,), 3)
        cells = QuantizedConvAttributes((2, 1), (1, 2))
        cases = [
            ((5, 12), (3, 4 * 20), dense),
            ((3, 4), (1, 4), dense),
            ((2, 6, 17), (3, 2, 4 * 5), rows),
            ((2, 20), (2, 4 * 6), QuantizedConvAttributes(step=2)),
            ((1, 5, 6, 8), (2, 2, 2, 4 * 17), cells),
        ]
        return [case(dtype, *shapes) for dtype, shapes in combinations(("uint8", "int8"), cases)]
