"""The threads that run native entries together: a pool in native code, made once per process and shared by all engines.

One call of the pool is one call of native code, which runs the entry on the calling thread and on waiting workers.
Workers are not Python threads: they never hold the GIL and receive no signals. Python runs signal handlers only after
native code has returned, so no signal interrupts a call halfway.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import sys
import threading
import time
import weakref
from collections.abc import Mapping

from netwright.specs.manifest import SPINS

from .processors import own_processors, processor_count

_RUN = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int32, ctypes.c_int32)
_STOP = ctypes.CFUNCTYPE(ctypes.c_int32)
_FORKED = ctypes.CFUNCTYPE(None)
_PIN = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_int32)


class WorkerPool:
    """The pool over four functions of native code, given by their addresses: ``run``, ``stop``, ``forked`` and ``pin``.

    Workers exist from the first call that needs them until the last user that called ``join`` leaves.
    """

    def __init__(self, addresses: Mapping[str, int]):
        #: run(entry, context, threads, spins): runs the entry at an address and returns its code, 0 for success. While
        #: another call uses the workers, it runs on one thread.
        self.run = _RUN(addresses["run"])
        self.address = addresses["run"]
        self._stop = _STOP(addresses["stop"])
        self._forked = _FORKED(addresses["forked"])
        self._pin = _PIN(addresses["pin"])
        self._users: set[int] = set()
        self._pinned = False

    def join(self, user: object) -> weakref.finalize:
        """Registers ``user``, which runs entries here. It leaves when it is collected, or when the returned finalizer
        is called.
        """
        self._users.add(id(user))
        return weakref.finalize(user, self._leave, id(user))

    def stop(self) -> None:
        """Ends the workers unless they are at work; the next call makes new ones."""
        self._stop()

    def forked(self) -> None:
        """Forgets the workers, which a forked child does not have."""
        self._forked()

    def pin(self) -> None:
        """From now on keeps each worker on a processor of its own; the first processor is left to ``pin_caller``.

        Raises ValueError on systems that can't pin threads.
        """
        if self._pinned:
            return
        if sys.platform != "linux":
            raise ValueError("pin: this system does not let threads be kept on processors; leave it out")
        others = own_processors()[1:]
        numbers = (ctypes.c_int32 * max(1, len(others)))(*others)
        while self._pin(ctypes.addressof(numbers), len(others)):
            time.sleep(0.001)  # a call is using the workers
        self._pinned = True

    def _leave(self, user: int) -> None:
        self._users.discard(user)
        if not self._users:
            self.stop()


def pin_caller() -> None:
    """Keeps the calling thread on the first processor of this process."""
    os.sched_setaffinity(0, own_processors()[:1])


def patience(threads: int) -> int:
    """How many turns each of ``threads`` threads waits for the others before it sleeps. With fewer processors than
    threads it is one, since a waiting thread would take the processor from those it waits for.
    """
    return SPINS if threads <= processor_count() else 1


_shared: WorkerPool | None = None
_making = threading.Lock()


def process_pool(addresses: Mapping[str, int] | None) -> WorkerPool | None:
    """The process's pool: the existing one, otherwise a new one over these functions; None if there are neither."""
    global _shared
    with _making:
        if _shared is None and addresses is not None:
            _shared = WorkerPool(addresses)
            atexit.register(_shared.stop)
            if hasattr(os, "register_at_fork"):
                os.register_at_fork(after_in_child=_shared.forked)
        return _shared
