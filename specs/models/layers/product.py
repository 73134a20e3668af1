"""The matrix product of two layers."""

from __future__ import annotations

from typing import ClassVar, Literal

from .base import LayerSpec


class MatMul(LayerSpec):
    """The matrix product of two inputs, as NumPy's matmul: over the last axis of the first and the last but one
    of the second, the axes before them broadcast; a vector counts as a row or column that leaves the shape.
    """

    arity: ClassVar[tuple[int, int | None]] = (2, 2)
    type: Literal["matmul"] = "matmul"
