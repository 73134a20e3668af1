"""Operators and numbers as the language's equations write them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

UNARY = {
    "Abs": "abs(x)",
    "Neg": "-x",
    "Exp": "exp(x)",
    "Log": "log(x)",
    "Sqrt": "sqrt(x)",
    "Reciprocal": "1 / x",
    "Floor": "floor(x)",
    "Ceil": "ceil(x)",
    "Round": "round(x)",
    "Sign": "sign(x)",
    "Erf": "erf(x)",
    "Sin": "sin(x)",
    "Cos": "cos(x)",
    "Tan": "tan(x)",
    "Asin": "asin(x)",
    "Acos": "acos(x)",
    "Atan": "atan(x)",
    "Sinh": "sinh(x)",
    "Cosh": "cosh(x)",
    "Asinh": "asinh(x)",
    "Acosh": "acosh(x)",
    "Atanh": "atanh(x)",
    "Not": "logical_not(x)",
    "IsNaN": "isnan(x)",
}
BINARY = {
    "Sub": "a - b",
    "Div": "a / b",
    "Pow": "pow(a, b)",
    "Less": "a < b",
    "LessOrEqual": "a <= b",
    "Greater": "a > b",
    "GreaterOrEqual": "a >= b",
    "Equal": "a == b",
    "And": "logical_and(a, b)",
    "Or": "logical_or(a, b)",
    "Xor": "logical_xor(a, b)",
}


def inlined(array: NDArray) -> str | None:
    """A number as an equation writes it."""
    value = array.reshape(-1)[0]
    if array.dtype == np.bool_:
        return None
    if array.dtype.kind in "iu":
        return str(int(value)) if value >= 0 else f"({int(value)})"
    number = float(str(np.float32(value))) if array.dtype == np.float32 else float(value)
    if math.isnan(number):
        return "nan"
    if math.isinf(number):
        return "inf" if number > 0 else "(-inf)"
    return repr(number) if number >= 0 and not math.copysign(1, number) < 0 else f"({number!r})"
