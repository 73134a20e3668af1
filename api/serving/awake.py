"""Waiting awake: for a moment after an answer, the event loop looks for the next request without going to sleep."""

from __future__ import annotations

import asyncio
from math import inf
from time import perf_counter

from netwright.runtime.engines.processors import processor_count

#: So many seconds after an answer the loop stays awake. A client that goes on at once has asked again by then.
AWAKE = 0.0002
#: If nothing was answered meanwhile, the loop sleeps after answers for so many seconds, and twice as many each time
#: that it was in vain again, up to the most. A client that never asks in time costs 0.4 % of a processor.
FIRST_PAUSE, LONGEST_PAUSE = 0.001, 0.05
#: A turn of the loop that takes so many seconds was interrupted by another process.
INTERRUPTED = 0.0005


class Awake:
    """Keeps an event loop awake between requests that follow each other closely.

    A processor that has gone to sleep wakes late, and with cold caches: on a virtual machine that takes longer than to
    answer a small request. Where other processes need the processor, perhaps the client's, the loop sleeps. With a
    single processor it always does.
    """

    def __init__(self) -> None:
        self._until = self._looked = 0.0
        self._sleeps_until = 0.0 if processor_count() > 1 else inf
        self._pause = FIRST_PAUSE
        #: The loop is kept awake.
        self.active = False

    def answered(self, loop: asyncio.AbstractEventLoop) -> None:
        """Has the loop stay awake for a moment; to be called when a request was answered."""
        now = perf_counter()
        if self.active:
            self._pause = FIRST_PAUSE
        elif now < self._sleeps_until:
            return
        else:
            self.active = True
            loop.call_soon(self._turn, loop)
        self._looked, self._until = now, now + AWAKE

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        """Comes back when the loop has looked for what has arrived."""
        now = perf_counter()
        if now - self._looked > INTERRUPTED:
            self._pause = LONGEST_PAUSE
        elif now < self._until:
            self._looked = now
            loop.call_soon(self._turn, loop)
            return
        self.active = False
        self._sleeps_until = now + self._pause
        self._pause = min(2 * self._pause, LONGEST_PAUSE)
