"""Transposed convolutions, which map a convolution's output size back to its input size."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import field_validator

from ..base import NonNegative
from .conv import Convolution
from .window import Padding, one_per_axis


class ConvTranspose(Convolution):
    """Each input cell adds its value times the kernel to the output, at `stride` times its position; then bias
    and activation.

    O = (I − 1)·stride + (kernel_size − 1)·dilation + 1 − low − high + output_padding, where `padding` cuts low
    and high cells off: none for valid; for same_upper and same_lower so many that O = I·stride.
    Parameters: `kernel [*kernel_size, c_in / groups, filters]`, `bias [filters]`.
    """

    padding: Padding = "valid"  # type: ignore[assignment]
    """What is cut off the output at the borders: valid (nothing), same (O = (I − 1)·stride + 1), same_upper and
    same_lower (O = I·stride), or [[low, high], …].
    """
    output_padding: tuple[NonNegative, ...] = 0  # type: ignore[assignment]
    """How many cells are appended at the end; only a part of the kernel reaches them."""

    @field_validator("output_padding", mode="before", json_schema_input_type=int | list[int])
    @classmethod
    def _output_padding_per_axis(cls, value: object) -> object:
        return one_per_axis(value, cls.rank)


class ConvTranspose1D(ConvTranspose):
    """A transposed convolution over one axis: `[N, T, c_in]` gives `[N, T', filters]`."""

    rank: ClassVar[int] = 1
    type: Literal["conv_transpose1d"] = "conv_transpose1d"


class ConvTranspose2D(ConvTranspose):
    """A transposed convolution over two axes: `[N, H, W, c_in]` gives `[N, H', W', filters]`."""

    rank: ClassVar[int] = 2
    type: Literal["conv_transpose2d"] = "conv_transpose2d"


class ConvTranspose3D(ConvTranspose):
    """A transposed convolution over three axes: `[N, D, H, W, c_in]` gives `[N, D', H', W', filters]`."""

    rank: ClassVar[int] = 3
    type: Literal["conv_transpose3d"] = "conv_transpose3d"


LAYERS = (
    ConvTranspose1D,
    ConvTranspose2D,
    ConvTranspose3D,
)
