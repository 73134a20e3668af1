"""Scanning: one sub-network on every window of a signal or image, and the windows' answers combined.

Loading expands `scan_window` to `windows`, the sub-network's own layers, and `combine_windows`.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from ..base import Name, Size, at
from .base import LayerSpec

PerAxis = Size | Annotated[tuple[Size, ...], Field(min_length=1, max_length=3)]


class _Scanning(LayerSpec):
    window: PerAxis
    """The window's size: a number for all axes, or a list with one for each."""
    stride: PerAxis = 1
    """How far the window moves."""


class Windows(_Scanning):
    """Turns every window into a sample: `[N, *S, C]` gives `[N·cells, *window, C]`."""

    type: Literal["windows"] = "windows"


Combine = Literal["max", "mean", "softmax", "logistic", "none"]


class _Combining(_Scanning):
    combine: Combine = "none"
    """How to combine the windows' answers: their max, their mean, softmax (their mean weighted by their softmax, a
    smooth max), logistic (a logistic unit over all of them), or none (all are kept, one per window).
    """


class CombineWindows(_Combining):
    """Puts the answers for `windows`, `[N·cells, *R]`, back in their places, `[N, *cells, *R]`, or combines them to
    `[N, *R]`.

    The second input is the one that was scanned, with the same window and stride. Parameters with combine: logistic:
    `kernel [*cells, *R]`, `bias [*R]`.
    """

    arity: ClassVar[tuple[int, int | None]] = (2, 2)
    has_parameters: ClassVar[bool] = True
    type: Literal["combine_windows"] = "combine_windows"


class ScanWindow(_Combining):
    """Applies a sub-network to every window of a signal `[N, T, C]` or image `[N, H, W, C]`, with shared parameters.

    The sub-network is given in `layers`, or as a block in `use`. Its layers are called `name.layer`, or
    `name.net.layer` for a block; they read the windows by the name `input`. A dense layer that reads a flattened window
    is computed as a convolution.
    """

    has_parameters: ClassVar[bool] = True
    type: Literal["scan_window"] = "scan_window"
    layers: Annotated[tuple[dict[str, Any], ...], Field(min_length=1)] | None = None
    """The sub-network's layers."""
    use: Name | None = None
    """The block that is the sub-network."""
    with_: Annotated[dict[Name, Any] | None, Field(alias="with")] = None
    """The values of the block's arguments."""

    @model_validator(mode="after")
    def _one_network(self) -> Self:
        if (self.layers is None) == (self.use is None):
            message = "a scan has layers or uses a block" + (", not both" if self.layers else "")
            raise at("layers" if self.layers else "type", "together", message)
        if self.with_ is not None and self.use is None:
            raise at("with", "together", "with gives the arguments of a block, and this uses none")
        return self


LAYERS = (
    Windows,
    CombineWindows,
    ScanWindow,
)
