"""How often Python looks for cycles of garbage while a network is compiled."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

#: Thresholds for a time in which graphs grow and stay: Python's own would look through all of them again and again.
SELDOM = (1_000_000, 20, 100)

_lock = threading.Lock()
_running = 0
_before = SELDOM


@contextmanager
def collected_seldom() -> Iterator[None]:
    """Collects seldom in this process until the last of those that run at the same time ends. A process that collects
    still less often, or never, is left alone.
    """
    global _before, _running
    with _lock:
        if not _running:
            _before = gc.get_threshold()
            if 0 < _before[0] < SELDOM[0]:
                gc.set_threshold(*SELDOM)
        _running += 1
    try:
        yield
    finally:
        with _lock:
            _running -= 1
            if not _running:
                gc.set_threshold(*_before)
