"""Layers that slide a window over spatial axes: convolutions and pools, in one, two and three dimensions.

Data are `[N, *spatial, C]`, kernels `[*kernel_size, c_in / groups, filters]`. A scalar stands for all spatial
axes, a list gives one value an axis; the validated models always hold one value an axis.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

from pydantic import field_validator, model_validator
from pydantic_core import PydanticCustomError

from ..activations import Activation, Linear
from ..base import Flag, NonNegative, Size, at
from ..initializers import GlorotUniform, Initializer, Zeros
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
    """One value stands for all spatial axes. Raises PydanticCustomError for another number of values."""
    if isinstance(value, list | tuple):
        return _checked_length(value, rank)
    return value if value is None else (value,) * rank


def _checked_length(value: list | tuple, rank: int) -> list | tuple:
    if len(value) != rank:
        message = "expected {rank} values, one for each spatial axis, found {count}"
        raise PydanticCustomError("axes", message, {"rank": rank, "count": len(value)})
    return value


class KernelLayer(WindowLayer):
    """Base of the layers with learned kernels: then a bias and an activation."""

    has_parameters: ClassVar[bool] = True

    kernel_size: PerAxis
    """The window's size."""
    stride: PerAxis = 1  # type: ignore[assignment]
    """How far the window moves."""
    padding: Padding = "valid"  # type: ignore[assignment]
    """valid, same, same_upper, same_lower, or [[low, high], …]."""
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


class Convolution(KernelLayer):
    """Cross-correlation with a learned kernel, plus bias, then an activation.

    Parameters: `kernel [*kernel_size, c_in / groups, filters]`, `bias [filters]`.
    """

    filters: Size
    """The number of output channels."""
    groups: Size = 1
    """Channels are split into this many groups that do not see each other."""
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
    """valid, same, same_upper, same_lower, [[low, high]], or causal: everything before the first cell."""


class Conv2D(Convolution):
    """A convolution over two axes: `[N, H, W, c_in]` gives `[N, H', W', filters]`."""

    rank: ClassVar[int] = 2
    type: Literal["conv2d"] = "conv2d"


class Conv3D(Convolution):
    """A convolution over three axes: `[N, D, H, W, c_in]` gives `[N, D', H', W', filters]`."""

    rank: ClassVar[int] = 3
    type: Literal["conv3d"] = "conv3d"


class Pool(WindowLayer):
    """One value for each window and channel, without parameters."""

    pool_size: PerAxis
    """The window's size."""
    stride: PerAxis | None = None
    """How far the window moves; the window's size when left out."""
    padding: Padding = "valid"  # type: ignore[assignment]
    """valid, same, same_upper, same_lower, or [[low, high], …]. Padded cells do not count."""
    dilation: PerAxis = 1  # type: ignore[assignment]
    """The distance between the window's cells."""
    rounding: Literal["ceil", "floor"] = "ceil"
    """ceil: ⌈(N−F)/S⌉+1 windows, the last cut at the border; floor: only windows that fit whole."""

    @property
    def window(self) -> tuple[int, ...]:
        """The window's size on each axis."""
        return self.pool_size

    @property
    def strides(self) -> tuple[int, ...]:
        """The step on each axis."""
        return self.pool_size if self.stride is None else self.stride

    @property
    def dilations(self) -> tuple[int, ...]:
        """The distance between the window's cells on each axis."""
        return self.dilation


class MaxPool(Pool):
    """The largest value of each window and channel.

    Port: `indices`, where it stands: the first one's position in the input, row by row over the spatial axes
    (int64).
    """

    def ports(self) -> tuple[str, ...]:
        return ("indices",)


class MeanPool(Pool):
    """The mean of each window and channel."""

    count_include_pad: Flag = False
    """Whether padded cells count as zeros; else the mean is over the cells that exist."""


class MaxPool1D(MaxPool):
    """The largest value of each window over one axis."""

    rank: ClassVar[int] = 1
    type: Literal["max_pool1d"] = "max_pool1d"
    padding: CausalPadding = "valid"  # type: ignore[assignment]
    """valid, same, same_upper, same_lower, [[low, high]], or causal: everything before the first cell. Padded cells do
    not count."""


class MaxPool2D(MaxPool):
    """The largest value of each window over two axes."""

    rank: ClassVar[int] = 2
    type: Literal["max_pool2d"] = "max_pool2d"


class MaxPool3D(MaxPool):
    """The largest value of each window over three axes."""

    rank: ClassVar[int] = 3
    type: Literal["max_pool3d"] = "max_pool3d"


class MeanPool1D(MeanPool):
    """The mean of each window over one axis."""

    rank: ClassVar[int] = 1
    type: Literal["mean_pool1d"] = "mean_pool1d"
    padding: CausalPadding = "valid"  # type: ignore[assignment]
    """valid, same, same_upper, same_lower, [[low, high]], or causal: everything before the first cell. Padded cells do
    not count."""


class MeanPool2D(MeanPool):
    """The mean of each window over two axes."""

    rank: ClassVar[int] = 2
    type: Literal["mean_pool2d"] = "mean_pool2d"


class MeanPool3D(MeanPool):
    """The mean of each window over three axes."""

    rank: ClassVar[int] = 3
    type: Literal["mean_pool3d"] = "mean_pool3d"


class GlobalMaxPool(LayerSpec):
    """The largest value of each channel over all spatial axes: `[N, *spatial, C]` gives `[N, C]`."""

    type: Literal["global_max_pool"] = "global_max_pool"


class GlobalMeanPool(LayerSpec):
    """The mean of each channel over all spatial axes: `[N, *spatial, C]` gives `[N, C]`."""

    type: Literal["global_mean_pool"] = "global_mean_pool"
