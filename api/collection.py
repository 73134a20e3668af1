"""How often Python looks for cycles of garbage while a network is compiled."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from netwright.specs.overlapping import Overlapping

#: Thresholds for a time in which graphs grow and stay: Python's own would look through all of them again and again.
SELDOM = (1_000_000, 20, 100)

#: So many objects may be left to Python's next full collection; with more, the next compilation begins with one.
MOST_LEFT = 1_000_000


class _Collector:
    """Python's collector, made to collect seldom and as before again."""

    def __init__(self) -> None:
        self._before = SELDOM
        self._left = 0  # objects that no collection has looked at
        self._others_freeze = False

    def begin(self) -> None:
        self._before = gc.get_threshold()
        if self._left > MOST_LEFT and gc.isenabled():
            gc.collect()
            self._left = 0
        if 0 < self._before[0] < SELDOM[0]:
            gc.set_threshold(*SELDOM)

    def end(self) -> None:
        # Counting takes time for each object that others have frozen, so they are asked about once.
        self._others_freeze = self._others_freeze or gc.get_freeze_count() > 0
        if gc.get_threshold() == SELDOM and not self._others_freeze:
            self._left += gc.get_count()[0]
            gc.freeze()  # moves all objects out of the generations
            gc.unfreeze()  # and into the oldest one
        gc.set_threshold(*self._before)


_collector = _Collector()
_seldom = Overlapping(_collector.begin, _collector.end)


@contextmanager
def collected_seldom() -> Iterator[None]:
    """Collects seldom in this process until the last of those that run at the same time ends. A process that collects
    still less often, or never, is left alone.

    What was made in that time counts as old then: looking through all of it would take a tenth of the time that
    compiling took.
    """
    with _seldom():
        yield
