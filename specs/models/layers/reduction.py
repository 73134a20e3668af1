"""Layers that reduce axes: reduce, argmax, argmin. Axis 0 is the batch; negative axes count from the last."""

from __future__ import annotations

from typing import Literal

from ..base import Axis, Flag
from .base import LayerSpec
from .key_types import Axes


class Reduce(LayerSpec):
    """Reduces axes to one number.

    `op`: sum; mean; max and min (truth values: any and all); prod; l1, Σ|x|; l2, √Σx²; sum_square, Σx²; log_sum, log
    Σx; log_sum_exp, log Σ exp(x). Over an empty open axis the sum is 0, the product 1, the mean NaN, the maximum −∞ and
    the minimum ∞.
    """

    type: Literal["reduce"] = "reduce"
    op: Literal["sum", "mean", "max", "min", "prod", "l1", "l2", "sum_square", "log_sum", "log_sum_exp"]
    """The reduction."""
    axes: Axes | None = None
    """The axes to reduce; all by default."""
    keepdims: Flag = False
    """Whether to keep them, with size 1."""


class Argmax(LayerSpec):
    """The position of the largest value along an axis, the first of equal ones: int64, without that axis. For an empty
    axis it is 0.
    """

    type: Literal["argmax"] = "argmax"
    axis: Axis = -1
    """The axis to search."""
    keepdims: Flag = False
    """Whether to keep the axis, with size 1."""
    last: Flag = False
    """Whether the last of equal values counts."""


class Argmin(Argmax):
    """The position of the smallest value along an axis, the first of equal ones: int64, without that axis."""

    type: Literal["argmin"] = "argmin"  # type: ignore[assignment]


LAYERS = (
    Reduce,
    Argmax,
    Argmin,
)
