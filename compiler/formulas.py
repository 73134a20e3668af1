"""Tables of numbers that follow a formula: a program can compute them at its start, instead of holding them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
WindowKind = Literal["hann", "hamming", "rectangular"]


def window(kind: WindowKind, length: int) -> Array:
    """The weights of a frame's samples, periodic: as `scipy.signal.get_window` and `torch.hann_window` give them, which
    is 1 for a single sample.
    """
    if kind == "rectangular" or length == 1:
        return np.ones(length)
    middle = 0.5 if kind == "hann" else 0.54
    return middle - (1 - middle) * np.cos(2 * np.pi * np.arange(length) / length)


@dataclass(frozen=True)
class Fourier:
    """The kernel of a convolution whose results are the spectrum of each frame: [frame, 1, 2·bins], the real parts of
    all bins, then the imaginary ones.

    X(k) = Σ w(n)·x(n)·exp(−2πi·k·n / points). The angle is reduced to one turn in whole numbers, which keeps its
    digits, and leaves as many different angles as there are points.
    """

    frame: int
    bins: int
    points: int
    window: WindowKind

    @property
    def fields(self) -> tuple[int, int, int, str]:
        """The fields in order."""
        return self.frame, self.bins, self.points, self.window

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.frame, 1, 2 * self.bins

    @cached_property
    def turn(self) -> tuple[Array, Array]:
        """The cosine and the negated sine of each angle: [points] each, in float64."""
        angles = (2 * np.pi / self.points) * np.arange(self.points)
        return np.cos(angles), -np.sin(angles)

    @cached_property
    def weights(self) -> Array:
        """The window: [frame], in float64."""
        return window(self.window, self.frame)

    @property
    def nbytes(self) -> int:
        """The bytes of all that the table is computed from."""
        return 8 * (2 * self.points + self.frame)

    def table(self, dtype: str) -> NDArray:
        """All numbers: computed in float64, and rounded once."""
        at = np.arange(self.frame)[:, None] * np.arange(self.bins) % self.points
        parts = np.concatenate([part[at] for part in self.turn], axis=1) * self.weights[:, None]
        return parts.astype(dtype).reshape(self.shape)
