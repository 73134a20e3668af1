"""Resizing by interpolation, axis by axis."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from ..base import DimExpression, Flag, Number, Positive, Size, at
from .base import LayerSpec
from .key_types import Axes, listed
from .window import PerAxis, one_per_axis

_MANY = Field(min_length=1, max_length=8)


Scales = Annotated[
    tuple[Positive, ...], _MANY, BeforeValidator(listed, json_schema_input_type=Positive | list[Positive])
]


Sizes = Annotated[
    tuple[DimExpression, ...],
    _MANY,
    BeforeValidator(listed, json_schema_input_type=DimExpression | list[DimExpression]),
]


class Resize(LayerSpec):
    """The input at another resolution, by nearest, linear or cubic interpolation along each axis (as ONNX's
    Resize has it).

    With output cell i, input size L, output size O and scale s = O/L, the input coordinate is for `coordinates`
    half_pixel (i + ½)/s − ½; half_pixel_symmetric the same about the middle of the exact size s·L;
    pytorch_half_pixel the same, −½ where O is 1; align_corners i·(L − 1)/(O − 1); asymmetric i/s;
    tf_half_pixel_for_nn (i + ½)/s; crop_and_resize i·(end − start)·(L − 1)/(O − 1) + start·(L − 1).
    """

    type: Literal["resize"] = "resize"
    scales: Scales | None = None
    """The scale of each axis: O = ⌊s·L⌋."""
    sizes: Sizes | None = None
    """The output size of each axis."""
    axes: Axes | None = None
    """The axes to resize; by default the spatial ones."""
    mode: Literal["nearest", "linear", "cubic"] = "nearest"
    """How values between cells are interpolated."""
    coordinates: Literal[
        "half_pixel",
        "half_pixel_symmetric",
        "pytorch_half_pixel",
        "align_corners",
        "asymmetric",
        "tf_half_pixel_for_nn",
        "crop_and_resize",
    ] = "half_pixel"
    """The input coordinate of an output cell."""
    nearest: Literal["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"] = "round_prefer_floor"
    """How a coordinate is rounded to the nearest cell."""
    cubic_coefficient: Number = -0.75
    """The coefficient a of the cubic kernel (Keys, 1981)."""
    exclude_outside: Flag = False
    """Whether cells outside get no weight, and the others more. Otherwise the border cells take their place."""
    antialias: Flag = False
    """Whether to widen the kernel where the output is smaller."""
    roi: Annotated[tuple[tuple[Number, Number], ...], Field(max_length=8)] | None = None
    """For crop_and_resize: start and end on each axis, as fractions from 0 to 1."""
    extrapolation_value: Number = 0.0
    """For crop_and_resize: the value outside the input."""
    keep_aspect_ratio: Literal["stretch", "not_larger", "not_smaller"] = "stretch"
    """With `sizes`: stretch uses them as they are. The others use one scale for all axes, such that no size gets larger
    (smaller) than given.
    """

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if (self.scales is None) == (self.sizes is None):
            raise at("type", "together", "resize takes scales or sizes")
        if (self.roi is not None) != (self.coordinates == "crop_and_resize"):
            raise at("coordinates", "together", "roi and coordinates: crop_and_resize go together")
        if self.keep_aspect_ratio != "stretch" and self.sizes is None:
            raise at("keep_aspect_ratio", "together", "keep_aspect_ratio is for sizes")
        if self.antialias and self.mode == "nearest":
            raise at("antialias", "together", "antialias is for linear and cubic")
        return self


class UpSampling(LayerSpec):
    """Repeats each cell along the spatial axes."""

    rank: ClassVar[int]
    """The number of spatial axes."""

    size: PerAxis = 2  # type: ignore[assignment]
    """How often each cell is repeated."""
    interpolation: Any = "nearest"
    """nearest: the same value again."""

    @field_validator("size", mode="before", json_schema_input_type=Size | list[Size])
    @classmethod
    def _one_per_axis(cls, value: Any) -> Any:
        return one_per_axis(value, cls.rank)


class UpSampling1D(UpSampling):
    """Repeats each step: `[N, T, C]` gives `[N, size·T, C]`."""

    rank: ClassVar[int] = 1
    type: Literal["up_sampling1d"] = "up_sampling1d"
    interpolation: Literal["nearest"] = "nearest"
    """nearest: the same value again."""


class UpSampling2D(UpSampling):
    """Repeats each cell: `[N, H, W, C]` gives `[N, size·H, size·W, C]`."""

    rank: ClassVar[int] = 2
    type: Literal["up_sampling2d"] = "up_sampling2d"
    interpolation: Literal["nearest", "bilinear"] = "nearest"
    """nearest: the same value again; bilinear: interpolated between the centres of cells, the border's value
    outside.
    """


class UpSampling3D(UpSampling):
    """Repeats each cell: `[N, D, H, W, C]` gives `[N, size·D, size·H, size·W, C]`."""

    rank: ClassVar[int] = 3
    type: Literal["up_sampling3d"] = "up_sampling3d"
    interpolation: Literal["nearest"] = "nearest"
    """nearest: the same value again."""


LAYERS = (
    Resize,
    UpSampling1D,
    UpSampling2D,
    UpSampling3D,
)
