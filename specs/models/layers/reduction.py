"""Layers that sum up axes: reduce, argmax, argmin. Axes count from the batch on, or with −1 from the last."""

from __future__ import annotations

from typing import Literal

from ..base import Axis, Flag
from .base import LayerSpec
from .key_types import Axes


class Reduce(LayerSpec):
    """One number of all numbers along axes.

    `op`: sum; mean; max and min (truth values: any and all); prod; l1, Σ|x|; l2, √Σx²; sum_square, Σx²; log_sum,
    log Σx; log_sum_exp, log Σ exp(x). Of no numbers (an open axis that is empty) the sum is 0, the product 1, the mean
    NaN, the largest −∞ and the smallest ∞.
    """

    type: Literal["reduce"] = "reduce"
    op: Literal["sum", "mean", "max", "min", "prod", "l1", "l2", "sum_square", "log_sum", "log_sum_exp"]
    """What is made of the numbers."""
    axes: Axes | None = None
    """The axes that are summed up; all when left out."""
    keepdims: Flag = False
    """Whether they stay, with size 1."""


class Argmax(LayerSpec):
    """The position of the largest value along an axis, the first of equal ones: int64, without that axis. Of an axis
    without cells it is 0.
    """

    type: Literal["argmax"] = "argmax"
    axis: Axis = -1
    """The axis searched."""
    keepdims: Flag = False
    """Whether the axis stays, with size 1."""
    last: Flag = False
    """Whether of equal values the last one counts."""


class Argmin(Argmax):
    """The position of the smallest value along an axis, the first of equal ones: int64, without that axis."""

    type: Literal["argmin"] = "argmin"  # type: ignore[assignment]


LAYERS = (
    Reduce,
    Argmax,
    Argmin,
)
