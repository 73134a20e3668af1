"""Windows of sequences in time: truncated backpropagation makes an update at each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Windows:
    """Cuts sequences into windows of ``size`` steps along the dim ``time``; the last may be shorter.

    ``lengths`` names the arrays ``[N]`` of valid steps a sequence: each window gets its share of them.
    """

    size: int
    time: str
    lengths: tuple[str, ...] = ()

    def steps(self, length: int) -> tuple[int, ...]:
        """How many steps the windows of a sequence have: all but the last one, and the last one where it differs."""
        rest = length % self.size
        return tuple(([self.size] if length >= self.size else []) + ([rest] if rest else []))
