"""Transposed convolutions: the input spread out by the stride, then a convolution with the kernel turned round."""

from __future__ import annotations

from netwright.specs.dims import DimLike
from netwright.specs.models.layers import ConvTranspose

from ...ops.conv import ConvAttributes
from ...ops.slice_pad import PadAttributes
from ..equations.tensor import Tensor
from ..origins import linear
from ..problem import count
from ..scope import Scope, Signal
from .activation import checked_activation
from .window import SPATIAL_SHAPES


def expand_conv_transpose(scope: Scope) -> Signal:
    """activation(conv_transpose(x, kernel) + bias); `[N, *spatial, c_in]` gives `[N, *cells, filters]`."""
    spec, signal = scope.spec, scope.input
    assert isinstance(spec, ConvTranspose)
    scope.check_rank(signal, SPATIAL_SHAPES[spec.rank], signal.rank == spec.rank + 2)
    channels = scope.static(signal)
    if channels % spec.groups:
        message = f"{channels} input channels do not divide into {spec.groups} groups"
        raise scope.problem("NW0308", message, "groups", labels=scope.blame(signal))
    shape = [*spec.kernel_size, channels // spec.groups, spec.filters]
    kernel = scope.parameter("kernel", shape, spec.kernel_init).reverse(*range(spec.rank))
    x = _spread(scope, spec, scope.floats(signal))
    y = x.apply("conv", kernel, attrs=ConvAttributes((1,) * spec.rank, spec.dilations, spec.groups))
    if spec.use_bias:
        y = y + scope.parameter("bias", [spec.filters], spec.bias_init)
    for axis in range(1, spec.rank + 1):
        stride, extra = spec.strides[axis - 1], y.shape[axis] - signal.shape[axis] * spec.strides[axis - 1]
        scope.derive(
            axis,
            f"{y.shape[axis]} of {signal.shape[axis]}, {stride} apart",
            signal.origins[axis],
            rule=linear(stride, extra),
        )
    scope.notes[y.rank - 1] = count(spec.filters, "filter")
    return checked_activation(scope, scope.give(y), spec.activation, "activation")


def _spread(scope: Scope, spec: ConvTranspose, x: Tensor) -> Tensor:
    """The input with zeros between its cells and around it, as many as make the wanted output."""
    low: list[DimLike] = [0]
    high: list[DimLike] = [0]
    interior, cut = [0], []
    for position in range(spec.rank):
        size, stride = x.shape[1 + position], spec.strides[position]
        span = (spec.window[position] - 1) * spec.dilations[position] + 1
        before, after = _cropped(spec, position, span)
        before, after = span - 1 - before, span - 1 - after + spec.output_padding[position]
        output = (size - 1) * stride + 1 + before + after - (span - 1)
        least = scope.least(output)
        if least is None or least < 1:
            message = f"padding leaves {output} cells of {size}"
            raise scope.problem("NW0313", message, "padding", labels=scope.trace((scope.input, 1 + position)))
        low.append(max(before, 0))
        high.append(max(after, 0))
        interior.append(stride - 1)
        cut.append((max(-before, 0), max(-after, 0)))
    if any((*low, *high, *interior)):
        x = x.apply("pad", attrs=PadAttributes((*low, 0), (*high, 0), (*interior, 0)))
    for axis, (first, last) in enumerate(cut, 1):
        if first or last:
            x = x.slice(axis, first, x.shape[axis] - last)
    return x


def _cropped(spec: ConvTranspose, position: int, span: int) -> tuple[int, int]:
    """How many cells of the whole output `padding` cuts off on each side; fewer than none are added."""
    padding = spec.padding[position]
    if not isinstance(padding, str):
        return padding
    if padding == "valid":
        return 0, 0
    if padding == "same":
        return (span - 1) // 2, span - 1 - (span - 1) // 2
    total = span - spec.strides[position] + spec.output_padding[position]
    less = max(total, 0) // 2
    return (less, total - less) if padding == "same_upper" else (total - less, less)
