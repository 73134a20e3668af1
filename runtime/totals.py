"""Losses and metrics over many batches.

The entries ``loss`` and ``train_step`` return sums (``loss.numerator``, ``loss.count``, ``metric.NAME.…``) instead of
means, so that partial batches and padded steps add up exactly. The manifest's scores say what is computed from them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.specs.manifest import ScoreInfo

from .scores import value_of


class Totals:
    """The sums of the scores over calls, by their names: ``loss``, then its parts and the metrics."""

    def __init__(self, scores: Sequence[ScoreInfo] = ()):
        self.scores = tuple(scores)
        self.sums: dict[str, tuple[NDArray, ...]] = {}

    def add(self, outputs: Mapping[str, NDArray]) -> None:
        """Adds one call's outputs."""
        for score in self.scores:
            new = [np.asarray(outputs[name], np.float64) for name in score.sums]
            known = self.sums.get(score.name)
            self.sums[score.name] = (
                tuple(a + b for a, b in zip(known, new, strict=True)) if known else tuple(new)
            )

    def means(self) -> dict[str, float]:
        """The value of each score; NaN if nothing was counted."""
        return {
            score.name: value_of(score, self.sums[score.name])
            for score in self.scores
            if score.name in self.sums
        }

    def to_json(self) -> dict[str, list[Any]]:
        """The sums as plain numbers and lists."""
        return {name: [part.tolist() for part in parts] for name, parts in self.sums.items()}

    def restore(self, written: Mapping[str, Sequence[Any]]) -> None:
        """Takes over what ``to_json`` returned. Raises ValueError if these are not the sums of the scores."""
        counts = {score.name: len(score.sums) for score in self.scores}
        if written and {name: len(parts) for name, parts in written.items()} != counts:
            raise ValueError(f"the totals are of {', '.join(written)}, not of {', '.join(counts)}")
        self.sums = {
            name: tuple(np.asarray(part, np.float64) for part in parts) for name, parts in written.items()
        }


def means(scores: Sequence[ScoreInfo], outputs: Mapping[str, NDArray]) -> dict[str, float]:
    """The scores of a single call."""
    return {score.name: value_of(score, [outputs[name] for name in score.sums]) for score in scores}


def infinite_loss(scores: Sequence[ScoreInfo], outputs: Mapping[str, NDArray]) -> tuple[str, float] | None:
    """The name and value of the first loss of a call whose sum is infinite or NaN."""
    (total, *others) = scores
    for name in total.sums[::2]:
        if not math.isfinite(value := float(outputs[name])):
            return next((part.name for part in others if part.sums[:1] == [name]), total.name), value
    return None
