"""A thread that computes while the event loop goes on."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Generic, TypeAlias, TypeVar

T = TypeVar("T")

#: What to compute, and what to call with the result on which loop; None ends the thread.
_Call: TypeAlias = "tuple[Callable[[], T], asyncio.AbstractEventLoop, Callable[[T], None]] | None"


class Worker(Generic[T]):
    """One thread. It ends by ``close``, or when nothing refers to the worker any more.

    An executor would make two futures for each call, with locks that both threads take; this takes half as long.
    """

    def __init__(self, name: str):
        self._calls: SimpleQueue[_Call[T]] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._name = name
        self._end = weakref.finalize(self, self._calls.put, None)

    def submit(self, compute: Callable[[], T], then: Callable[[T], None]) -> None:
        """Has the thread call ``compute``, which must not raise, and the running loop ``then`` with the result."""
        if self._thread is None:
            self._thread = threading.Thread(target=_work, args=(self._calls,), name=self._name, daemon=True)
            self._thread.start()
        self._calls.put((compute, asyncio.get_running_loop(), then))

    def close(self) -> None:
        """Ends the thread when it has computed what was submitted."""
        self._end()
        if self._thread is not None:
            self._thread.join()


def _work(calls: SimpleQueue[_Call[T]]) -> None:
    while (call := calls.get()) is not None:
        compute, loop, then = call
        result = compute()
        with suppress(RuntimeError):  # a loop that is closed: nobody waits for it
            loop.call_soon_threadsafe(then, result)
        del call, compute, then, result  # the thread waits for the next one, and shall not hold this one
