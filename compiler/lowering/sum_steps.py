"""How many steps of a sum the innermost loop of a kernel has at once, and in how many parts a tile adds them up."""

from __future__ import annotations

from netwright.specs.dims import DimLike, Shape

from ..machine import Machine
from ..ops.protocols import Order


def sum_steps(extents: Shape, accumulators: int, role: str, machine: Machine, whole: bool = True) -> int:
    """The steps for sums over ``extents`` in a tile of ``accumulators``; ``whole``: whether it is no rest of rows or
    columns. ``role`` is that of the contraction."""
    import os
    if machine.compact and os.environ.get("UNR"):
        u = int(os.environ["UNR"])
        return next(k for k in range(u, 0, -1) if isinstance(extents[-1], int) and extents[-1] % k == 0) if extents else 1
    # Products take registers, too, where multiplying and adding is not one instruction.
    free = machine.vector_registers if machine.fma else machine.vector_registers * 2 // 3
    if role == "reduction":
        free //= 2  # what is fused into it loads vectors of its own, for each term
    if not whole:
        free = free * 2 // 3  # what is left of rows or columns is seldom worth long code
    return unrolling(extents[-1] if extents else 1, accumulators, free)


def partial_sums(steps: int, accumulators: int, order: Order, machine: Machine) -> int:
    """The parts that each sum is added up in, to hide the latency of adding: one where terms have an order."""
    most = machine.partial_sums // max(1, accumulators) if order == "any" else 1
    return max(1, min(steps, most))


def unrolling(extent: DimLike, accumulators: int, registers: int = 32) -> int:
    """How many steps of an innermost reduction loop its body holds: enough to hide the loop's overhead, and few enough
    for the ``registers``, since LLVM loads operands of several steps early."""
    if not isinstance(extent, int):
        return 1
    if extent * accumulators <= 3 * registers and extent <= 8:
        return extent
    for copies in (8, 4, 2):
        if extent % copies == 0 and 2 * accumulators * copies <= 3 * registers:
            return copies
    return 1
