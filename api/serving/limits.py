"""What a server takes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """The most samples in a batch, and for how many seconds one waits for more requests; the most bytes in a request's
    body; how many requests can wait; how many sequences can be in progress (0: streams are not served), and after how
    many idle seconds they are forgotten.
    """

    batch: int = 32
    delay: float = 0.0
    body: int = 64 << 20
    waiting: int = 1024
    sequences: int = 0
    sequence_timeout: float = 60.0
