"""``conv``: n-dimensional convolution as neural networks define it: the kernel is not reversed.

Padding is a separate ``pad`` before it, so every window lies inside. Sizes: x [N, *S, C], w [*K, C/groups, F], result
[N, *O, F] with O = ⌊(S − (K−1)·dilation − 1) / stride⌋ + 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from netwright.specs.dims import DimLike, Shape, product

from ...graph.graph import Graph
from ...graph.node import Node, Value
from ...graph.rules import ShapeError
from ...graph.types import TensorType
from ..base import Cost, Sample, moved_bytes, sizes
from ..contexts import EvaluationContext, GradientContext
from ..protocols import Contraction, Order
from ..views.layout import ReshapeAttributes, ReverseAttributes, TransposeAttributes
from ..views.slice_pad import PadAttributes
from .geometry import (
    ConvAttributes,
    ConvKernelGradientAttributes,
    check_operand,
    conv_cases,
    group_features,
    input_cells,
    input_channel,
    taps_and_cells,
    window_counts,
)
from .transposed_conv import transposed_conv


class Conv(Contraction):
    """Bilinear; its gradient with respect to the data is a convolution, with respect to the weights
    ``conv_kernel_gradient``."""

    name = "conv"
    attributes = ConvAttributes
    stacks_gradient = True
    shares_kernel = False  # it has rows enough for all accumulators of a tile

    def infer(self, attrs: ConvAttributes, operands: Sequence[TensorType]) -> Sequence[TensorType]:
        x, w = operands
        check_operand(self.name, attrs, x)
        static = [size for size in w.shape if isinstance(size, int)]
        if w.rank != x.rank or w.dtype != x.dtype or len(static) != w.rank or min(static) < 1:
            raise ShapeError(f"conv of {x} with weights {w}", 1)
        *kernel_size, c_in, c_out = static
        channels = x.shape[-1]
        assert isinstance(channels, int)
        if c_in * attrs.groups != channels or c_out % attrs.groups:
            raise ShapeError(
                f"weights of {c_in} input and {c_out} output channels on {channels} in {attrs.groups} groups",
                1,
            )
        return [x.with_shape((x.shape[0], *window_counts(attrs, x.shape, kernel_size), c_out))]

    def evaluate(
        self, context: EvaluationContext, attrs: ConvAttributes, operands: Sequence[np.ndarray]
    ) -> Sequence[np.ndarray]:
        x, w = operands
        groups, c_out = attrs.groups, w.shape[-1]
        cells = sizes(context, window_counts(attrs, x.shape, w.shape[:-2]))
        result = np.zeros((x.shape[0], *cells, groups, c_out // groups), x.dtype)
        for tap, window in taps_and_cells(attrs, w.shape[:-2], cells):
            patch, weights = x[window], w[tap]
            if groups == 1:
                result[..., 0, :] += patch @ weights
            else:
                patch = patch.reshape(*patch.shape[:-1], groups, -1)
                weights = weights.reshape(patch.shape[-1], groups, -1)
                result += np.einsum("...gc,cgf->...gf", patch, weights)
        return [result.reshape(x.shape[0], *cells, c_out)]

    def order(self, attrs: ConvAttributes) -> Order:
        return attrs.order

    def gradient(
        self, context: GradientContext, node: Node, cotangents: Sequence[Value | None]
    ) -> Sequence[Value | None]:
        graph, (dy,) = context.graph, cotangents
        attrs = node.attrs
        assert isinstance(attrs, ConvAttributes)
        if dy is None:
            return [None, None]
        x, w = graph.operands(node)
        kernel_size = tuple(size for size in graph.type(w).shape[:-2] if isinstance(size, int))
        kernel_attrs = ConvKernelGradientAttributes(kernel_size, attrs.stride, attrs.dilation, attrs.groups)
        dw = graph.apply("conv_kernel_gradient", x, dy, attrs=kernel_attrs)
        return [data_gradient(graph, dy, w, attrs, graph.type(x).shape), dw]

    def vectorize(
        self,
        graph: Graph,
        attrs: ConvAttributes,
        operands: Sequence[Value],
        stacked: Sequence[bool],
        length: DimLike,
    ) -> Value | None:
        x, w = operands
        if stacked[1]:
            return None
        steps, batch, *rest = graph.type(x).shape
        flat = graph.apply("reshape", x, attrs=ReshapeAttributes((steps * batch, *rest)))
        result = graph.apply("conv", flat, w, attrs=attrs)
        shape = (steps, batch, *graph.type(result).shape[1:])
        return graph.apply("reshape", result, attrs=ReshapeAttributes(shape))

    def packed_operand(self, attrs: ConvAttributes) -> int | None:
        return 1 if attrs.groups == 1 else None

    def combine(self, attrs: ConvAttributes) -> str:
        return "add"

    def reduction_shape(self, attrs: ConvAttributes, operands: Sequence[TensorType]) -> Sequence[DimLike]:
        return operands[1].shape[:-1]

    def factors(
        self,
        attrs: ConvAttributes,
        operands: Sequence[TensorType],
        index: Sequence[Any],
        reduction: Sequence[Any],
    ) -> Sequence[tuple[int, Sequence[Any]]]:
        sample, *cells, feature = index
        *taps, channel = reduction
        return [
            (
                0,
                (
                    sample,
                    *input_cells(attrs, cells, taps),
                    input_channel(attrs, operands[1].shape[-2:], channel, feature),
                ),
            ),
            (1, (*taps, channel, feature)),
        ]

    def segment(self, attrs: ConvAttributes, operands: Sequence[TensorType]) -> int | None:
        return group_features(attrs, operands[1])

    def cost(
        self, attrs: ConvAttributes, operands: Sequence[TensorType], results: Sequence[TensorType]
    ) -> Cost:
        depth = product(operands[1].shape[:-1])
        return Cost(2 * results[0].size * depth, moved_bytes(operands, results))

    def samples(self) -> Sequence[Sample]:
        return [Sample((x, w), attrs) for x, w, attrs in conv_cases()]


def data_gradient(graph: Graph, dy: Value, w: Value, attrs: ConvAttributes, x_shape: Shape) -> Value:
    """The cotangent of x: dy with stride − 1 zeros between its cells, convolved with the reversed kernel, its
    channels swapped.

    Cells beyond the last window, where the stride does not divide the size, get zero.
    """
    *kernel_size, c_in, c_out = (size for size in graph.type(w).shape if isinstance(size, int))
    groups, rank = attrs.groups, len(attrs.stride)
    reach = [(k - 1) * dilation for k, dilation in zip(kernel_size, attrs.dilation, strict=True)]
    rest: list[DimLike] = []
    for size, span, stride in zip(x_shape[1:-1], reach, attrs.stride, strict=True):
        rest.append((size - span - 1) - (size - span - 1) // stride * stride)

    if product(kernel_size) != 1:
        w = graph.apply("reverse", w, attrs=ReverseAttributes(tuple(range(rank))))
    spatial = tuple(range(rank))
    if groups > 1:  # [*K, C/g, g, F/g] → [*K, F/g, g, C/g]
        split = ReshapeAttributes((*kernel_size, c_in, groups, c_out // groups))
        w = graph.apply("reshape", w, attrs=split)
        w = graph.apply("transpose", w, attrs=TransposeAttributes((*spatial, rank + 2, rank + 1, rank)))
        w = graph.apply("reshape", w, attrs=ReshapeAttributes((*kernel_size, c_out // groups, groups * c_in)))
    else:
        w = graph.apply("transpose", w, attrs=TransposeAttributes((*spatial, rank + 1, rank)))
    dx = transposed_conv(graph, dy, w, attrs.stride, attrs.dilation, groups, reach, reach)
    if any(rest):
        dx = graph.apply("pad", dx, attrs=PadAttributes((0,) * (rank + 2), (0, *rest, 0), (0,) * (rank + 2)))
    return dx
