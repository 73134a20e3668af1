"""The arena: one block of scratch memory that an engine's calls plan their temporaries into."""

from __future__ import annotations

import contextlib
import mmap

import numpy as np

from .arrays import ALIGNMENT
from .errors import ExecutionError

#: From here on the arena is mapped on its own and asks for huge pages: streaming gains 40 to 110 % above
#: 16 MB.
LARGE = 4 << 20
HUGE_PAGE = 2 << 20


class Arena:
    """Memory that only grows; ``address`` is 64-byte aligned and valid until the next ``reserve``."""

    def __init__(self) -> None:
        self.address = 0
        self.size = -1
        self._memory: np.ndarray | None = None

    def reserve(self, size: int) -> None:
        """Makes the arena at least ``size`` bytes. Raises ExecutionError when there is not that much
        memory.
        """
        if size <= self.size:
            return
        self._memory, self.address, self.size = None, 0, -1  # the old block goes before the new one comes
        try:
            self._memory = _large(size) if size >= LARGE else np.empty(size + ALIGNMENT, np.uint8)
        except (MemoryError, OSError, OverflowError, ValueError) as error:
            raise ExecutionError(
                f"the entry needs {size:,} bytes of scratch memory, which this machine does not give; "
                "use a smaller batch or shorter sequences"
            ) from error
        alignment = HUGE_PAGE if size >= LARGE else ALIGNMENT
        start = self._memory.ctypes.data
        self.address = start + -start % alignment
        self.size = size


def _large(size: int) -> np.ndarray:
    block = mmap.mmap(-1, size + HUGE_PAGE)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with contextlib.suppress(OSError):  # a kernel without huge pages: only slower
            block.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(block, np.uint8)
