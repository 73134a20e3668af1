"""Augmentation: changes that samples undergo in training, drawn anew in each epoch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .base import NonNegative, Number, Positive, Size, SpecModel, by_name

Share = Annotated[Number, Field(gt=0, le=1)]
Chance = Annotated[Number, Field(ge=0, le=1)]
SampleAxis = Annotated[int, Field(strict=True, ge=1, le=7)]


class AugmentationSpec(SpecModel):
    """Base of the changes."""


class ShiftAugmentation(AugmentationSpec):
    """Moves a sample along its first axes, by whole cells up to a number in either direction. What comes in is zero; an
    input with `lengths` is moved within its length.
    """

    type: Literal["shift"] = "shift"
    by: Annotated[tuple[NonNegative, ...], Field(min_length=1, max_length=7)]
    """The greatest distance along each axis after the batch, which is the first: `[2, 2]` for rows and columns of
    images, `[800]` for sound.
    """


class FlipAugmentation(AugmentationSpec):
    """Reverses an axis of some samples."""

    type: Literal["flip"] = "flip"
    axis: SampleAxis = 2
    """The axis, the batch being 0: in images, 2 exchanges left and right, 1 top and bottom."""
    chance: Chance = 0.5
    """The share of samples that are reversed."""


class CropAugmentation(AugmentationSpec):
    """Cuts a part out of an image and enlarges it (bilinear) to the image's size."""

    type: Literal["crop"] = "crop"
    least: Share = 0.8
    """The least share of the rows, and of the columns, that is kept."""


class NoiseAugmentation(AugmentationSpec):
    """Adds normally distributed numbers. Images of whole numbers stay whole, in the range of their type."""

    type: Literal["noise"] = "noise"
    deviation: Positive
    """Their standard deviation, in the units of the data."""


class MaskAugmentation(AugmentationSpec):
    """Sets random stretches of an axis to zero, as SpecAugment does with times and frequencies (Park et al., 2019)."""

    type: Literal["mask"] = "mask"
    axis: SampleAxis = 1
    """The axis, the batch being 0: of sequences, 1 counts steps, 2 features."""
    most: Size
    """The greatest length of a stretch. Each length from 0 on is as likely."""
    count: Size = 1
    """How many stretches."""


AnyAugmentation = (
    ShiftAugmentation | FlipAugmentation | CropAugmentation | NoiseAugmentation | MaskAugmentation
)
Augmentation = Annotated[AnyAugmentation, Field(discriminator="type"), by_name(AnyAugmentation)]
