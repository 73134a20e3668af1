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
from ..equations.tensor import Tensor, iota, where
from ..layers.activation import log_softmax, softplus


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


def one_hot(classes: Tensor, like: Tensor) -> Tensor:
    """Where the last axis of ``like`` has the position that ``classes`` names.

    The class is looked up in the table 0, 1, 2, …, which changes nothing but makes a class that does not exist
    an error at run time, as it is for every other table.
    """
    table = iota(like.graph, "int64", (like.shape[-1],), 0)
    checked = table.gather(classes)
    positions = iota(like.graph, "int64", like.shape, like.rank - 1)
    return positions.compare("eq", checked.broadcast(like.shape, range(like.rank - 1)))


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
