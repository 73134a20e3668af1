"""How well texts agree with those that are meant: exactly, by edits of words and characters, and by what they share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

#: chrF compares n-grams of up to so many characters, and weighs recall so many times as much as precision.
_ORDER, _BETA = 6, 2


def edit_distance(said: Sequence[object], meant: Sequence[object]) -> int:
    """The least number of items that have to be inserted, deleted or replaced to turn one sequence into the other
    (Levenshtein, 1965).
    """
    before = list(range(len(meant) + 1))
    for row, item in enumerate(said, 1):
        current = [row]
        for column, other in enumerate(meant, 1):
            replaced = before[column - 1] + (item != other)
            current.append(min(before[column] + 1, current[-1] + 1, replaced))
        before = current
    return before[-1]


def error_rate(pairs: Iterable[tuple[Sequence[object], Sequence[object]]]) -> float:
    """The edits that turn what was said into what was meant, divided by the number of items meant: the word error rate
    of sequences of words, the character error rate of texts. NaN if nothing was meant.
    """
    edits = items = 0
    for said, meant in pairs:
        edits += edit_distance(said, meant)
        items += len(meant)
    return edits / items if items else float("nan")


def chrf(pairs: Iterable[tuple[str, str]]) -> float:
    """The agreement of texts with those meant, 0 to 100: the F score, with β = 2, of the mean precision and the mean
    recall of n-grams of 1 to 6 characters without spaces (chrF: Popović, 2015), counted over all texts. NaN if there
    are none.
    """
    counts = np.zeros((_ORDER, 3), np.int64)
    for said, meant in pairs:
        counts += _shared_grams("".join(said.split()), "".join(meant.split()))
    right, answered, wanted = counts[(counts[:, 1:] > 0).all(axis=1)].T
    if not len(right):
        return float("nan") if not counts.any() else 0.0
    precision, recall = float((right / answered).mean()), float((right / wanted).mean())
    weighted = _BETA**2 * precision + recall
    return 100 * (1 + _BETA**2) * precision * recall / weighted if weighted else 0.0


def _shared_grams(said: str, meant: str) -> NDArray[np.int64]:
    """For each length of n-grams: how many both texts have, how many the first one has, and the second."""
    rows = []
    for size in range(1, _ORDER + 1):
        own, other = (
            Counter(text[start : start + size] for start in range(len(text) - size + 1))
            for text in (said, meant)
        )
        rows.append((sum((own & other).values()), sum(own.values()), sum(other.values())))
    return np.array(rows, np.int64)
