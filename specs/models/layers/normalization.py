"""Normalizations, dropout, and the preprocessing that is part of a network: rescale, standardize."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from ..base import Axis, Flag, NonNegativeNumber, Number, Positive, Probability, Size, at
from ..initializers import Initializer, Ones, Zeros
from .base import LayerSpec
from .values import Axes


class BatchNorm(LayerSpec):
    """gamma·(x − mean) / sqrt(variance + epsilon) + beta for each channel (the last axis).

    In training mean and (biased) variance are the batch's, over all other axes, and the running statistics
    move: new = momentum·old + (1 − momentum)·batch. In prediction the running statistics are used.
    Parameters: `gamma [C]`, `beta [C]`; statistics: `mean [C]`, `variance [C]`.
    """

    has_parameters: ClassVar[bool] = True

    type: Literal["batch_norm"] = "batch_norm"
    epsilon: Positive = 1e-5
    """Added to the variance."""
    momentum: Annotated[Number, Field(ge=0, le=1)] = 0.9
    """The weight of the old running statistics."""
    center: Flag = True
    """Whether beta is added."""
    scale: Flag = True
    """Whether gamma multiplies."""
    beta_init: Initializer = Zeros()
    """How beta starts."""
    gamma_init: Initializer = Ones()
    """How gamma starts."""


class LayerNorm(LayerSpec):
    """gamma·(x − mean) / sqrt(variance + epsilon) + beta, mean and (biased) variance over the last axes.

    Parameters: `gamma` and `beta`, of the normalized axes' shape: `[C]`. Ports: `mean` and `inv_stddev`, the
    statistics, those axes of size 1.
    """

    has_parameters: ClassVar[bool] = True

    type: Literal["layer_norm"] = "layer_norm"
    axis: Axis = -1
    """The first of the normalized axes; they go on to the last."""
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
    """The first of the normalized axes; they go on to the last."""
    epsilon: Positive = 1e-5
    """Added to the mean of the squares."""
    scale: Flag = True
    """Whether gamma multiplies."""
    gamma_init: Initializer = Ones()
    """How gamma starts."""


class GroupNorm(LayerSpec):
    """Channels in groups; each group of each sample is normalized by its own mean and (biased) variance over its
    channels and all spatial axes, then gamma·x + beta for each channel (Wu and He, 2018).

    Parameters: `gamma [C]`, `beta [C]`.
    """

    has_parameters: ClassVar[bool] = True

    type: Literal["group_norm"] = "group_norm"
    groups: Size
    """How many groups the channels make."""
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
    """Each channel of each sample is normalized by its own mean and (biased) variance over all spatial axes, then
    gamma·x + beta for each channel (Ulyanov, Vedaldi and Lempitsky, 2016).

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
    """How many channels are summed: ⌊(size − 1)/2⌋ before, the rest after."""
    alpha: Number = 1e-4
    """The weight of the mean square."""
    beta: Number = 0.75
    """The exponent."""
    bias: Number = 1.0
    """What is added to it."""


class LpNorm(LayerSpec):
    """x / (Σ|x|^p)^(1/p) along an axis; 0 where the norm is 0."""

    type: Literal["lp_norm"] = "lp_norm"
    axis: Axis = -1
    """The axis whose norm becomes 1."""
    p: Literal[1, 2] = 2
    """Which norm."""


class MeanVarianceNorm(LayerSpec):
    """(x − mean) / (stddev + epsilon), mean and (biased) standard deviation over axes, without parameters."""

    type: Literal["mean_variance_norm"] = "mean_variance_norm"
    axes: Axes | None = None
    """The axes over which they are; all but the channels when left out."""
    epsilon: NonNegativeNumber = 1e-9
    """Added to the standard deviation."""


class Dropout(LayerSpec):
    """In training sets each element to 0 with probability `rate` and divides the others by 1 − rate; else
    does nothing.
    """

    type: Literal["dropout"] = "dropout"
    rate: Probability
    """The probability of an element to be dropped."""


class Rescale(LayerSpec):
    """x·scale + offset, as float; for raw inputs such as pixels 0 … 255 (`scale: 0.00392156862745098`)."""

    type: Literal["rescale"] = "rescale"
    scale: Number = 1.0
    """The factor."""
    offset: Number = 0.0
    """What is added after scaling."""


class Standardize(LayerSpec):
    """(x − mean) / stddev for each channel (the last axis).

    With constants in the spec these are used; without, they are fitted on the training data before training
    and stored with the weights: statistics `mean [C]`, `stddev [C]`. A fitted stddev of 0 counts as 1.
    """

    type: Literal["standardize"] = "standardize"
    mean: Number | Annotated[tuple[Number, ...], Field(min_length=1)] | None = None
    """A constant, one constant a channel, or fitted when left out."""
    stddev: Positive | Annotated[tuple[Positive, ...], Field(min_length=1)] | None = None
    """A constant, one constant a channel, or fitted when left out."""

    @property
    def fitted(self) -> bool:
        """Whether mean and stddev come from the training data."""
        return self.mean is None

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.mean is None) != (self.stddev is None):
            given, missing = ("stddev", "mean") if self.mean is None else ("mean", "stddev")
            raise at(
                given,
                "together",
                "{given} also needs {missing}; leave both out to fit them",
                given=given,
                missing=missing,
            )
        return self
