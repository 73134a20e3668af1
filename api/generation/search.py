"""How a sequence is gone on with, token by token: the most likely one, one drawn at random, or the best of a beam."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

#: The scores (logits) ``[B, V]`` of all tokens as the next one of sequences ``[B, t]``.
Scores: TypeAlias = Callable[[NDArray[np.int64]], NDArray]


@dataclass(frozen=True)
class Ending:
    """When a sequence ends: after ``length`` new tokens, or with one of the tokens ``stop``, which is not kept."""

    length: int
    stop: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Drawing:
    """How tokens are drawn: from softmax(scores / ``temperature``), of the ``top`` most likely ones if that is given. A
    temperature of 0 takes the most likely token, the first of equal ones.
    """

    temperature: float = 0.0
    top: int | None = None
    seed: int = 0
    _random: np.random.Generator = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_random", np.random.default_rng(self.seed))

    def choose(self, logarithms: NDArray[np.float64]) -> int:
        """A token, by the logarithms of the probabilities of all."""
        if self.temperature == 0:
            return int(logarithms.argmax())
        order = np.argsort(-logarithms, kind="stable")[: self.top]
        sums = np.cumsum(np.exp(log_softmax(logarithms[order] / self.temperature)))
        drawn = np.searchsorted(sums, self._random.random() * sums[-1], side="right")
        return int(order[min(drawn, len(order) - 1)])


def continued(
    scores: Scores, begun: Sequence[int], drawing: Drawing, ending: Ending, never: Sequence[int] = ()
) -> Iterator[tuple[int, float]]:
    """New tokens, each with the logarithm of its probability; those in ``never`` do not occur."""
    tokens = list(begun)
    for _ in range(ending.length):
        logarithms = _logarithms(scores, [tokens], never)[0]
        token = drawing.choose(logarithms)
        if token in ending.stop:
            return
        tokens.append(token)
        yield token, float(logarithms[token])


def beam_search(
    scores: Scores, begun: Sequence[int], size: int, ending: Ending, never: Sequence[int] = ()
) -> tuple[list[int], float]:
    """The new tokens that are most likely among the ``size`` sequences kept at each step, and the logarithm of their
    probability. Sequences that end are compared by the mean over their tokens, or the shortest would win.
    """
    beam: list[tuple[float, list[int]]] = [(0.0, [])]
    ended: list[tuple[float, float, list[int]]] = []
    for _ in range(ending.length):
        logarithms = _logarithms(scores, [[*begun, *tokens] for _, tokens in beam], never)
        totals = np.array([total for total, _ in beam])[:, None] + logarithms
        grown: list[tuple[float, list[int]]] = []
        for place in np.argsort(-totals, axis=None, kind="stable")[: 2 * size]:
            row, token = divmod(int(place), totals.shape[1])
            total, tokens = float(totals[row, token]), beam[row][1]
            if total == -np.inf or len(grown) == size:
                break
            if token in ending.stop:
                ended.append((total / (len(tokens) + 1), total, tokens))
            else:
                grown.append((total, [*tokens, token]))
        beam = grown
        # A total only falls from here on, so the best mean that a sequence can still get is this one over all tokens.
        best = max((mean for mean, _, _ in ended), default=-np.inf)
        if not beam or all(total / ending.length <= best for total, _ in beam):
            break
    ended += [(total / max(len(tokens), 1), total, tokens) for total, tokens in beam]
    _, total, tokens = max(ended, key=lambda answer: answer[0])
    return tokens, total


def _logarithms(scores: Scores, rows: Sequence[Sequence[int]], never: Sequence[int]) -> NDArray[np.float64]:
    logits = scores(np.array(rows, np.int64)).astype(np.float64)
    logits[:, list(never)] = -np.inf
    return log_softmax(logits)


def log_softmax(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """log(exp(x) / Σ exp(x)) along the last axis."""
    shifted = x - x.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
