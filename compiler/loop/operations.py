"""The types of loop IR's values, and the names of its operations."""

from __future__ import annotations

from typing import NamedTuple

#: round: to nearest, ties to even.
UNARY = ("neg", "abs", "sqrt", "floor", "not", "round", "sin_far", "cos_far")
#: Up to this |x| ``sin_far`` and ``cos_far`` are 0; beyond it they are sine and cosine, NaN for infinities and NaN.
FAR = {"float32": 1e5, "float64": 1e9}
BINARY = ("add", "sub", "mul", "div", "rem", "max", "min", "and", "or", "xor", "shl", "shr")
COMPARE = ("eq", "ne", "lt", "le", "gt", "ge")


class ValueType(NamedTuple):
    """Element dtype (a NumPy name; "bool" is a truth value) and number of lanes; a tuple, which is made and compared
    fast."""

    dtype: str
    lanes: int = 1

    def __str__(self) -> str:
        return self.dtype if self.lanes == 1 else f"{self.dtype}x{self.lanes}"
