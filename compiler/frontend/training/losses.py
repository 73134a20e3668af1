"""The losses, element by element; ``objective.py`` adds them up."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from netwright.specs.models.losses import (
    BinaryCrossEntropy,
    Cosine,
    Hinge,
    Huber,
    KlDivergence,
    LogCosh,
    LossSpec,
    MeanAbsoluteError,
    MeanSquaredError,
    MultiClassHinge,
    Poisson,
    SoftmaxCrossEntropy,
)

from ...graph.types import FLOATS
from ..functions.activation import log_softmax, softplus
from ..functions.arithmetic import constant_power
from ..functions.selection import one_hot
from ..tensor import Tensor, constant, where

#: The least norm that `cosine` divides by, and the least base of a fractional power.
_LEAST = 1e-8


@dataclass(frozen=True, slots=True)
class Terms:
    """What a loss adds up: a number per element, or per sample or step, and what each counts in the mean (None: 1)."""

    elements: Tensor
    counts: Tensor | None = None


def loss_terms(loss: LossSpec, x: Tensor, target: Tensor) -> Terms:
    """The terms of a loss: of each element, or where it reads the whole last axis of each sample or step."""
    match loss:
        case SoftmaxCrossEntropy():
            return softmax_cross_entropy(loss, x, target)
        case BinaryCrossEntropy():
            return Terms(binary_cross_entropy(loss, x, target))
        case MeanSquaredError():
            return Terms(squared_error(x, target))
        case MeanAbsoluteError():
            return Terms((x - target).abs())
        case Huber(delta=delta):
            distance = (x - target).abs()
            square = distance * distance * 0.5
            return Terms(where(distance.compare("le", delta), square, (distance - 0.5 * delta) * delta))
        case LogCosh():
            difference = x - target
            return Terms(difference + softplus(difference * -2) - math.log(2))
        case Poisson():
            return Terms(x.exp() - target * x)
        case Hinge(margin=margin, squared=squared):
            short = margin - where(target.compare("gt", 0), x, -x)
            return Terms(_positive(short, squared))
        case MultiClassHinge():
            return Terms(multi_class_hinge(loss, x, target))
        case KlDivergence():
            known = where(target.compare("gt", 0), target, 1)
            return Terms((target * (known.log() - log_softmax(x))).sum([x.rank - 1]))
        case Cosine():
            return Terms(1 - cosine(x, target))
    raise TypeError(f"unknown loss {loss!r}")


def squared_error(x: Tensor, target: Tensor) -> Tensor:
    difference = x - target
    return difference * difference


def softmax_cross_entropy(loss: SoftmaxCrossEntropy, x: Tensor, target: Tensor) -> Terms:
    """−Σ target·weight·log softmax(x) over the last axis; the target holds classes or probabilities."""
    axis, epsilon, weights = x.rank - 1, loss.label_smoothing, loss.class_weights
    terms = logarithms = log_softmax(x)
    if loss.focal_gamma:
        terms = terms * _power(1 - logarithms.exp(), loss.focal_gamma)
    table = None if weights is None else constant(x.graph, np.asarray(weights, x.dtype))
    if table is not None:
        terms = terms * table.broadcast(x.shape, [axis])
    if target.dtype in FLOATS:
        if epsilon:
            target = target * (1 - epsilon) + epsilon / x.count(x.shape[axis])
        return Terms(-(terms * target).sum([axis]))
    losses = -where(one_hot(target, x), terms, 0).sum([axis])
    if epsilon:
        losses = losses * (1 - epsilon) - terms.sum([axis]) * (epsilon / x.count(x.shape[axis]))
    return Terms(losses, None if table is None else table.gather(target))


def binary_cross_entropy(loss: BinaryCrossEntropy, x: Tensor, target: Tensor) -> Tensor:
    """softplus(x) − x·t, or with weights of the positives (1 − t)·x + (1 + (w − 1)·t)·softplus(−x)."""
    if loss.label_smoothing:
        target = target * (1 - loss.label_smoothing) + loss.label_smoothing / 2
    if loss.positive_weight is None:
        losses = softplus(x) - x * target
    else:
        weights = constant(x.graph, np.asarray(loss.positive_weight, x.dtype)).to(x.shape)
        losses = (1 - target) * x + (1 + (weights - 1) * target) * softplus(-x)
    if not loss.focal_gamma:
        return losses
    return losses * _power(target * (-x).sigmoid() + (1 - target) * x.sigmoid(), loss.focal_gamma)


def multi_class_hinge(loss: MultiClassHinge, x: Tensor, target: Tensor) -> Tensor:
    """Σ max(0, margin − x[t] + x[i]) / C over the other classes i."""
    axis, meant = x.rank - 1, one_hot(target, x)
    own = where(meant, x, 0).sum([axis], keep=True)
    others = where(meant.negated(), _positive(x - own + loss.margin, loss.squared), 0)
    return others.sum([axis]) / x.count(x.shape[axis])


def cosine(x: Tensor, target: Tensor) -> Tensor:
    """x·t / (‖x‖·‖t‖) along the last axis."""
    axis = [x.rank - 1]
    norms = [(each * each).sum(axis).maximum(_LEAST**2).sqrt() for each in (x, target)]
    return (x * target).sum(axis) / (norms[0] * norms[1])


def _positive(x: Tensor, squared: bool) -> Tensor:
    positive = x.maximum(0)
    return positive * positive if squared else positive


def _power(base: Tensor, exponent: float) -> Tensor:
    """A power of a probability. The slope of a fractional power has no end at 0."""
    return constant_power(base if exponent.is_integer() else base.maximum(_LEAST), exponent)
