"""Losses and metrics over many batches.

The entries ``loss`` and ``train_step`` return numerators and counts (``loss.numerator``, ``loss.count``,
``metric.NAME.numerator``, …) instead of means, so that partial batches and padded steps add up exactly.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from numpy.typing import NDArray

_NUMERATOR, _COUNT, _METRIC = ".numerator", ".count", "metric."


class Totals:
    """Sums of numerators and counts, keyed by ``loss`` and each metric's name."""

    def __init__(self, sums: Mapping[str, tuple[float, float]] | None = None):
        self.sums: dict[str, tuple[float, float]] = dict(sums or {})

    def add(self, outputs: Mapping[str, NDArray]) -> None:
        """Adds one call's outputs."""
        for key, numerator in outputs.items():
            if key.endswith(_NUMERATOR):
                stem = key.removesuffix(_NUMERATOR)
                name = stem.removeprefix(_METRIC)
                total, count = self.sums.get(name, (0.0, 0.0))
                self.sums[name] = total + float(numerator), count + float(outputs[stem + _COUNT])

    def means(self) -> dict[str, float]:
        """Σ numerator / Σ count of each; NaN if the count is 0."""
        return {name: total / count if count else math.nan for name, (total, count) in self.sums.items()}


def means(outputs: Mapping[str, NDArray]) -> dict[str, float]:
    """The means of a single call."""
    totals = Totals()
    totals.add(outputs)
    return totals.means()
