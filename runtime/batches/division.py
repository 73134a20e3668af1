"""How a batch is divided into parts, and which of them a process computes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Division:
    """A batch is divided into ``parts``, of which this process computes those from ``first`` to before ``last``. Parts
    have equally many samples, or one more; those of a small batch may have none.
    """

    parts: int = 1
    first: int = 0
    last: int = 1

    @classmethod
    def of_rank(cls, rank: int, ranks: int, parts: int) -> Division:
        """The parts of one of several processes."""
        return cls(parts, parts * rank // ranks, parts * (rank + 1) // ranks)

    @property
    def own(self) -> range:
        """The numbers of this process's parts."""
        return range(self.first, self.last)

    def rows(self, samples: int, part: int | None = None) -> slice:
        """The rows of a part, or of all of this process's parts, in a batch of so many ``samples``."""
        first, last = (self.first, self.last) if part is None else (part, part + 1)
        return slice(samples * first // self.parts, samples * last // self.parts)


#: All of a batch, in one part.
WHOLE = Division()
