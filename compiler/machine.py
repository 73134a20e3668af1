"""The machine that code is made for, as far as the compiler's decisions depend on it.

Passes, tilings and kernels ask a ``Machine`` how wide vectors are and how many registers there are; nothing below
the front door asks which CPU it is. ``codegen.target`` makes one for a target, and tests make their own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Machine:
    """What a target's registers and instructions are like.

    ``vector_bytes``: the size of a vector register. ``vector_registers``: how many of them there are. ``fma``: whether
    a·b + c with one rounding is an instruction. ``masked``: whether loads and stores of the first lanes are.
    """

    vector_bytes: int
    vector_registers: int
    fma: bool = True
    masked: bool = True

    def lanes(self, dtype: str) -> int:
        """How many elements of ``dtype`` (a NumPy name) one vector register holds."""
        return max(1, self.vector_bytes // np.dtype(dtype).itemsize)

    @property
    def accumulators(self) -> int:
        """How many vector registers may hold accumulators: a quarter is left for operands and addresses."""
        return self.vector_registers * 3 // 4


#: The least that there is: what is made for it runs anywhere, and no faster than it must.
BASELINE = Machine(vector_bytes=16, vector_registers=16, fma=False, masked=False)
