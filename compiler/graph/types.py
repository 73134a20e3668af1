"""Tensor types: an element type and a shape whose sizes may be symbolic."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netwright.specs.dims import Dim, DimLike, Shape, product

DTYPES = ("float32", "float64", "int32", "int64", "int8", "uint8", "uint16", "uint32", "uint64", "bool")
FLOATS = ("float32", "float64")


@dataclass(frozen=True, slots=True)
class TensorType:
    """The type of a value: ``dtype`` is a NumPy name out of ``DTYPES``; ``shape`` is row-major, features
    last.
    """

    dtype: str
    shape: Shape

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise ValueError(f"unknown dtype {self.dtype!r}")
        if not isinstance(self.shape, tuple) or not all(isinstance(size, int | Dim) for size in self.shape):
            raise TypeError(f"a shape is a tuple of sizes, not {self.shape!r}")

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> DimLike:
        """Number of elements."""
        return product(self.shape)

    @property
    def nbytes(self) -> DimLike:
        return self.size * np.dtype(self.dtype).itemsize

    def with_shape(self, shape: Shape) -> TensorType:
        return TensorType(self.dtype, tuple(shape))

    def with_dtype(self, dtype: str) -> TensorType:
        return TensorType(dtype, self.shape)

    def __str__(self) -> str:
        return f"{self.dtype}[{', '.join(map(str, self.shape))}]"
