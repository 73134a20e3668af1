"""Losses and metrics, element by element; ``objective.py`` sums them."""

from __future__ import annotations

from netwright.specs.models.train import (
    AnyLoss,
    BinaryCrossEntropy,
    Huber,
    MeanAbsoluteError,
    MeanSquaredError,
    SoftmaxCrossEntropy,
)

from ...graph.types import FLOATS
from ..functions.activation import log_softmax, softplus
from ..functions.selection import one_hot
from ..tensor import Tensor, where


def loss_elements(loss: AnyLoss, x: Tensor, target: Tensor) -> Tensor:
    """The loss of each element; of each sample or step for softmax_cross_entropy."""
    match loss:
        case SoftmaxCrossEntropy():
            return softmax_cross_entropy(x, target)
        case BinaryCrossEntropy():
            return softplus(x) - x * target
        case MeanSquaredError():
            return squared_error(x, target)
        case MeanAbsoluteError():
            return (x - target).abs()
        case Huber(delta=delta):
            distance = (x - target).abs()
            square = distance * distance * 0.5
            return where(distance.compare("le", delta), square, (distance - 0.5 * delta) * delta)
    raise TypeError(f"unknown loss {loss!r}")


def squared_error(x: Tensor, target: Tensor) -> Tensor:
    difference = x - target
    return difference * difference


def softmax_cross_entropy(x: Tensor, target: Tensor) -> Tensor:
    """−Σ target·log softmax(x) over the last axis; the target holds classes or probabilities."""
    logarithms = log_softmax(x)
    if target.dtype in FLOATS:
        return -(logarithms * target).sum([x.rank - 1])
    return -where(one_hot(target, x), logarithms, 0).sum([x.rank - 1])


def correct(x: Tensor, target: Tensor, *, logistic: bool) -> Tensor:
    """1 where the answer is right, else 0.

    ``logistic``: each element of ``x`` is a logit, right where its sign says what target > ½ says. Else the class
    is the position of the largest value of the last axis, or ``x`` itself where that holds integers.
    """
    if logistic:
        right = x.compare("gt", 0).apply("eq", target.compare("gt", 0.5))
    else:
        said = x.argmax(x.rank - 1) if x.dtype in FLOATS else x.cast("int64")
        meant = target.argmax(target.rank - 1) if target.dtype in FLOATS else target
        right = said.compare("eq", meant)
    return right.cast(x.dtype if x.dtype in FLOATS else "float32")
