"""Normalization by the statistics of each sample."""

from __future__ import annotations

from typing import ClassVar, Literal

from ..base import Axis, Flag, NonNegativeNumber, Number, Positive, Size
from ..initializers import Initializer, Ones, Zeros
from .base import LayerSpec
from .key_types import Axes


class LayerNorm(LayerSpec):
    """gamma·(x − mean) / sqrt(variance + epsilon) + beta, mean and (biased) variance over the last axes.

    Parameters: `gamma` and `beta`, of the normalized axes' shape: `[C]`. Ports: `mean` and `inv_stddev`, the
    statistics, those axes of size 1.
    """

    has_parameters: ClassVar[bool] = True

    type: Literal["layer_norm"] = "layer_norm"
    axis: Axis = -1
    """The first of the axes to normalize; the others follow up to the last."""
    epsilon: Positive = 1e-5
    """Added to the variance."""
    center: Flag = True
    """Whether beta is added."""
    scale: Flag = True
    """Whether gamma multiplies."""
    beta_init: Initializer = Zeros()
    """How beta starts."""
    gamma_init: Initializer = Ones()
    """How gamma starts."""

    def ports(self) -> tuple[str, ...]:
        return ("mean", "inv_stddev")


class RmsNorm(LayerSpec):
    """gamma·x / sqrt(mean of x² + epsilon), the mean over the last axes (Zhang and Sennrich, 2019).

    Parameter: `gamma`, of the normalized axes' shape: `[C]`.
    """

    has_parameters: ClassVar[bool] = True

    type: Literal["rms_norm"] = "rms_norm"
    axis: Axis = -1
    """The first of the axes to normalize; the others follow up to the last."""
    epsilon: Positive = 1e-5
    """Added to the mean of the squares."""
    scale: Flag = True
    """Whether gamma multiplies."""
    gamma_init: Initializer = Ones()
    """How gamma starts."""


class GroupNorm(LayerSpec):
    """Normalizes groups of channels: each group of each sample by its own mean and (biased) variance over its channels
    and all spatial axes, then gamma·x + beta for each channel (Wu and He, 2018).

    Parameters: `gamma [C]`, `beta [C]`.
    """

    has_parameters: ClassVar[bool] = True

    type: Literal["group_norm"] = "group_norm"
    groups: Size
    """The number of groups that the channels are split into."""
    epsilon: Positive = 1e-5
    """Added to the variance."""
    center: Flag = True
    """Whether beta is added."""
    scale: Flag = True
    """Whether gamma multiplies."""
    beta_init: Initializer = Zeros()
    """How beta starts."""
    gamma_init: Initializer = Ones()
    """How gamma starts."""


class InstanceNorm(LayerSpec):
    """Normalizes each channel of each sample by its own mean and (biased) variance over all spatial axes, then gamma·x
    + beta for each channel (Ulyanov, Vedaldi and Lempitsky, 2016).

    Parameters: `gamma [C]`, `beta [C]`.
    """

    has_parameters: ClassVar[bool] = True

    type: Literal["instance_norm"] = "instance_norm"
    epsilon: Positive = 1e-5
    """Added to the variance."""
    center: Flag = True
    """Whether beta is added."""
    scale: Flag = True
    """Whether gamma multiplies."""
    beta_init: Initializer = Zeros()
    """How beta starts."""
    gamma_init: Initializer = Ones()
    """How gamma starts."""


class LocalResponseNorm(LayerSpec):
    """x / (bias + alpha/size·Σ x²)^beta, the sum over `size` neighbouring channels (Krizhevsky et al., 2012)."""

    type: Literal["lrn"] = "lrn"
    size: Size
    """How many channels are summed: ⌊(size − 1)/2⌋ before the channel, itself, and the rest after it."""
    alpha: Number = 1e-4
    """The weight of the mean square."""
    beta: Number = 0.75
    """The exponent."""
    bias: Number = 1.0
    """Added to the weighted mean square."""


class LpNorm(LayerSpec):
    """x / (Σ|x|^p)^(1/p) along an axis; 0 where the norm is 0."""

    type: Literal["lp_norm"] = "lp_norm"
    axis: Axis = -1
    """The axis along which the norm is taken."""
    p: Literal[1, 2] = 2
    """The exponent of the norm."""


class MeanVarianceNorm(LayerSpec):
    """(x − mean) / (stddev + epsilon), mean and (biased) standard deviation over axes, without parameters."""

    type: Literal["mean_variance_norm"] = "mean_variance_norm"
    axes: Axes | None = None
    """The axes to average over; by default all but the channels."""
    epsilon: NonNegativeNumber = 1e-9
    """Added to the standard deviation."""


LAYERS = (
    LayerNorm,
    RmsNorm,
    GroupNorm,
    InstanceNorm,
    LocalResponseNorm,
    LpNorm,
    MeanVarianceNorm,
)
