"""What the compiler's decisions depend on in the target machine.

Passes, tilings and kernels ask a ``Machine`` how wide vectors are and how many registers there are; nothing below the
front door asks which CPU it is. ``codegen.machines`` makes the ``Machine`` of a target; tests make their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from netwright.specs.dims import DimLike

from .tuning import UNTUNED, Tuning

#: With more columns than this, vectors along the columns pay however wide registers are.
FEW_COLUMNS = 4
#: How many times as many lanes cells of a row have to fill as features do, to pay for transposing the results.
MORE_LANES = 1.5


@dataclass(frozen=True, slots=True)
class Machine:
    """A target's registers, instructions and caches.

    Registers: ``vector_registers`` of ``vector_bytes`` each.

    Instructions: ``fma``: a·b + c with one rounding; ``masked``: loads and stores of the first few lanes;
    ``broadcast_operand``: arithmetic reads a scalar from memory for all lanes, without a register for it;
    ``early_elements``: where it does not, how many scalars LLVM loads before the arithmetic needs them, each in a
    register of its own; ``gather``: one load from many addresses; ``prefetch``: a load into a cache only;
    ``flushes_denormals``: entries treat denormals as zero.

    ``quantized_data``: the dtype of quantized data that its products of bytes take; weights are int8.

    Memory: ``l1_bytes`` (data) and ``l2_bytes`` of a core's own caches, ``pointer_bytes``, and ``byte_order``.
    ``cores``: how many threads run at the same time, if known.

    ``compact``: code is to be short: flash is scarce.

    ``tuning``: what was measured to be faster than what follows from the rest.
    """

    vector_bytes: int
    vector_registers: int
    fma: bool = True
    masked: bool = True
    broadcast_operand: bool = False
    early_elements: int = 4
    gather: bool = False
    prefetch: bool = False
    flushes_denormals: bool = False
    quantized_data: Literal["int8", "uint8"] = "int8"
    l1_bytes: int = 32 << 10
    l2_bytes: int = 256 << 10
    cores: int | None = None
    pointer_bytes: int = 8
    byte_order: Literal["little", "big"] = "little"
    compact: bool = False
    tuning: Tuning = UNTUNED

    def lanes(self, dtype: str) -> int:
        """How many elements of ``dtype`` (a NumPy name) one vector register holds."""
        return max(1, self.vector_bytes // np.dtype(dtype).itemsize)

    def is_narrow(self, columns: int, dtype: str) -> bool:
        """Whether results with so few columns leave so many lanes empty that lanes should run along another axis."""
        return columns <= min(FEW_COLUMNS, self.lanes(dtype) // 2)

    def prefers_cells(self, features: int, cells: DimLike, dtype: str, pooled: bool = False) -> bool:
        """Whether lanes of a convolution with so few ``features`` should run along so many ``cells`` of a row instead:
        if features are narrow, or fill less than half of the lanes, and a known number of ``cells`` fills `MORE_LANES`
        times as many. Where the result is ``pooled``, cells lie apart, which only narrow features are worth."""
        lanes = self.lanes(dtype)
        if isinstance(cells, int) and 2 * cells <= lanes:
            return False
        if self.is_narrow(features, dtype):
            return True
        if pooled or not isinstance(cells, int) or 2 * features >= lanes:
            return False
        return cells / (-(-cells // lanes) * lanes) >= MORE_LANES * features / lanes

    @property
    def accumulators(self) -> int:
        """How many vector registers a tile may fill with accumulators; the others hold the operands.

        A quarter of all registers holds vectors of an operand. Where multiplying and adding is not one instruction, an
        eighth holds products. Unless instructions read broadcasts from memory, an eighth holds these if they are
        loaded early, or if products overwrite them.
        """
        broadcasts = not self.broadcast_operand and (self.early_elements > 0 or not self.fma)
        eighths = 6 - broadcasts - (not self.fma)
        return self.vector_registers * eighths // 8

    @property
    def block_bytes(self) -> int:
        """About how much kernels that run block by block should keep between them: it stays in the L2 cache, beside
        what they read, and is worth their calls."""
        return self.l2_bytes // 4

    @property
    def partial_sums(self) -> int:
        """How many independent accumulators hide the latency of adding to one, as far as there are registers."""
        return min(8, self.vector_registers * 3 // 8)


#: The smallest machine: code made for it runs anywhere, at no particular speed.
BASELINE = Machine(vector_bytes=16, vector_registers=16, fma=False, masked=False)
