"""Convolutions in one, two and three dimensions: full, depthwise and separable."""

from __future__ import annotations

from netwright.specs.models.layers.conv import Convolution, DepthwiseConvolution, SeparableConvolution
from netwright.specs.models.layers.window import KernelLayer

from ...ops.windows.conv import ConvAttributes
from ..expansion import Expansion
from ..problem import count
from ..scope import Scope, Signal
from ..tensor import Tensor
from .activation import checked_activation
from .window import check_time, check_windows, pad_windows


def expand_convolution(scope: Scope) -> Signal:
    """activation(conv(pad(x), kernel) + bias); `[N, *spatial, c_in]` gives `[N, *cells, filters]`."""
    spec = scope.spec
    assert isinstance(spec, Convolution)
    axes = check_windows(scope)
    channels = scope.static(scope.input)
    if channels % spec.groups:
        message = f"{channels} input channels do not divide into {spec.groups} groups"
        raise scope.problem("NW0308", message, "groups", labels=scope.blame(scope.input))
    x = pad_windows(check_time(scope, axes), axes, 0)
    shape = [*spec.kernel_size, channels // spec.groups, spec.filters]
    kernel = scope.parameter("kernel", shape, spec.kernel_init)
    y = x.apply("conv", kernel, attrs=ConvAttributes(spec.strides, spec.dilations, spec.groups))
    return _finished(scope, spec, y, spec.filters, count(spec.filters, "filter"))


def expand_depthwise(scope: Scope) -> Signal:
    """activation(depthwise(x) + bias); `[N, *spatial, c_in]` gives `[N, *cells, c_in · depth_multiplier]`."""
    spec = scope.spec
    assert isinstance(spec, DepthwiseConvolution)
    y = _depthwise(scope, spec, "kernel")
    channels = scope.static(scope.input)
    note = f"{channels} channels · {spec.depth_multiplier}"
    return _finished(scope, spec, y, channels * spec.depth_multiplier, note)


def expand_separable(scope: Scope) -> Signal:
    """activation(depthwise(x) @ pointwise + bias); `[N, *spatial, c_in]` gives `[N, *cells, filters]`."""
    spec = scope.spec
    assert isinstance(spec, SeparableConvolution)
    y = _depthwise(scope, spec, "depthwise_kernel")
    channels = scope.static(scope.input) * spec.depth_multiplier
    ones = (1,) * spec.rank
    pointwise = scope.parameter("pointwise_kernel", [*ones, channels, spec.filters], spec.pointwise_init)
    y = y.apply("conv", pointwise, attrs=ConvAttributes(ones, ones))
    return _finished(scope, spec, y, spec.filters, count(spec.filters, "filter"))


def _depthwise(scope: Scope, spec: DepthwiseConvolution | SeparableConvolution, name: str) -> Tensor:
    """A convolution with one channel per group, whose kernel is stored as `[*kernel_size, c_in,
    depth_multiplier]`."""
    axes = check_windows(scope)
    channels = scope.static(scope.input)
    init = spec.kernel_init if isinstance(spec, DepthwiseConvolution) else spec.depthwise_init
    kernel = scope.parameter(name, [*spec.kernel_size, channels, spec.depth_multiplier], init)
    flat = kernel.reshape((*spec.kernel_size, 1, channels * spec.depth_multiplier))
    x = pad_windows(check_time(scope, axes), axes, 0)
    return x.apply("conv", flat, attrs=ConvAttributes(spec.strides, spec.dilations, channels))


def _finished(scope: Scope, spec: KernelLayer, y: Tensor, channels: int, note: str) -> Signal:
    if spec.use_bias:
        y = y + scope.parameter("bias", [channels], spec.bias_init)
    scope.notes[y.rank - 1] = note
    return checked_activation(scope, scope.give(y, scope.input.lengths), spec.activation, "activation")


EXPANSIONS = {
    Convolution: Expansion(expand_convolution, honours_lengths=True),
    DepthwiseConvolution: Expansion(expand_depthwise, honours_lengths=True),
    SeparableConvolution: Expansion(expand_separable, honours_lengths=True),
}
