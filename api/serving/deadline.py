"""A moment by which something has to happen on a connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import inf


class Deadline:
    """Calls ``expired`` when a deadline is over.

    Requests move it on, and leave the timer where it is: when that runs out, it is set again. To make and cancel a
    timer for each request would take longer than to read one.
    """

    __slots__ = ("_at", "_expired", "_loop", "_timer", "_timer_at")

    def __init__(self, loop: asyncio.AbstractEventLoop, expired: Callable[[], None]):
        self._loop, self._expired = loop, expired
        self._at = self._timer_at = inf
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_set(self) -> bool:
        return self._at < inf

    def set(self, seconds: float) -> None:
        """Moves the deadline to so many seconds from now."""
        self._at = self._loop.time() + seconds
        if self._at < self._timer_at:
            self._start(seconds)

    def clear(self) -> None:
        """Has no deadline until it is set again."""
        self._at = inf

    def end(self) -> None:
        """Ends the timer, for ever."""
        self._at, self._timer_at = inf, -inf
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _start(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = self._loop.time() + seconds
        self._timer = self._loop.call_later(seconds, self._run_out)

    def _run_out(self) -> None:
        self._timer, self._timer_at = None, inf
        left = self._at - self._loop.time()
        if left > 0:
            if left < inf:
                self._start(left)
        else:
            self._at = inf
            self._expired()
