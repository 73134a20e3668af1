"""Layers that slide a window over spatial axes: convolutions and pools, in one, two and three dimensions.

Data are `[N, *spatial, C]`, kernels `[*kernel_size, c_in / groups, filters]`. In a spec a single value applies to all
spatial axes, a list has one value per axis. The validated models always hold one value per axis.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import field_validator
from pydantic_core import PydanticCustomError

from ..activations import Activation, Linear
from ..base import Flag, NonNegative, Size
from ..initializers import Initializer, Zeros
from .base import LayerSpec

PaddingMode = Literal["valid", "same", "same_upper", "same_lower"]


Pair = tuple[NonNegative, NonNegative]


Padding = tuple[PaddingMode | Pair, ...]


CausalPadding = tuple[PaddingMode | Literal["causal"] | Pair, ...]


PerAxis = tuple[Size, ...]


WrittenPadding = PaddingMode | Literal["causal"] | list[PaddingMode | Literal["causal"] | Pair]


class WindowLayer(LayerSpec):
    """Base of convolutions and pools: a window of `window` cells, `dilations` apart, moved by `strides`."""

    rank: ClassVar[int]
    """The number of spatial axes."""

    @field_validator(
        "kernel_size",
        "pool_size",
        "stride",
        "dilation",
        mode="before",
        check_fields=False,
        json_schema_input_type=Size | list[Size],
    )
    @classmethod
    def _one_per_axis(cls, value: Any) -> Any:
        return one_per_axis(value, cls.rank)

    @field_validator("padding", mode="before", check_fields=False, json_schema_input_type=WrittenPadding)
    @classmethod
    def _padding_per_axis(cls, value: Any) -> Any:
        if isinstance(value, list | tuple):
            return _checked_length(value, cls.rank)
        if isinstance(value, int) and not isinstance(value, bool):
            pairs = ", ".join([f"[{value}, {value}]"] * cls.rank)
            raise PydanticCustomError(
                "padding", "a number alone is no padding: write [{pairs}]", {"pairs": pairs}
            )
        return (value,) * cls.rank


def one_per_axis(value: Any, rank: int) -> Any:
    """Repeats a single value for all spatial axes. Raises PydanticCustomError for a wrong number of values."""
    if isinstance(value, list | tuple):
        return _checked_length(value, rank)
    return value if value is None else (value,) * rank


def _checked_length(value: list | tuple, rank: int) -> list | tuple:
    if len(value) != rank:
        message = "expected {rank} values, one for each spatial axis, found {count}"
        raise PydanticCustomError("axes", message, {"rank": rank, "count": len(value)})
    return value


class KernelLayer(WindowLayer):
    """Base of the layers with learned kernels, followed by a bias and an activation."""

    has_parameters: ClassVar[bool] = True

    kernel_size: PerAxis
    """The window's size."""
    stride: PerAxis = 1  # type: ignore[assignment]
    """How far the window moves."""
    padding: Padding = "valid"  # type: ignore[assignment]
    """What is added at the borders: valid (nothing), same (stride 1 keeps the size), same_upper, same_lower,
    or [[low, high], …]; see [paddings](#paddings).
    """
    dilation: PerAxis = 1  # type: ignore[assignment]
    """The distance between the window's cells."""
    activation: Activation = Linear()
    """The function applied to the result."""
    use_bias: Flag = True
    """Whether a bias is added."""
    bias_init: Initializer = Zeros()
    """How the bias starts."""

    @property
    def window(self) -> tuple[int, ...]:
        """The window's size on each axis, before dilation."""
        return self.kernel_size

    @property
    def strides(self) -> tuple[int, ...]:
        """The step on each axis."""
        return self.stride

    @property
    def dilations(self) -> tuple[int, ...]:
        """The distance between the window's cells on each axis."""
        return self.dilation
