"""Windows of sequences in time: truncated backpropagation makes one update per window."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Windows:
    """Cuts sequences into windows of ``size`` steps along the dim ``time``; the last one may be shorter.

    ``lengths`` names the arrays ``[N]`` with the number of valid steps per sequence, which are adjusted to each window.
    """

    size: int
    time: str
    lengths: tuple[str, ...] = ()

    def steps(self, length: int) -> tuple[int, ...]:
        """The different lengths of a sequence's windows: ``size`` for all but the last, and the rest for the last."""
        rest = length % self.size
        return tuple(([self.size] if length >= self.size else []) + ([rest] if rest else []))
