"""``conv_kernel_gradient``: the cotangent of a convolution's weights, from its data and the cotangent of its
result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from netwright.specs.dims import DimLike, product

from ...graph.node import Node, Value
from ...graph.rules import ShapeError
from ...graph.types import TensorType
from ..base import Cost, Sample, moved_bytes
from ..contexts import EvaluationContext, GradientContext
from ..protocols import Contraction, check_start
from .conv import Conv, data_gradient
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


class ConvKernelGradient(Contraction):
    """The cotangent of w from x and dy; bilinear, and its own gradients are convolutions. A third operand is where
    the sums start."""

    name = "conv_kernel_gradient"
    attributes = ConvKernelGradientAttributes
    continues = True
    holds_sums = True

    def infer(
        self, attrs: ConvKernelGradientAttributes, operands: Sequence[TensorType]
    ) -> Sequence[TensorType]:
        x, dy, *start = operands
        check_operand(self.name, attrs, x)
        c_in, c_out = x.shape[-1], dy.shape[-1]
        cells = (x.shape[0], *window_counts(attrs, x.shape, attrs.kernel_size))
        if dy.dtype != x.dtype or dy.shape[:-1] != cells:
            raise ShapeError(f"conv_kernel_gradient of {x} and {dy}, whose cells are not {cells}", 1)
        if not isinstance(c_in, int) or not isinstance(c_out, int) or c_out % attrs.groups:
            raise ShapeError(f"conv_kernel_gradient to {c_out} channels in {attrs.groups} groups", 1)
        result = x.with_shape((*attrs.kernel_size, c_in // attrs.groups, c_out))
        check_start(self.name, attrs.order, start, result, 2)
        return [result]

    def evaluate(
        self,
        context: EvaluationContext,
        attrs: ConvKernelGradientAttributes,
        operands: Sequence[np.ndarray],
    ) -> Sequence[np.ndarray]:
        x, dy, *start = operands
        groups, c_out = attrs.groups, dy.shape[-1]
        result = np.zeros((*attrs.kernel_size, x.shape[-1] // groups, c_out), x.dtype)
        flat_dy = dy.reshape(-1, groups, c_out // groups)
        for tap, window in taps_and_cells(attrs, attrs.kernel_size, dy.shape[1:-1]):
            patch = x[window].reshape(-1, groups, x.shape[-1] // groups)
            if groups == 1:
                result[tap] = patch[:, 0].T @ flat_dy[:, 0]
            else:
                result[tap] = np.einsum("mgc,mgf->cgf", patch, flat_dy).reshape(result.shape[-2:])
        return [result + start[0] if start else result]

    def gradient(
        self, context: GradientContext, node: Node, cotangents: Sequence[Value | None]
    ) -> Sequence[Value | None]:
        graph, (dw,) = context.graph, cotangents
        attrs = node.attrs
        assert isinstance(attrs, ConvKernelGradientAttributes)
        x, dy, *start = graph.operands(node)
        if dw is None:
            return [None, None, *(None for _ in start)]
        forward = ConvAttributes(attrs.stride, attrs.dilation, attrs.groups)
        to_x = data_gradient(graph, dy, dw, forward, graph.type(x).shape)
        return [to_x, graph.apply("conv", x, dw, attrs=forward), *(dw for _ in start)]

    def combine(self, attrs: ConvKernelGradientAttributes) -> str:
        return "add"

    def reduction_shape(
        self, attrs: ConvKernelGradientAttributes, operands: Sequence[TensorType]
    ) -> Sequence[DimLike]:
        return operands[1].shape[:-1]

    def factors(
        self,
        attrs: ConvKernelGradientAttributes,
        operands: Sequence[TensorType],
        index: Sequence[Any],
        reduction: Sequence[Any],
    ) -> Sequence[tuple[int, Sequence[Any]]]:
        *taps, channel, feature = index
        sample, *cells = reduction
        channels = operands[0].shape[-1] // attrs.groups, operands[1].shape[-1]
        return [
            (0, (sample, *input_cells(attrs, cells, taps), input_channel(attrs, channels, channel, feature))),
            (1, (sample, *cells, feature)),
        ]

    def segment(self, attrs: ConvKernelGradientAttributes, operands: Sequence[TensorType]) -> int | None:
        return group_features(attrs, operands[1])

    def cost(
        self,
        attrs: ConvKernelGradientAttributes,
        operands: Sequence[TensorType],
        results: Sequence[TensorType],
    ) -> Cost:
        return Cost(2 * product(operands[1].shape[:-1]) * results[0].size, moved_bytes(operands, results))

    def samples(self) -> Sequence[Sample]:
        samples: list[Sample] = []
        for x, w, attrs in conv_cases():
            kernel_size = tuple(size for size in w.shape[:-2] if isinstance(size, int))
            own = ConvKernelGradientAttributes(kernel_size, attrs.stride, attrs.dilation, attrs.groups)
            (y,) = Conv().infer(attrs, (x, w))
            samples.append(Sample((x, y), own))
        x, w, attrs = conv_cases()[0]
        kernel_size = tuple(size for size in w.shape[:-2] if isinstance(size, int))
        (y,) = Conv().infer(attrs, (x, w))
        own = ConvKernelGradientAttributes(
            kernel_size, attrs.stride, attrs.dilation, attrs.groups, "descending"
        )
        samples.append(Sample((x, y, w), own))
        return samples
