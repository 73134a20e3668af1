"""Pools over windows, and over all spatial axes."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ..base import Flag, Size
from .base import LayerSpec
from .window import CausalPadding, Padding, PerAxis, WindowLayer


class Pool(WindowLayer):
    """One value per window and channel, without parameters."""

    pool_size: PerAxis
    """The window's size."""
    stride: PerAxis | None = None
    """How far the window moves; by default its size."""
    padding: Padding = "valid"  # type: ignore[assignment]
    """What is added at the borders: valid (nothing), same (stride 1 keeps the size), same_upper, same_lower,
    or [[low, high], …]; see [paddings](#paddings). Cells that are added do not count.
    """
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

    Port: `indices`, its position in the input, the first of equal ones, counted in row-major order over the spatial
    axes (int64).
    """

    def ports(self) -> tuple[str, ...]:
        return ("indices",)


class MeanPool(Pool):
    """The mean of each window and channel."""

    count_include_pad: Flag = False
    """Whether padded cells count as zeros. Otherwise the mean is over the cells that exist."""


class MaxPool1D(MaxPool):
    """The largest value of each window over one axis."""

    rank: ClassVar[int] = 1
    type: Literal["max_pool1d"] = "max_pool1d"
    padding: CausalPadding = "valid"  # type: ignore[assignment]
    """What is added at the borders: valid (nothing), same (stride 1 keeps the size), same_upper, same_lower,
    causal (all of it before the first cell), or [[low, high]]; see [paddings](#paddings).
    Padded cells do not count.
    """


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
    """What is added at the borders: valid (nothing), same (stride 1 keeps the size), same_upper, same_lower,
    causal (all of it before the first cell), or [[low, high]]; see [paddings](#paddings).
    Padded cells do not count.
    """


class MeanPool2D(MeanPool):
    """The mean of each window over two axes."""

    rank: ClassVar[int] = 2
    type: Literal["mean_pool2d"] = "mean_pool2d"


class MeanPool3D(MeanPool):
    """The mean of each window over three axes."""

    rank: ClassVar[int] = 3
    type: Literal["mean_pool3d"] = "mean_pool3d"


class GlobalPool(LayerSpec):
    """One value per channel."""

    keepdims: Flag = False
    """Whether to keep the spatial axes, with size 1: `[N, 1, 1, C]` for images."""


class GlobalMaxPool(GlobalPool):
    """The largest value of each channel over all spatial axes: `[N, *spatial, C]` gives `[N, C]`."""

    type: Literal["global_max_pool"] = "global_max_pool"


class GlobalMeanPool(GlobalPool):
    """The mean of each channel over all spatial axes: `[N, *spatial, C]` gives `[N, C]`."""

    type: Literal["global_mean_pool"] = "global_mean_pool"


Exponent = Annotated[Size, Field(le=100)]


class LpPool(Pool):
    """(Σ|x|^p)^(1/p) of each window and channel, over the cells that exist."""

    p: Exponent = 2
    """The exponent of the norm."""


class LpPool1D(LpPool):
    """The p-norm of each window over one axis."""

    rank: ClassVar[int] = 1
    type: Literal["lp_pool1d"] = "lp_pool1d"
    padding: CausalPadding = "valid"  # type: ignore[assignment]
    """What is added at the borders: valid (nothing), same (stride 1 keeps the size), same_upper, same_lower,
    causal (all of it before the first cell), or [[low, high]]; see [paddings](#paddings).
    Padded cells do not count.
    """


class LpPool2D(LpPool):
    """The p-norm of each window over two axes."""

    rank: ClassVar[int] = 2
    type: Literal["lp_pool2d"] = "lp_pool2d"


class LpPool3D(LpPool):
    """The p-norm of each window over three axes."""

    rank: ClassVar[int] = 3
    type: Literal["lp_pool3d"] = "lp_pool3d"


class GlobalLpPool(GlobalPool):
    """The p-norm of each channel over all spatial axes: `[N, *spatial, C]` gives `[N, C]`."""

    type: Literal["global_lp_pool"] = "global_lp_pool"
    p: Exponent = 2
    """The exponent of the norm."""


LAYERS = (
    MaxPool1D,
    MaxPool2D,
    MaxPool3D,
    MeanPool1D,
    MeanPool2D,
    MeanPool3D,
    GlobalMaxPool,
    GlobalMeanPool,
    LpPool1D,
    LpPool2D,
    LpPool3D,
    GlobalLpPool,
)
