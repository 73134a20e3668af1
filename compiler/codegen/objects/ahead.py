"""Compiles kernels in a second thread while the rest of their program is still being lowered.

LLVM takes up to half of a compilation, and leaves Python's lock to others while it works. There is one such thread,
since llvmlite lets one caller in at a time.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from netwright.specs.overlapping import Overlapping

from ...loop import ir
from ..llvm.modules import PLACEHOLDER, kernel_module
from ..llvm.statements import write_kernel
from ..targets.target import Target
from .cache import default_cache
from .compile import compile_object

#: How long a thread keeps Python's lock while another one waits for it, in seconds. LLVM's thread needs the lock a
#: dozen times per kernel, for microseconds: at Python's own 5 ms it would wait for longer than it works.
TURN = 1e-4


class Ahead:
    """Kernels that are compiled from when they are given on. ``texts`` is what was written of each, by its name."""

    def __init__(self, target: Target, executor: ThreadPoolExecutor):
        self.texts: dict[str, str] = {}
        self._target, self._executor, self._cache = target, executor, default_cache()
        self._objects: dict[str, Future[bytes]] = {}

    def add(self, kernel: ir.Function) -> None:
        """Takes a kernel, which has to be verified."""
        text = self.texts[kernel.name] = write_kernel(kernel, PLACEHOLDER, self._target)
        _, module = kernel_module(text)
        if module not in self._objects:
            self._objects[module] = self._executor.submit(compile_object, module, self._target, self._cache)

    def object(self, module: str) -> bytes | None:
        """The object file of a module, None if no kernel that was given has it. Raises LLVM's errors."""
        made = self._objects.get(module)
        return None if made is None else made.result()


@contextmanager
def compiled_ahead(target: Target) -> Iterator[Ahead | None]:
    """Compiles kernels ahead until it is closed; None where no second processor is idle: threads that wait for the same
    processor and for each other take longer than one."""
    if idle_processors() < 1.5:
        yield None
        return
    executor = ThreadPoolExecutor(1, "netwright-compile")
    try:
        with short_turns():
            yield Ahead(target, executor)
    finally:
        executor.shutdown(cancel_futures=True)


def idle_processors() -> float:
    """How many of the processors that this process may use were idle in the last minute, on average."""
    if not hasattr(os, "sched_getaffinity") or not hasattr(os, "getloadavg"):
        return 0.0
    load, usable = os.getloadavg()[0], len(os.sched_getaffinity(0))
    return usable - load * usable / (os.cpu_count() or usable)


class _Turns:
    """How long Python's threads keep its lock while another one waits."""

    def __init__(self) -> None:
        self._before = TURN

    def shorten(self) -> None:
        self._before = sys.getswitchinterval()
        sys.setswitchinterval(min(TURN, self._before))

    def restore(self) -> None:
        sys.setswitchinterval(self._before)


_turns = _Turns()
#: Has Python's threads take turns quickly, until the last of those that run at the same time ends.
short_turns = Overlapping(_turns.shorten, _turns.restore)
