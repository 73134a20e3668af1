"""The machine that code is made for, as far as the compiler's decisions depend on it.

Passes, tilings and kernels ask a ``Machine`` how wide vectors are and how many registers there are; nothing below
the front door asks which CPU it is. ``codegen.target`` makes one for a target, and tests make their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

#: Of more columns than these, vectors of columns are worth it however wide registers are.
FEW_COLUMNS = 4


@dataclass(frozen=True, slots=True)
class Machine:
    """What a target's registers, instructions and caches are like.

    Registers: ``vector_bytes`` is the size of a vector register, ``vector_registers`` how many of them there are.

    Instructions: ``fma``, whether a·b + c with one rounding is one; ``masked``, whether loads and stores of the first
    lanes are; ``broadcast_operand``, whether arithmetic takes a scalar from memory for all lanes, so that it needs no
    register; ``gather``, whether loads from many addresses are; ``prefetch``, whether there is one that only loads
    into a cache; ``flushes_denormals``, whether entries make denormals zero.

    Memory: bytes of a core's own caches ``l1_bytes`` (data) and ``l2_bytes``, of a pointer, and the order of bytes.
    ``cores``: how many threads run at the same time, where that is known.
    """

    vector_bytes: int
    vector_registers: int
    fma: bool = True
    masked: bool = True
    broadcast_operand: bool = False
    gather: bool = False
    prefetch: bool = False
    flushes_denormals: bool = False
    l1_bytes: int = 32 << 10
    l2_bytes: int = 256 << 10
    cores: int | None = None
    pointer_bytes: int = 8
    byte_order: Literal["little", "big"] = "little"

    def lanes(self, dtype: str) -> int:
        """How many elements of ``dtype`` (a NumPy name) one vector register holds."""
        return max(1, self.vector_bytes // np.dtype(dtype).itemsize)

    def is_narrow(self, columns: int, dtype: str) -> bool:
        """Whether so few columns of results leave so many lanes empty that another axis is the better one."""
        return columns <= min(FEW_COLUMNS, self.lanes(dtype) // 2)

    @property
    def accumulators(self) -> int:
        """How many vector registers a tile may fill with accumulators; what it multiplies takes the others.

        A quarter of them holds vectors of an operand, an eighth broadcasts on their way from memory, where these are
        not operands themselves, and another eighth products that are yet to be added, where that is an instruction
        of its own.
        """
        eighths = 6 - (not self.broadcast_operand) - (not self.fma)
        return self.vector_registers * eighths // 8

    @property
    def partial_sums(self) -> int:
        """How many accumulators hide the latency of adding to each of them, as far as there are registers."""
        return min(8, self.vector_registers * 3 // 8)


#: The least that there is: what is made for it runs anywhere, and no faster than it must.
BASELINE = Machine(vector_bytes=16, vector_registers=16, fma=False, masked=False)
