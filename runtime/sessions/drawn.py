"""Weights that are made when they are needed."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Drawn:
    """An array of this shape and type that ``fill`` fills, with the same values each time."""

    shape: tuple[int, ...]
    dtype: np.dtype
    fill: Callable[[NDArray], None]


class Undrawn:
    """Weights by name that nobody has needed yet. Threads may ask for them side by side: one makes them, the others
    wait for it.
    """

    def __init__(self, drawn: Mapping[str, Drawn]):
        self._left = dict(drawn)
        self._unlock()
        _all.add(self)

    def __bool__(self) -> bool:
        return bool(self._left)

    def draw(self, arrays: Mapping[str, NDArray]) -> None:
        """Makes all that are left, in the arrays of their names. If that is interrupted, the next call goes on."""
        with self._lock:
            for name, drawn in list(self._left.items()):
                drawn.fill(arrays[name])
                del self._left[name]

    def forget(self, names: Iterable[str]) -> None:
        """Leaves out those that have got other values."""
        with self._lock:
            for name in names:
                self._left.pop(name, None)

    def _unlock(self) -> None:
        self._lock = threading.Lock()


_all: weakref.WeakSet[Undrawn] = weakref.WeakSet()


def _unlock_all() -> None:
    """In a forked child, replaces the locks: a thread that held one exists in the parent only."""
    for undrawn in _all:
        undrawn._unlock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_unlock_all)
