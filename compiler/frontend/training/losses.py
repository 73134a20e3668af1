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
    """The loss of each element; for softmax_cross_entropy, of each sample or step."""
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

    ``logistic``: each element of ``x`` is a logit, which is right if it is positive where the target is above ½ and
    only there. Otherwise the class is the position of the largest value on the last axis, or ``x`` itself if that
    holds integers.
    """
    if logistic:
        right = x.compare("gt", 0).apply("eq", target.compare("gt", 0.5))
    else:
        said = x.argmax(x.rank - 1) if x.dtype in FLOATS else x.cast("int64")
        meant = target.argmax(target.rank - 1) if target.dtype in FLOATS else target
        right = said.compare("eq", meant)
    return right.cast(x.dtype if x.dtype in FLOATS else "float32")
