"""Where the samples of a data set of tokens lie among all tokens: each by itself, or windows of one stream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError


@dataclass(frozen=True)
class Spans:
    """``starts`` says where each sample begins among tokens that follow each other, ``counts`` how many it has. Samples
    may overlap. Of ``followed`` samples the last token is only read as the one that follows the token before it.
    """

    starts: NDArray[np.int64]
    counts: NDArray[np.int64]
    followed: bool = False

    @classmethod
    def between(cls, offsets: NDArray[np.int64]) -> Spans:
        """Samples that begin at each of these ``offsets`` but the last, which is where the last sample ends."""
        return cls(offsets[:-1], np.diff(offsets))

    @classmethod
    def windows(cls, total: int, length: int, stride: int, path: object) -> Spans:
        """Windows of ``length`` tokens, each with the token that follows it, that begin ``stride`` tokens apart in a
        stream of ``total`` tokens. Tokens that fill no window are left over. Raises DataError if none is filled.
        """
        if total <= length:
            raise DataError(
                f"{path} has {total:,} tokens; a window of {length:,} and the token after it need {length + 1:,}"
            )
        starts = np.arange(0, total - length, stride, dtype=np.int64)
        return cls(starts, np.full(len(starts), length + 1, np.int64), followed=True)

    @property
    def own(self) -> NDArray[np.int64]:
        """How many tokens of each sample are read as its own."""
        return np.maximum(self.counts - 1, 0) if self.followed else self.counts

    def as_followed(self) -> Spans:
        """The same samples, each without its last token, which follows the one before it."""
        return replace(self, followed=True)

    def place(self, row: int) -> str:
        """The tokens of a sample of a stream, counted from 1."""
        first = int(self.starts[row]) + 1
        return f"tokens {first:,} to {first + int(self.own[row]) - 1:,}"

    def covering(self, rows: NDArray[np.int64], total: int) -> NDArray[np.bool_]:
        """Which of ``total`` tokens lie in these samples."""
        steps = np.zeros(total + 1, np.int64)
        np.add.at(steps, self.starts[rows], 1)
        np.add.at(steps, self.starts[rows] + self.counts[rows], -1)
        return np.cumsum(steps[:-1]) > 0


def offsets_of(lengths: Sequence[int]) -> NDArray[np.int64]:
    """Where sequences of these lengths begin, and where the last one ends."""
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64)
