"""Transposed convolutions: a convolution with the reversed kernel over an input with stride − 1 zeros between its
cells."""

from __future__ import annotations

from netwright.specs.models.layers.conv_transpose import ConvTranspose

from ...ops.windows.transposed_conv import transposed_conv
from ..expansion import Expansion
from ..origins import linear
from ..problem import count
from ..scope import Scope, Signal
from ..tensor import Tensor
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
    x = scope.floats(signal)
    low, high = _around(scope, spec, x)
    y = Tensor(
        x.graph,
        transposed_conv(x.graph, x.value, kernel.value, spec.strides, spec.dilations, spec.groups, low, high),
    )
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


def _around(scope: Scope, spec: ConvTranspose, x: Tensor) -> tuple[list[int], list[int]]:
    """How many zeros are needed before and after the cells of each axis for the wanted output; negative numbers cut
    cells off."""
    low: list[int] = []
    high: list[int] = []
    for position in range(spec.rank):
        size, stride = x.shape[1 + position], spec.strides[position]
        span = (spec.window[position] - 1) * spec.dilations[position] + 1
        before, after = _cropped(spec, position, span)
        low.append(span - 1 - before)
        high.append(span - 1 - after + spec.output_padding[position])
        output = (size - 1) * stride + 1 + low[-1] + high[-1] - (span - 1)
        least = scope.least(output)
        if least is None or least < 1:
            message = f"padding leaves {output} cells of {size}"
            raise scope.problem("NW0313", message, "padding", labels=scope.trace((scope.input, 1 + position)))
    return low, high


def _cropped(spec: ConvTranspose, position: int, span: int) -> tuple[int, int]:
    """How many cells `padding` cuts off each side of the full output; negative numbers add cells."""
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


EXPANSIONS = {
    ConvTranspose: Expansion(expand_conv_transpose),
}
