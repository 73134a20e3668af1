"""Convolutions that see space and channels apart: depthwise, and separable (depthwise, then 1×1)."""

from __future__ import annotations

from typing import ClassVar, Literal

from ..base import Size
from ..initializers import GlorotUniform, Initializer
from .window import CausalPadding, KernelLayer


class _Depthwise(KernelLayer):
    depth_multiplier: Size = 1
    """How many output channels each input channel has; they follow each other."""


class DepthwiseConvolution(_Depthwise):
    """Cross-correlation of each channel with kernels of its own, plus bias, then an activation.

    Parameters: `kernel [*kernel_size, c_in, depth_multiplier]`, `bias [c_in · depth_multiplier]`.
    """

    kernel_init: Initializer = GlorotUniform()
    """How the kernel starts."""


class SeparableConvolution(_Depthwise):
    """A depthwise convolution, then a mix of its channels at each cell, plus bias, then an activation.

    Parameters: `depthwise_kernel [*kernel_size, c_in, depth_multiplier]`, `pointwise_kernel [1, …, c_in ·
    depth_multiplier, filters]`, `bias [filters]`.
    """

    filters: Size
    """The number of output channels."""
    depthwise_init: Initializer = GlorotUniform()
    """How the depthwise kernel starts."""
    pointwise_init: Initializer = GlorotUniform()
    """How the pointwise kernel starts."""


class DepthwiseConv1D(DepthwiseConvolution):
    """A depthwise convolution over one axis: `[N, T, c_in]` gives `[N, T', c_in · depth_multiplier]`."""

    rank: ClassVar[int] = 1
    type: Literal["depthwise_conv1d"] = "depthwise_conv1d"
    padding: CausalPadding = "valid"  # type: ignore[assignment]
    """valid, same, same_upper, same_lower, [[low, high]], or causal: everything before the first cell."""


class DepthwiseConv2D(DepthwiseConvolution):
    """A depthwise convolution over two axes: `[N, H, W, c_in]` gives `[N, H', W', c_in · depth_multiplier]`."""

    rank: ClassVar[int] = 2
    type: Literal["depthwise_conv2d"] = "depthwise_conv2d"


class SeparableConv1D(SeparableConvolution):
    """A separable convolution over one axis: `[N, T, c_in]` gives `[N, T', filters]`."""

    rank: ClassVar[int] = 1
    type: Literal["separable_conv1d"] = "separable_conv1d"
    padding: CausalPadding = "valid"  # type: ignore[assignment]
    """valid, same, same_upper, same_lower, [[low, high]], or causal: everything before the first cell."""


class SeparableConv2D(SeparableConvolution):
    """A separable convolution over two axes: `[N, H, W, c_in]` gives `[N, H', W', filters]`."""

    rank: ClassVar[int] = 2
    type: Literal["separable_conv2d"] = "separable_conv2d"
