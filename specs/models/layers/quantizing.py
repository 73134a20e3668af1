"""Layers that simulate the arithmetic of quantized networks."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from ..base import Axis, Flag, Integer, Positive, at
from .base import LayerSpec


class FakeQuantize(LayerSpec):
    """Rounds floats to the values that a quantized network can represent: x becomes scale·(q − zero_point) with q =
    round(x / scale) + zero_point, rounded half to even and clipped to the range of `bits`.

    Training uses the straight-through estimator: the gradient passes unchanged where q is not clipped, and is 0
    elsewhere. Without `scale`, the scale and the zero point are stored with the weights: statistics `scale` and
    `zero_point`, `[]`, or `[C]` with `axis`.
    """

    has_parameters: ClassVar[bool] = True

    type: Literal["fake_quantize"] = "fake_quantize"
    scale: Positive | Annotated[tuple[Positive, ...], Field(min_length=1)] | None = None
    """The distance between two values: one number, or with `axis` one for each of its cells."""
    zero_point: Integer | Annotated[tuple[Integer, ...], Field(min_length=1)] = 0
    """The integer that represents 0: one, or with `axis` one for each of its cells."""
    bits: Annotated[Integer, Field(ge=2, le=16)] = 8
    """The number of bits of the integers."""
    signed: Flag = True
    """Whether the integers range from −2^(bits−1) to 2^(bits−1) − 1, or from 0 to 2^bits − 1."""
    axis: Axis | None = None
    """The axis whose cells each have a scale and zero point."""

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
