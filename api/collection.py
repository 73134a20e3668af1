"""How often Python looks for cycles of garbage while a network is compiled."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

#: Thresholds for a time in which graphs grow and stay: Python's own would look through all of them again and again.
SELDOM = (1_000_000, 20, 100)

#: So many objects may be left to Python's next full collection; with more, the next compilation begins with one.
MOST_LEFT = 1_000_000

_lock = threading.Lock()
_running = 0
_before = SELDOM
_left = 0
_others_freeze = False


@contextmanager
def collected_seldom() -> Iterator[None]:
    """Collects seldom in this process until the last of those that run at the same time ends. A process that collects
    still less often, or never, is left alone.

    What was made in that time counts as old then: looking through all of it would take a tenth of the time that
    compiling took.
    """
    global _before, _left, _others_freeze, _running
    with _lock:
        if not _running:
            _before = gc.get_threshold()
            if _left > MOST_LEFT and gc.isenabled():
                gc.collect()
                _left = 0
            if 0 < _before[0] < SELDOM[0]:
                gc.set_threshold(*SELDOM)
        _running += 1
    try:
        yield
    finally:
        with _lock:
            _running -= 1
            if not _running:
                # Counting takes time for each object that others have frozen, so they are asked about once.
                _others_freeze = _others_freeze or gc.get_freeze_count() > 0
                if gc.get_threshold() == SELDOM and not _others_freeze:
                    _left += gc.get_count()[0]
                    gc.freeze()  # moves all objects out of the generations
                    gc.unfreeze()  # and into the oldest one
                gc.set_threshold(*_before)
