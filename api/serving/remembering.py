"""What is made once and remembered."""

from __future__ import annotations

from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


def keep(known: dict[K, V], name: K, value: V, most: int) -> V:
    """Remembers a value, and returns it. Up to ``most`` are remembered; when there are more, all are forgotten."""
    if len(known) >= most:
        known.clear()
    known[name] = value
    return value
