"""Layers that compute with numbers as a quantized network has them."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from ..base import Axis, Flag, Integer, Positive, at
from .base import LayerSpec


class FakeQuantize(LayerSpec):
    """Floats as a quantized network has them: x becomes scale·(q − zero_point) with the whole number
    q = round(x / scale) + zero_point, of two equally near ones the even one, held within what `bits` can say.

    Training sees through it (straight-through estimator): where q is not cut off the gradient passes as it is, else it
    is 0. Without `scale`, the scale and the zero point are kept with the weights: statistics `scale` and `zero_point`,
    `[]`, or `[C]` with `axis`.
    """

    has_parameters: ClassVar[bool] = True

    type: Literal["fake_quantize"] = "fake_quantize"
    scale: Positive | Annotated[tuple[Positive, ...], Field(min_length=1)] | None = None
    """How far whole numbers are apart: one number, or with `axis` one for each cell of it."""
    zero_point: Integer | Annotated[tuple[Integer, ...], Field(min_length=1)] = 0
    """The whole number that stands for 0: one, or with `axis` one for each cell of it."""
    bits: Annotated[Integer, Field(ge=2, le=16)] = 8
    """How many bits a whole number has."""
    signed: Flag = True
    """Whether whole numbers go from −2^(bits−1) to 2^(bits−1) − 1, or from 0 to 2^bits − 1."""
    axis: Axis | None = None
    """The axis whose cells have scales of their own."""

    @model_validator(mode="after")
    def _lists_need_an_axis(self) -> Self:
        for key in ("scale", "zero_point"):
            if isinstance(getattr(self, key), tuple) and self.axis is None:
                raise at(key, "together", "several numbers need the axis whose cells they belong to", key=key)
        if self.scale is None and "zero_point" in self.model_fields_set:
            raise at(
                "zero_point", "together", "it is kept with the weights where the scale is; give scale as well"
            )
        return self


LAYERS = (FakeQuantize,)
