"""Pools by a p-norm, over windows and over everything."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ..base import Size
from .base import LayerSpec
from .window import CausalPadding, Pool

Exponent = Annotated[Size, Field(le=100)]


class LpPool(Pool):
    """(Σ|x|^p)^(1/p) of each window and channel, over the cells that exist."""

    p: Exponent = 2
    """Which norm."""


class LpPool1D(LpPool):
    """The p-norm of each window over one axis."""

    rank: ClassVar[int] = 1
    type: Literal["lp_pool1d"] = "lp_pool1d"
    padding: CausalPadding = "valid"  # type: ignore[assignment]
    """valid, same, same_upper, same_lower, [[low, high]], or causal: everything before the first cell. Padded cells do
    not count."""


class LpPool2D(LpPool):
    """The p-norm of each window over two axes."""

    rank: ClassVar[int] = 2
    type: Literal["lp_pool2d"] = "lp_pool2d"


class LpPool3D(LpPool):
    """The p-norm of each window over three axes."""

    rank: ClassVar[int] = 3
    type: Literal["lp_pool3d"] = "lp_pool3d"


class GlobalLpPool(LayerSpec):
    """The p-norm of each channel over all spatial axes: `[N, *spatial, C]` gives `[N, C]`."""

    type: Literal["global_lp_pool"] = "global_lp_pool"
    p: Exponent = 2
    """Which norm."""
