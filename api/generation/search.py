"""How sequences are gone on with, token by token: the most likely one, one drawn at random, or the best of a beam.

Many sequences are written at once. What is chosen for a sample depends on that sample, its number and the seed alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Decoder(Protocol):
    """The scores (logits) ``[B, V]`` of all tokens as the next one of sequences."""

    def begin(self, tokens: NDArray[np.int64]) -> NDArray:
        """After sequences that begin with ``tokens`` ``[B, t]``, a row per sample."""
        ...

    def advance(self, rows: NDArray[np.int64], tokens: NDArray[np.int64]) -> NDArray:
        """After those of ``rows`` of the last call, each with one more token ``[B]``."""
        ...


@dataclass(frozen=True)
class Ending:
    """When a sequence ends: after ``length`` new tokens, or with one of the tokens ``stop``, which is not kept."""

    length: int
    stop: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Continuation:
    """New tokens, and the logarithm of their probability, that of the token that ended them included."""

    tokens: list[int]
    log_probability: float


@dataclass(frozen=True)
class Drawing:
    """How tokens are drawn: from softmax(scores / ``temperature``), of the ``top`` most likely ones if that is given. A
    temperature of 0 takes the most likely token, the first of equal ones. Each sample has a random stream of its own.
    """

    temperature: float = 0.0
    top: int | None = None
    seed: int = 0
    _streams: dict[int, np.random.Generator] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def choose(self, logarithms: NDArray[np.float64], sample: int = 0) -> int:
        """A token, by the logarithms of the probabilities of all."""
        if self.temperature == 0:
            return int(logarithms.argmax())
        if sample not in self._streams:
            self._streams[sample] = np.random.default_rng((self.seed, sample))
        order = np.argsort(-logarithms, kind="stable")[: self.top]
        sums = np.cumsum(np.exp(log_softmax(logarithms[order] / self.temperature)))
        drawn = np.searchsorted(sums, self._streams[sample].random() * sums[-1], side="right")
        return int(order[min(drawn, len(order) - 1)])


def continued(
    decoder: Decoder,
    begun: NDArray[np.int64],
    drawing: Drawing,
    ending: Ending,
    never: Sequence[int] = (),
    *,
    first: int = 0,
    told: Callable[[int], None] | None = None,
) -> list[Continuation]:
    """What follows sequences ``[B, t]``, the samples ``first``, ``first`` + 1, …; tokens in ``never`` do not occur.
    ``told`` is called with each new token.
    """
    made = [(list[int](), 0.0) for _ in begun]
    alive = np.arange(len(begun))
    logarithms = _logarithms(decoder.begin(begun), never)
    for step in range(ending.length):
        chosen = [drawing.choose(row, first + int(n)) for row, n in zip(logarithms, alive, strict=True)]
        going: list[int] = []
        for row, (number, token) in enumerate(zip(alive.tolist(), chosen, strict=True)):
            tokens, total = made[number]
            made[number] = (tokens, total + float(logarithms[row, token]))
            if token not in ending.stop:
                tokens.append(token)
                going.append(row)
                if told is not None:
                    told(token)
        if not going or step + 1 == ending.length:
            break
        rows = np.array(going)
        logarithms = _logarithms(decoder.advance(rows, np.array(chosen)[rows]), never)
        alive = alive[rows]
    return [Continuation(tokens, total) for tokens, total in made]


@dataclass
class _Beam:
    """The sequences that are kept of a sample, with the logarithms of their probabilities, and the best one that ended,
    with the mean over its tokens."""

    kept: list[tuple[float, list[int]]] = field(default_factory=lambda: [(0.0, [])])
    best: tuple[float, Continuation] = (-np.inf, Continuation([], -np.inf))

    def grow(self, logarithms: NDArray[np.float64], size: int, ending: Ending) -> list[tuple[int, int]]:
        """Takes a further token into account. Returns the rows and tokens of the sequences that are kept."""
        totals = np.array([total for total, _ in self.kept])[:, None] + logarithms
        grown: list[tuple[float, list[int]]] = []
        sources: list[tuple[int, int]] = []
        for place in np.argsort(-totals, axis=None, kind="stable")[: size * (1 + len(ending.stop))]:
            row, token = divmod(int(place), totals.shape[1])
            total, tokens = float(totals[row, token]), self.kept[row][1]
            if total == -np.inf or len(grown) == size:
                break
            if token in ending.stop:
                self.end(total, tokens, len(tokens) + 1)
            else:
                grown.append((total, [*tokens, token]))
                sources.append((row, token))
        self.kept = grown
        # A total only falls from here on, so the best mean that a sequence can still get is this one over all tokens.
        if all(total / ending.length <= self.best[0] for total, _ in grown):
            self.kept, sources = [], []
        return sources

    def end(self, total: float, tokens: list[int], count: int) -> None:
        """Compares a sequence that ended with the best one. They are compared by the mean over their tokens, or the
        shortest would win.
        """
        if total / max(count, 1) > self.best[0]:
            self.best = (total / max(count, 1), Continuation(tokens, total))


def beam_search(
    decoder: Decoder, begun: NDArray[np.int64], size: int, ending: Ending, never: Sequence[int] = ()
) -> list[Continuation]:
    """What most likely follows sequences ``[B, t]``, among the ``size`` continuations of each that are kept at each
    step.
    """
    beams = [_Beam() for _ in begun]
    going = beams
    logarithms = _logarithms(decoder.begin(begun), never)
    for step in range(ending.length):
        rows: list[int] = []
        tokens: list[int] = []
        start = 0
        still = []
        for beam in going:
            count = len(beam.kept)
            for row, token in beam.grow(logarithms[start : start + count], size, ending):
                rows.append(start + row)
                tokens.append(token)
            start += count
            still += [beam] if beam.kept else []
        going = still
        if not rows or step + 1 == ending.length:
            break
        logarithms = _logarithms(decoder.advance(np.array(rows), np.array(tokens)), never)
    for beam in going:
        for total, tokens in beam.kept:
            beam.end(total, tokens, len(tokens))
    return [beam.best[1] for beam in beams]


def _logarithms(scores: NDArray, never: Sequence[int]) -> NDArray[np.float64]:
    logits = scores.astype(np.float64)
    logits[:, list(never)] = -np.inf
    return log_softmax(logits)


def log_softmax(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """log(exp(x) / Σ exp(x)) along the last axis."""
    shifted = x - x.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
