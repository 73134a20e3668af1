"""Where in a buffer a kernel begins: it is passed the address of what it accesses there, in place of the buffer's.

A transposed convolution with stride 2 has a kernel for each position of its filter, which reads every second element of
a map from (1, 1), (1, 2), (2, 1) or (2, 2) on. As callers pass the address of the first one, the four have the same
code, which is compiled once.
"""

from __future__ import annotations

from netwright.specs.dims import constant_term

from ...loop import ir
from ...loop.walks import accesses_of


def begins(function: ir.Function) -> dict[str, int]:
    """By parameter, how many elements lie before all that a kernel accesses, as far as the constants in its indices
    say; without those that are accessed from the first element on."""
    least: dict[str, int | None] = {buffer.name: None for buffer in function.parameters}
    strides = {buffer.name: _strides(buffer) for buffer in function.parameters}
    accesses = accesses_of(function.body)
    while least and (access := next(accesses, None)) is not None:
        if access.buffer not in least:
            continue
        before = sum(
            constant_term(index) * stride
            for index, stride in zip(access.indices, strides[access.buffer], strict=True)
        )
        known = least[access.buffer]
        least[access.buffer] = before = before if known is None else min(known, before)
        if before <= 0:  # as for most buffers, and soon
            del least[access.buffer]
    return {name: before for name, before in least.items() if before is not None}


def _strides(buffer: ir.Buffer) -> list[int]:
    """The strides of a buffer's axes; 0 for those that depend on open sizes."""
    strides: list[int] = []
    stride: int | None = 1
    for size in reversed(buffer.shape):
        strides.append(stride or 0)
        stride = stride * size if stride is not None and isinstance(size, int) else None
    return strides[::-1]
