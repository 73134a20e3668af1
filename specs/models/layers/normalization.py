"""Normalizations, dropout, and the preprocessing that is part of a network: rescale, standardize."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from ..base import Flag, Number, Positive, Probability, at
from ..initializers import Initializer, Ones, Zeros
from .base import LayerSpec


class BatchNorm(LayerSpec):
    """gamma·(x − mean) / sqrt(variance + epsilon) + beta for each channel (the last axis).

    In training, mean and (biased) variance are those of the batch, over all other axes, and the running statistics are
    updated: new = momentum·old + (1 − momentum)·batch. In prediction, the running statistics are used. Parameters:
    `gamma [C]`, `beta [C]`; statistics: `mean [C]`, `variance [C]`.
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


class Dropout(LayerSpec):
    """In training, sets each element to 0 with probability `rate` and divides the others by 1 − rate. In prediction,
    does nothing.
    """

    type: Literal["dropout"] = "dropout"
    rate: Probability
    """The probability that an element is dropped."""


class Rescale(LayerSpec):
    """x·scale + offset in floats, for raw inputs such as pixels from 0 to 255 (`scale: 0.00392156862745098`)."""

    type: Literal["rescale"] = "rescale"
    scale: Number = 1.0
    """The factor."""
    offset: Number = 0.0
    """What is added after scaling."""


class Standardize(LayerSpec):
    """(x − mean) / stddev for each channel (the last axis).

    Both can be constants in the spec. Otherwise they are fitted to the training data before training and stored with
    the weights: statistics `mean [C]`, `stddev [C]`. A fitted stddev of 0 counts as 1.
    """

    type: Literal["standardize"] = "standardize"
    mean: Number | Annotated[tuple[Number, ...], Field(min_length=1)] | None = None
    """A constant, or one constant per channel; fitted by default."""
    stddev: Positive | Annotated[tuple[Positive, ...], Field(min_length=1)] | None = None
    """A constant, or one constant per channel; fitted by default."""

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


LAYERS = (
    BatchNorm,
    Dropout,
    Rescale,
    Standardize,
)
