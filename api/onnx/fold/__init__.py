"""Operators on values that are known while importing: constants, and sizes of tensors.

Sizes may be open, then they are Dims in object arrays and NumPy's functions compute with them as they are. What is
not here is computed at run time like everything else.
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
