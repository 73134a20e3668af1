"""What an example of an operator is: operands, attributes that it needs, and values that attributes can have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

RNG = np.random.default_rng(11)


def floats(*shape: int) -> NDArray:
    """Numbers around 0."""
    return RNG.normal(size=shape).astype(np.float32)


def ints(low: int, high: int, *shape: int) -> NDArray:
    """Whole numbers from ``low`` to before ``high``."""
    return RNG.integers(low, high, shape)


def weight_codes(dtype: type, *shape: int) -> NDArray:
    """Weights as bytes whose sums ONNX Runtime does not saturate: on x86-64 without VNNI it adds two products of uint8
    and int8 in 16 bits, into which 255·64 + 255·64 fits."""
    low, high = (-64, 65) if np.issubdtype(dtype, np.signedinteger) else (0, 256)
    return RNG.integers(low, high, shape).astype(dtype)


@dataclass(frozen=True)
class Example:
    """Operands in order (None: left out), which of them are inputs of the model (the others are constants), attributes
    without which there is no node, values that are drawn for attributes, and how many outputs there are."""

    operands: Sequence[NDArray | None]
    inputs: Sequence[int] = (0,)
    attributes: Mapping[str, Any] = field(default_factory=dict)
    draws: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    outputs: int = 1


X = floats(2, 3, 4, 6)
IMAGE = floats(2, 4, 7, 6)
MATRIX = floats(3, 4)
SEQUENCE = floats(5, 2, 3)
LOGITS = floats(4, 5, 3)
POOL = {
    "auto_pad": ["SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET"],
    "kernel_shape": [[2, 3], [3, 1]],
    "pads": [[1, 0, 0, 1], [1, 1, 1, 1]],
    "strides": [[2, 1], [2, 3]],
    "dilations": [[1, 2], [2, 1]],
    "ceil_mode": [1],
}
WORDS = {
    "coordinate_transformation_mode": [
        "pytorch_half_pixel",
        "align_corners",
        "asymmetric",
        "half_pixel_symmetric",
        "tf_half_pixel_for_nn",
    ],
    "nearest_mode": ["round_prefer_ceil", "floor", "ceil"],
    "mode": ["nearest", "linear", "cubic"],
}
