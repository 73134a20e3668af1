"""The numbers of a file as a person would write them."""

from __future__ import annotations

import numpy as np


def decimal(value: float) -> float:
    """The decimal number that a float32 was written as: 0.1 rather than 0.10000000149011612, and 1e-5 for its
    neighbours.
    """
    if not np.isfinite(value):
        return value
    single = np.float32(value)
    short = float(f"{value:.6g}")
    return short if abs(np.float32(short) - single) <= np.spacing(abs(single)) else float(str(single))
