"""Folds operators whose operands are known at import time: constants, and sizes of tensors.

Open sizes are Dims in object arrays, on which NumPy's functions work unchanged. Operators that are not here are
computed at run time like all others.
"""

from . import numbers, quantized, shapes, statistics
from .reference import evaluated
from .table import FOLDS, Folding, axes_of, checked_axis, integers

__all__ = [
    "FOLDS",
    "Folding",
    "axes_of",
    "checked_axis",
    "evaluated",
    "integers",
    "numbers",
    "quantized",
    "shapes",
    "statistics",
]
