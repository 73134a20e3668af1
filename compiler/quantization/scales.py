"""How numbers become bytes: scale and zero point of data, scales of weights per output channel.

A byte q stands for scale·(q − zero). Data are asymmetric: their range, widened to contain 0, takes all 256 values, and
0 is one of them, so that padding is exact. Weights are symmetric, from −127 to 127, with a scale per output channel
(Jacob et al., Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference, 2018;
Krishnamoorthi, Quantizing deep convolutional networks for efficient inference, 2018).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: The largest quantized weight.
LARGEST = 127


@dataclass(frozen=True, slots=True)
class Quantized:
    """How the data of a product become bytes of ``dtype``, int8 or uint8."""

    scale: float
    zero: int
    dtype: str

    @classmethod
    def of_range(cls, low: float, high: float, dtype: str) -> Quantized:
        """The bytes for numbers from ``low`` to ``high``."""
        low, high = min(low, 0.0), max(high, 0.0)
        scale = float(np.float32((high - low) / 255)) or 1.0
        least = int(np.iinfo(dtype).min)
        return cls(scale, least + int(np.clip(np.rint(-low / scale), 0, 255)), dtype)

    @property
    def least(self) -> int:
        """The least byte."""
        return int(np.iinfo(self.dtype).min)

    @property
    def greatest(self) -> int:
        """The greatest byte."""
        return int(np.iinfo(self.dtype).max)

    @property
    def factor(self) -> np.float32:
        """What numbers are multiplied by."""
        return np.float32(1) / np.float32(self.scale)

    def number(self, value: float) -> int:
        """The byte of a number, as the graph computes it in float32."""
        return int(np.clip(np.rint(np.float32(value) * self.factor) + self.zero, self.least, self.greatest))


def quantized_weights(weights: NDArray) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Weights whose last axis holds the output channels as int8, and the scale of each channel."""
    rows = tuple(range(weights.ndim - 1))
    scales = np.abs(weights).max(rows).astype(np.float32) / np.float32(LARGEST)
    scales = np.where(scales > 0, scales, np.float32(1))
    rounded = np.clip(np.rint(weights / scales), -LARGEST, LARGEST)
    return rounded.astype(np.int8), scales.astype(np.float32)


def can_overflow(weights: NDArray[np.int8]) -> bool:
    """Whether a sum of products of some data with the weights of a channel may leave int32."""
    return bool((largest_sums(weights) >= 2**31).any())


def largest_sums(weights: NDArray[np.int8]) -> NDArray[np.int64]:
    """No sum of products of data with the weights of a channel has a larger magnitude."""
    return np.abs(weights.astype(np.int64)).sum(tuple(range(weights.ndim - 1))) * 256


def in_steps(
    bias: NDArray, scale: NDArray[np.float64], weights: NDArray[np.int8]
) -> NDArray[np.int64] | None:
    """The bias of each channel in steps of its scale, rounded; None if a sum could leave int32 with them.

    The error is half a step: the product of half a step of the data and one of the weights (Jacob et al., section 2.4).
    """
    steps = np.rint(np.divide(bias, scale, out=np.full(len(scale), np.inf), where=scale != 0))
    # The sum of data from their zero on takes as much room again.
    if not (np.abs(steps) + 2 * largest_sums(weights) < 2**31).all():
        return None
    return steps.astype(np.int64)
