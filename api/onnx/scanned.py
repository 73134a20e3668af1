"""Convolutions that only extract the cells of each window, as networks that scan their windows are exported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .tensors import window_kernel

#: Kernels with larger windows are not checked.
MAX_CELLS = 4096
#: What such a layer may say; anything else (a bias, an activation, padding) makes it more than an extraction.
_KEYS = {"name", "type", "filters", "kernel_size", "stride", "use_bias"}


@dataclass(frozen=True, slots=True)
class Scanned:
    """The windows that are extracted."""

    window: tuple[int, ...]
    stride: tuple[int, ...]


def scanned_by(keys: Mapping[str, Any], weights: Mapping[str, NDArray]) -> Scanned | None:
    """The windows that a convolution with these keys and weights extracts, if it does no more than that."""
    if (
        keys["type"] not in ("conv1d", "conv2d", "conv3d")
        or keys.get("use_bias", True)
        or keys.keys() - _KEYS
    ):
        return None
    kernel = weights.get("kernel")
    if kernel is None:
        return None
    *window, channels, filters = kernel.shape
    if filters != channels * int(np.prod(window)) or filters > MAX_CELLS:
        return None
    if not np.array_equal(np.moveaxis(kernel, (-1, -2), (0, 1)), window_kernel(window, channels)):
        return None
    stride = keys.get("stride", 1)
    return Scanned(tuple(window), (stride,) * len(window) if isinstance(stride, int) else tuple(stride))
