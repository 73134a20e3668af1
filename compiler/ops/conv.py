"""``conv`` and ``conv_kernel_gradient``: n-d convolution (as networks define it: no reversal) and its
adjoint.

Padding is a ``pad`` before it, so a window always fits. Sizes: x [N, *S, C], w [*K, C/groups, F], result
[N, *O, F] with O = ⌊(S − (K−1)·dilation − 1) / stride⌋ + 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from netwright.specs.dims import DimLike, Shape, bounds, product

from ..graph.types import FLOATS, TensorType
from .base import (
    Attributes,
    Cost,
    EvaluationContext,
    GradientContext,
    Primitive,
    Sample,
    ShapeError,
    moved_bytes,
    sizes,
)
from .layout import ReshapeAttributes, ReverseAttributes, TransposeAttributes
from .slice_pad import PadAttributes

if TYPE_CHECKING:
    from ..graph.graph import Graph, Node, Value


@dataclass(frozen=True, slots=True)
class ConvAttributes(Attributes):
    """``stride`` and ``dilation`` per spatial axis; channels in ``groups`` that do not mix."""

    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int = 1


@dataclass(frozen=True, slots=True)
class ConvKernelGradientAttributes(Attributes):
    """The convolution's attributes and the spatial size of its kernel."""

    kernel_size: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int = 1


def window_cells(size: DimLike, window: int, stride: int, dilation: int = 1, operand: int = 0) -> DimLike:
    """How many windows of ``window`` cells fit into ``size``. Raises ShapeError where provably none does."""
    span = (window - 1) * dilation + 1
    greatest = bounds(size - span, {})[1]
    if greatest is not None and greatest < 0:
        raise ShapeError(f"a window of {span} does not fit into {size}", operand)
    return (size - span) // stride + 1


def _check(name: str, attrs: ConvAttributes | ConvKernelGradientAttributes, x: TensorType) -> None:
    rank = len(attrs.stride)
    if not 1 <= rank <= 3 or len(attrs.dilation) != rank or x.rank != rank + 2 or x.dtype not in FLOATS:
        raise ShapeError(f"{name} of {x} with stride {attrs.stride} and dilation {attrs.dilation}", 0)
    if min(*attrs.stride, *attrs.dilation, attrs.groups) < 1:
        raise ShapeError(f"{name} with a stride, dilation or groups below 1")
    if not isinstance(x.shape[-1], int) or x.shape[-1] % attrs.groups:
        raise ShapeError(f"{name} of {x.shape[-1]} channels in {attrs.groups} groups", 0)


def _cells(
    attrs: ConvAttributes | ConvKernelGradientAttributes, shape: Shape, kernel_size: Sequence[int]
) -> Shape:
    per_axis = zip(shape[1:-1], kernel_size, attrs.stride, attrs.dilation, strict=True)
    return tuple(window_cells(*axis) for axis in per_axis)


def _taps(
    attrs: ConvAttributes | ConvKernelGradientAttributes, kernel_size: Sequence[int], cells: Sequence[int]
) -> Iterator[tuple[tuple[int, ...], tuple[slice, ...]]]:
    """Every kernel position, with the input cells that it meets."""
    for tap in np.ndindex(*kernel_size):
        starts = [k * d for k, d in zip(tap, attrs.dilation, strict=True)]
        spans = [(o - 1) * s + 1 for o, s in zip(cells, attrs.stride, strict=True)]
        ranges = [slice(a, a + n, s) for a, n, s in zip(starts, spans, attrs.stride, strict=True)]
        yield tap, (slice(None), *ranges)


class Conv(Primitive):
    """Bilinear; the gradient to the data is a convolution again, that to the weights
    ``conv_kernel_gradient``.
    """

    name = "conv"
    attributes = ConvAttributes

    def infer(self, attrs: ConvAttributes, operands: Sequence[TensorType]) -> Sequence[TensorType]:
        x, w = operands
        _check(self.name, attrs, x)
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
        return [x.with_shape((x.shape[0], *_cells(attrs, x.shape, kernel_size), c_out))]

    def evaluate(
        self, context: EvaluationContext, attrs: ConvAttributes, operands: Sequence[np.ndarray]
    ) -> Sequence[np.ndarray]:
        x, w = operands
        groups, c_out = attrs.groups, w.shape[-1]
        cells = sizes(context, _cells(attrs, x.shape, w.shape[:-2]))
        result = np.zeros((x.shape[0], *cells, groups, c_out // groups), x.dtype)
        for tap, window in _taps(attrs, w.shape[:-2], cells):
            patch, weights = x[window], w[tap]
            if groups == 1:
                result[..., 0, :] += patch @ weights
            else:
                patch = patch.reshape(*patch.shape[:-1], groups, -1)
                weights = weights.reshape(patch.shape[-1], groups, -1)
                result += np.einsum("...gc,cgf->...gf", patch, weights)
        return [result.reshape(x.shape[0], *cells, c_out)]

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

    def cost(
        self, attrs: ConvAttributes, operands: Sequence[TensorType], results: Sequence[TensorType]
    ) -> Cost:
        depth = product(operands[1].shape[:-1])
        return Cost(2 * results[0].size * depth, moved_bytes(operands, results))

    def samples(self) -> Sequence[Sample]:
        return [Sample((x, w), attrs) for x, w, attrs in _cases()]


def _cases() -> list[tuple[TensorType, TensorType, ConvAttributes]]:
    def t(*shape: int) -> TensorType:
        return TensorType("float64", shape)

    return [
        (t(2, 7, 3), t(3, 3, 4), ConvAttributes((1,), (1,))),
        (t(1, 10, 2), t(3, 2, 3), ConvAttributes((3,), (2,))),
        (t(2, 5, 6, 2), t(3, 2, 2, 3), ConvAttributes((1, 1), (1, 1))),
        (t(1, 6, 7, 4), t(2, 3, 2, 6), ConvAttributes((2, 3), (2, 1), 2)),
        (t(2, 5, 5, 3), t(3, 3, 1, 3), ConvAttributes((1, 2), (1, 1), 3)),
        (t(1, 3, 4, 3, 2), t(2, 2, 1, 2, 2), ConvAttributes((1, 2, 1), (1, 1, 1))),
    ]


def data_gradient(graph: Graph, dy: Value, w: Value, attrs: ConvAttributes, x_shape: Shape) -> Value:
    """The cotangent of x: dy, spread by the stride, convolved with the reversed kernel, its channels swapped.

    Cells beyond the last window, where the stride does not divide, get zero.
    """
    *kernel_size, c_in, c_out = (size for size in graph.type(w).shape if isinstance(size, int))
    groups, rank = attrs.groups, len(attrs.stride)
    low: list[DimLike] = [0]
    high: list[DimLike] = [0]
    interior = [0]
    for size, k, stride, dilation in zip(
        x_shape[1:-1], kernel_size, attrs.stride, attrs.dilation, strict=True
    ):
        reach = (k - 1) * dilation
        rest = (size - reach - 1) - (size - reach - 1) // stride * stride
        low.append(reach)
        high.append(reach + rest)
        interior.append(stride - 1)
    padding = PadAttributes((*low, 0), (*high, 0), (*interior, 0))
    spread = graph.apply("pad", dy, attrs=padding) if any((*low, *high, *interior)) else dy

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
    return graph.apply("conv", spread, w, attrs=ConvAttributes((1,) * rank, attrs.dilation, groups))


class ConvKernelGradient(Primitive):
    """The cotangent of w from x and dy; bilinear, and its own gradients are convolutions."""

    name = "conv_kernel_gradient"
    attributes = ConvKernelGradientAttributes

    def infer(
        self, attrs: ConvKernelGradientAttributes, operands: Sequence[TensorType]
    ) -> Sequence[TensorType]:
        x, dy = operands
        _check(self.name, attrs, x)
        c_in, c_out = x.shape[-1], dy.shape[-1]
        cells = (x.shape[0], *_cells(attrs, x.shape, attrs.kernel_size))
        if dy.dtype != x.dtype or dy.shape[:-1] != cells:
            raise ShapeError(f"conv_kernel_gradient of {x} and {dy}, whose cells are not {cells}", 1)
        if not isinstance(c_in, int) or not isinstance(c_out, int) or c_out % attrs.groups:
            raise ShapeError(f"conv_kernel_gradient to {c_out} channels in {attrs.groups} groups", 1)
        return [x.with_shape((*attrs.kernel_size, c_in // attrs.groups, c_out))]

    def evaluate(
        self,
        context: EvaluationContext,
        attrs: ConvKernelGradientAttributes,
        operands: Sequence[np.ndarray],
    ) -> Sequence[np.ndarray]:
        x, dy = operands
        groups, c_out = attrs.groups, dy.shape[-1]
        result = np.zeros((*attrs.kernel_size, x.shape[-1] // groups, c_out), x.dtype)
        flat_dy = dy.reshape(-1, groups, c_out // groups)
        for tap, window in _taps(attrs, attrs.kernel_size, dy.shape[1:-1]):
            patch = x[window].reshape(-1, groups, x.shape[-1] // groups)
            if groups == 1:
                result[tap] = patch[:, 0].T @ flat_dy[:, 0]
            else:
                result[tap] = np.einsum("mgc,mgf->cgf", patch, flat_dy).reshape(result.shape[-2:])
        return [result]

    def gradient(
        self, context: GradientContext, node: Node, cotangents: Sequence[Value | None]
    ) -> Sequence[Value | None]:
        graph, (dw,) = context.graph, cotangents
        attrs = node.attrs
        assert isinstance(attrs, ConvKernelGradientAttributes)
        if dw is None:
            return [None, None]
        x, dy = graph.operands(node)
        forward = ConvAttributes(attrs.stride, attrs.dilation, attrs.groups)
        to_x = data_gradient(graph, dy, dw, forward, graph.type(x).shape)
        return [to_x, graph.apply("conv", x, dw, attrs=forward)]

    def cost(
        self,
        attrs: ConvKernelGradientAttributes,
        operands: Sequence[TensorType],
        results: Sequence[TensorType],
    ) -> Cost:
        return Cost(2 * product(operands[1].shape[:-1]) * results[0].size, moved_bytes(operands, results))

    def samples(self) -> Sequence[Sample]:
        found: list[Sample] = []
        for x, w, attrs in _cases():
            kernel_size = tuple(size for size in w.shape[:-2] if isinstance(size, int))
            own = ConvKernelGradientAttributes(kernel_size, attrs.stride, attrs.dilation, attrs.groups)
            (y,) = Conv().infer(attrs, (x, w))
            found.append(Sample((x, y), own))
        return found
