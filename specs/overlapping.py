"""States of the whole process that several calls at the same time share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Overlapping:
    """A state that lasts as long as any of the calls that want it: ``begin`` runs before the first of those that
    overlap, ``end`` after the last. Threads may call it side by side.
    """

    def __init__(self, begin: Callable[[], None], end: Callable[[], None]):
        self._begin, self._end = begin, end
        self._lock, self._running = threading.Lock(), 0

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Has the state last until this is closed."""
        with self._lock:
            if not self._running:
                self._begin()
            self._running += 1
        try:
            yield
        finally:
            with self._lock:
                self._running -= 1
                if not self._running:
                    self._end()
