"""The arena: one block of scratch memory in which the calls of an engine place their temporaries."""

from __future__ import annotations

import numpy as np

from ..arrays.arrays import ALIGNMENT, HUGE_PAGE, LARGE, mapped
from ..errors import ExecutionError


class Arena:
    """Memory that only grows. ``address`` is 64-byte aligned and valid until the next ``reserve``."""

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
        # free the old block before allocating the new one
        self._memory, self.address, self.size = None, 0, -1
        try:
            self._memory = mapped(size) if size >= LARGE else np.empty(size + ALIGNMENT, np.uint8)
        except (MemoryError, OSError, OverflowError, ValueError) as error:
            raise ExecutionError(
                f"the entry needs {size:,} bytes of scratch memory, which this machine does not give; "
                "use a smaller batch or shorter sequences"
            ) from error
        alignment = HUGE_PAGE if size >= LARGE else ALIGNMENT
        start = self._memory.ctypes.data
        self.address = start + -start % alignment
        self.size = size
