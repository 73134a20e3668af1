"""Handles the signals that ask a process to stop, SIGINT (Ctrl-C) and SIGTERM: at once, or after the current step.

The command line imports this module before all others, so it must import next to nothing.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_last_acts: list[Callable[[], object]] = []


def end_on_signals() -> None:
    """From now on SIGINT and SIGTERM end this process with status 130 and 143, whatever it is doing, and remove
    half-written files. Signals that the process was told to ignore stay ignored.

    Raising an exception would not do: Python drops exceptions in some places, such as finalizers, and turns them into
    others while it imports modules. A signal that comes when all is done changes nothing any more.
    """
    atexit.register(_ignore_signals)
    for number in _SIGNALS:
        if signal.getsignal(number) not in (signal.SIG_IGN, None):
            signal.signal(number, _end)


def _ignore_signals() -> None:
    """Python restores the system's handlers when it ends, and a late signal would then end the process by itself."""
    if threading.current_thread() is threading.main_thread():
        for number in _SIGNALS:
            if signal.getsignal(number) is _end:
                signal.signal(number, signal.SIG_IGN)


@contextmanager
def last_act(act: Callable[[], object]) -> Iterator[None]:
    """If a signal ends the process at once while the body runs, ``act`` is called first; what it raises is dropped."""
    _last_acts.append(act)
    try:
        yield
    finally:
        _last_acts.remove(act)


def _end(number: int, frame: FrameType | None) -> None:
    for act in _last_acts:
        with suppress(Exception):
            act()
    files = sys.modules.get("netwright.specs.files")
    remove = getattr(files, "remove_temporary", None)  # the module may be only partly loaded
    if remove is not None:
        remove()
    os._exit(128 + number)


class InterruptRequest:
    """While this is entered, in the main thread, SIGINT or SIGTERM only sets ``signal`` to its number; a second one
    raises KeyboardInterrupt or SystemExit.

    On exit, a process that SIGTERM would have ended is ended by it. SIGTERM handlers that somebody else installed stay
    in place.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self._previous: dict[int, Any] = {}

    @property
    def requested(self) -> bool:
        """Whether a signal has arrived."""
        return self.signal is not None

    def __enter__(self) -> InterruptRequest:
        # Only the main thread may install handlers. A process told to ignore SIGINT keeps ignoring it.
        if threading.current_thread() is threading.main_thread():
            if (handler := signal.getsignal(signal.SIGINT)) not in (signal.SIG_IGN, None):
                self._previous[signal.SIGINT] = handler
            if (handler := signal.getsignal(signal.SIGTERM)) in (signal.SIG_DFL, _end):
                self._previous[signal.SIGTERM] = handler
            for number in self._previous:
                signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        previous, self._previous = self._previous, {}
        for number, handler in previous.items():
            signal.signal(number, handler)
        if self.signal == signal.SIGTERM and previous.get(signal.SIGTERM) is signal.SIG_DFL:
            signal.raise_signal(signal.SIGTERM)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)
        self.signal = number
