"""Loop IR: calls of kernels."""

from __future__ import annotations

from dataclasses import dataclass, field

from netwright.specs.dims import DimLike, Shape

from .call_info import CallInfo


@dataclass(frozen=True, slots=True)
class Slice:
    """The sub-buffer of ``buffer`` at ``leading`` indices, which a call passes.

    With ``shape`` the buffer is first seen in that shape, of as many elements (row-major, so nothing moves).
    """

    buffer: str
    leading: tuple[DimLike, ...] = ()
    shape: Shape | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """Runs a kernel on sub-buffers (each with as many elements as the kernel's buffer) and dims, in the kernel's
    order.

    If the kernel returns a non-zero error code, the caller returns it at once. ``info`` has no effect on the code.
    """

    function: str
    buffers: tuple[Slice, ...]
    dims: tuple[DimLike, ...]
    info: CallInfo = field(default=CallInfo(), compare=False)
