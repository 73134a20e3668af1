"""Convolutions, including depthwise and separable ones."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import model_validator

from ..base import Size, at
from ..initializers import GlorotUniform, Initializer
from .window import CausalPadding, KernelLayer


class Convolution(KernelLayer):
    """Cross-correlation with a learned kernel, plus bias, then an activation.

    Parameters: `kernel [*kernel_size, c_in / groups, filters]`, `bias [filters]`.
    """

    filters: Size
    """The number of output channels."""
    groups: Size = 1
    """The number of groups that the channels are split into. Each output channel reads only its own group."""
    kernel_init: Initializer = GlorotUniform()
    """How the kernel starts."""

    @model_validator(mode="after")
    def _groups_divide_filters(self) -> Self:
        if self.filters % self.groups:
            message = "{filters} filters do not divide into {groups} groups"
            raise at("groups", "together", message, filters=self.filters, groups=self.groups)
        return self


class Conv1D(Convolution):
    """A convolution over one axis: `[N, T, c_in]` gives `[N, T', filters]`."""

    rank: ClassVar[int] = 1
    type: Literal["conv1d"] = "conv1d"
    padding: CausalPadding = "valid"  # type: ignore[assignment]
    """What is added at the borders: valid (nothing), same (stride 1 keeps the size), same_upper, same_lower,
    causal (all of it before the first cell), or [[low, high]]; see [paddings](#paddings).
    """


class Conv2D(Convolution):
    """A convolution over two axes: `[N, H, W, c_in]` gives `[N, H', W', filters]`."""

    rank: ClassVar[int] = 2
    type: Literal["conv2d"] = "conv2d"


class Conv3D(Convolution):
    """A convolution over three axes: `[N, D, H, W, c_in]` gives `[N, D', H', W', filters]`."""

    rank: ClassVar[int] = 3
    type: Literal["conv3d"] = "conv3d"


class _Depthwise(KernelLayer):
    depth_multiplier: Size = 1
    """How many output channels each input channel has. Those of one input channel are adjacent."""


class DepthwiseConvolution(_Depthwise):
    """Cross-correlation of each channel with its own kernels, plus bias, then an activation.

    Parameters: `kernel [*kernel_size, c_in, depth_multiplier]`, `bias [c_in · depth_multiplier]`.
    """

    kernel_init: Initializer = GlorotUniform()
    """How the kernel starts."""


class SeparableConvolution(_Depthwise):
    """A depthwise convolution, then a linear combination of its channels at each cell, plus bias, then an activation.

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
    """What is added at the borders: valid (nothing), same (stride 1 keeps the size), same_upper, same_lower,
    causal (all of it before the first cell), or [[low, high]]; see [paddings](#paddings).
    """


class DepthwiseConv2D(DepthwiseConvolution):
    """A depthwise convolution over two axes: `[N, H, W, c_in]` gives `[N, H', W', c_in · depth_multiplier]`."""

    rank: ClassVar[int] = 2
    type: Literal["depthwise_conv2d"] = "depthwise_conv2d"


class SeparableConv1D(SeparableConvolution):
    """A separable convolution over one axis: `[N, T, c_in]` gives `[N, T', filters]`."""

    rank: ClassVar[int] = 1
    type: Literal["separable_conv1d"] = "separable_conv1d"
    padding: CausalPadding = "valid"  # type: ignore[assignment]
    """What is added at the borders: valid (nothing), same (stride 1 keeps the size), same_upper, same_lower,
    causal (all of it before the first cell), or [[low, high]]; see [paddings](#paddings).
    """


class SeparableConv2D(SeparableConvolution):
    """A separable convolution over two axes: `[N, H, W, c_in]` gives `[N, H', W', filters]`."""

    rank: ClassVar[int] = 2
    type: Literal["separable_conv2d"] = "separable_conv2d"


LAYERS = (
    Conv1D,
    Conv2D,
    Conv3D,
    DepthwiseConv1D,
    DepthwiseConv2D,
    SeparableConv1D,
    SeparableConv2D,
)
