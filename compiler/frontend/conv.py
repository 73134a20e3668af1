"""Convolutions in one, two and three dimensions."""

from __future__ import annotations

from netwright.specs.layers import Convolution

from ..ops.conv import ConvAttributes
from .activation import checked_activation
from .problem import count
from .scope import Scope, Signal
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
    if spec.use_bias:
        y = y + scope.parameter("bias", [spec.filters], spec.bias_init)
    scope.notes[y.rank - 1] = count(spec.filters, "filter")
    return checked_activation(scope, scope.give(y, scope.input.lengths), spec.activation, "activation")
