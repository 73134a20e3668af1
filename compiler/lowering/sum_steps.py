"""How many steps of a sum the innermost loop of a kernel has at once, and in how many parts a tile adds them up."""

from __future__ import annotations

from netwright.specs.dims import DimLike, Shape

from ..machine import Machine
from ..ops.protocols import Order

#: How many steps a loop's body has at most where code is to be short: with more, loops win little.
SHORT = 3


def sum_steps(extents: Shape, accumulators: int, role: str, machine: Machine, whole: bool = True) -> int:
    """The steps for sums over ``extents`` in a tile of ``accumulators``; ``whole``: whether it is no rest of rows or
    columns. ``role`` is that of the contraction."""
    if machine.compact:
        return _short(extents)
    # Products take registers, too, where multiplying and adding is not one instruction.
    free = machine.vector_registers if machine.fma else machine.vector_registers * 2 // 3
    if role == "reduction":
        free //= 2  # what is fused into it loads vectors of its own, for each term
    if not whole:
        free = free * 2 // 3  # what is left of rows or columns is seldom worth long code
    return unrolling(extents[-1] if extents else 1, accumulators, free)


def _short(extents: Shape) -> int:
    """The steps where code is to be short: as many as divide the innermost extent, up to `SHORT`."""
    extent = next((extent for extent in reversed(extents) if extent != 1), 1)
    if not isinstance(extent, int):
        return 1
    return max(steps for steps in range(1, SHORT + 1) if extent % steps == 0)


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
