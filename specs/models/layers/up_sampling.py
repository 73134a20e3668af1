"""Up-sampling by whole factors, in Keras' words; `resize` has all other ways."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import field_validator

from ..base import Size
from .base import LayerSpec
from .window import PerAxis, one_per_axis


class UpSampling(LayerSpec):
    """Each cell several times along each spatial axis."""

    rank: ClassVar[int]
    """The number of spatial axes."""

    size: PerAxis = 2  # type: ignore[assignment]
    """How many cells each becomes."""
    interpolation: Any = "nearest"
    """nearest: the same value again."""

    @field_validator("size", mode="before", json_schema_input_type=Size | list[Size])
    @classmethod
    def _one_per_axis(cls, value: Any) -> Any:
        return one_per_axis(value, cls.rank)


class UpSampling1D(UpSampling):
    """Each step several times: `[N, T, C]` gives `[N, size·T, C]`."""

    rank: ClassVar[int] = 1
    type: Literal["up_sampling1d"] = "up_sampling1d"
    interpolation: Literal["nearest"] = "nearest"
    """nearest: the same value again."""


class UpSampling2D(UpSampling):
    """Each cell several times: `[N, H, W, C]` gives `[N, size·H, size·W, C]`."""

    rank: ClassVar[int] = 2
    type: Literal["up_sampling2d"] = "up_sampling2d"
    interpolation: Literal["nearest", "bilinear"] = "nearest"
    """nearest: the same value again; bilinear: between neighbouring cells' centres, the border's value outside."""


class UpSampling3D(UpSampling):
    """Each cell several times: `[N, D, H, W, C]` gives `[N, size·D, size·H, size·W, C]`."""

    rank: ClassVar[int] = 3
    type: Literal["up_sampling3d"] = "up_sampling3d"
    interpolation: Literal["nearest"] = "nearest"
    """nearest: the same value again."""
