"""The formulas of losses and metrics: from sums over any number of batches to the numbers that are reported.

Only these numbers are divided, never averaged again, so that they do not depend on how data are cut into batches.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from netwright.specs.manifest import ScoreInfo

Sums = Sequence[NDArray]


def value_of(score: ScoreInfo, sums: Sums) -> float:
    """A score of its sums; NaN if nothing was counted, or of sums that are not finite."""
    if score.formula == "mean":
        return _mean(score.weights, sums)
    with np.errstate(over="ignore", invalid="ignore"):
        return _FORMULAS[score.formula](*(np.atleast_1d(part.astype(np.float64)) for part in sums))


def _mean(weights: Sequence[float], sums: Sums) -> float:
    """Σ weight·numerator / count over the parts that were counted."""
    total: float | None = None
    for weight, numerator, count in zip(weights, sums[::2], sums[1::2], strict=True):
        if counted := float(count):
            mean = float(numerator) / counted * weight
            total = mean if total is None else total + mean
    return math.nan if total is None else total


def _ratio(numerator: NDArray, denominator: NDArray) -> NDArray:
    """The quotients, 0 where the denominator is."""
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator > 0)


def _over_classes(values: NDArray, answered: NDArray, meant: NDArray) -> float:
    """The mean over the classes that occur."""
    occurs = answered + meant > 0
    return float(values[occurs].mean()) if occurs.any() else math.nan


def _precision(right: NDArray, answered: NDArray, meant: NDArray) -> float:
    return _over_classes(_ratio(right, answered), answered, meant)


def _recall(right: NDArray, answered: NDArray, meant: NDArray) -> float:
    return _over_classes(_ratio(right, meant), answered, meant)


def _f1(right: NDArray, answered: NDArray, meant: NDArray) -> float:
    return _over_classes(_ratio(2 * right, answered + meant), answered, meant)


def _r2(residuals: NDArray, total: NDArray, squares: NDArray, count: NDArray) -> float:
    """The mean of 1 − Σ(x − t)² / Σ(t − mean t)²; where all targets are the same, 1 for exact answers, else 0."""
    if not count.all():
        return math.nan
    around = np.maximum(squares - total * total / count, 0)
    same = np.where(residuals == 0, 1.0, 0.0)
    return float(np.where(around > 0, 1 - residuals / np.where(around > 0, around, 1), same).mean())


def _auc(meant: NDArray, others: NDArray) -> float:
    """The mean area under the ROC curves, of the numbers of samples per range of scores ``[classes, ranges]``: Σ over
    ranges of meant·(others below + others / 2) / (all meant · all others). Classes without either are left out.
    """
    below = np.cumsum(others, axis=-1) - others
    pairs = meant.sum(-1) * others.sum(-1)
    areas = (meant * (below + others / 2)).sum(-1)[pairs > 0] / pairs[pairs > 0]
    return float(areas.mean()) if areas.size else math.nan


def _perplexity(numerator: NDArray, count: NDArray) -> float:
    if not count[0]:
        return math.nan
    try:
        return math.exp(numerator[0] / count[0])  # the C library's, as in executables that train
    except OverflowError:
        return math.inf


_FORMULAS: Mapping[str, Callable[..., float]] = {
    "precision": _precision,
    "recall": _recall,
    "f1": _f1,
    "r2": _r2,
    "auc": _auc,
    "perplexity": _perplexity,
}
