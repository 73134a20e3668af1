"""The matrix product, as NumPy defines it."""

from __future__ import annotations

from ...graph.rules import ShapeError
from ...ops.views.layout import show
from ..tensor import Tensor, broadcast_shapes


def matmul(a: Tensor, b: Tensor) -> Tensor:
    """NumPy's matmul. Raises ShapeError."""
    if min(a.rank, b.rank) < 1:
        raise ShapeError(f"{show(a.shape)} @ {show(b.shape)}: a number is no matrix")
    row, column = a.rank == 1, b.rank == 1
    if a.shape[-1] != b.shape[0 if column else -2]:
        sizes = f"{a.shape[-1]} is not {b.shape[0 if column else -2]}"
        raise ShapeError(f"{show(a.shape)} @ {show(b.shape)}: {sizes}")
    if column:
        return a.dot(b, [a.rank - 1], [0])
    if all(size == 1 for size in b.shape[:-2]):  # one matrix for the whole batch
        shape = (*broadcast_shapes(a.shape[:-2], b.shape[:-2]), *a.shape[-2:-1], b.shape[-1])
        return a.matmul(b.reshape(b.shape[-2:])).reshape(shape)
    if row:
        return a.dot(b, [0], [b.rank - 2])
    batch = broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a, b = a.to((*batch, *a.shape[-2:])), b.to((*batch, *b.shape[-2:]))
    return a.dot(b, [len(batch) + 1], [len(batch)], len(batch))
