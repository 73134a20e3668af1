"""Losses as layers, for networks that output a loss. A spec's own training uses `train.loss` instead."""

from __future__ import annotations

from typing import ClassVar, Literal

from ..base import Integer
from .base import LayerSpec


class NllLoss(LayerSpec):
    """The negative log-likelihood of labels: −weight[label]·log p[label].

    Inputs: logarithms of probabilities `[N, …, C]` (from log_softmax: the softmax cross-entropy), integer labels
    `[N, …]`, and optionally a weight for each class `[C]`. A label outside 0 … C − 1 is an error at run time.
    """

    arity: ClassVar[tuple[int, int | None]] = (2, 3)

    type: Literal["nll_loss"] = "nll_loss"
    ignore_index: Integer | None = None
    """The label of elements that do not count."""
    reduction: Literal["none", "sum", "mean"] = "mean"
    """none: one loss for each label; sum; mean: the sum divided by the total weight of the labels that count."""


LAYERS = (NllLoss,)
