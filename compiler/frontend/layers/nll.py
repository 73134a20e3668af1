"""The negative log-likelihood as a layer."""

from __future__ import annotations

from netwright.specs.dims import product
from netwright.specs.models.layers.nll import NllLoss

from ...ops.views.layout import show
from ..expansion import Expansion
from ..functions.selection import one_hot
from ..problem import show_type
from ..scope import Scope, Signal
from ..tensor import Tensor, full, where


def expand_nll_loss(scope: Scope) -> Signal:
    """−weight[label]·log p[label], reduced as the layer says."""
    spec = scope.spec
    assert isinstance(spec, NllLoss)
    for signal in scope.inputs:
        scope.refuse_lengths(signal, "it would count padding")
    scores, labels = scope.floats(scope.inputs[0]), _labels(scope)
    counts = None
    if spec.ignore_index is not None:
        counts = labels.compare("ne", spec.ignore_index)
        labels = where(counts, labels, 0)
    chosen = where(one_hot(labels, scores), scores, 0).sum([scores.rank - 1])
    weights = _weights(scope, labels)
    if counts is not None:
        ones = full(scores.graph, 1, chosen.type) if weights is None else weights
        weights = where(counts, ones, 0)
    losses = -chosen if weights is None else -(chosen * weights)
    if spec.reduction == "none":
        return scope.give(losses)
    if spec.reduction == "sum":
        return scope.give(losses.sum())
    total = losses.count(product(losses.shape)) if weights is None else weights.sum()
    return scope.give(losses.sum() / total)


def _labels(scope: Scope) -> Tensor:
    scores, labels = scope.inputs[:2]
    if labels.dtype not in ("int32", "int64", "uint8"):
        message = f"the labels are {show_type(labels.dtype, labels.shape)}, not integers"
        raise scope.problem("NW0311", message, "inputs", 1, labels=scope.blame(labels))
    if not scores.rank:
        message = "the scores are one number, without an axis of classes"
        raise scope.problem("NW0308", message, "inputs", 0, labels=scope.blame(scores))
    if labels.shape != scores.shape[:-1]:
        message = f"labels {show(labels.shape)} for classes {show(scores.shape)}"
        blamed = [*scope.blame(scores), *scope.blame(labels)]
        raise scope.problem("NW0308", message, "inputs", 1, labels=blamed)
    return labels.tensor.cast("int64")


def _weights(scope: Scope, labels: Tensor) -> Tensor | None:
    if len(scope.inputs) < 3:
        return None
    weights, classes = scope.inputs[2], scope.inputs[0].shape[-1]
    if weights.shape != (classes,):
        message = f"weights {show(weights.shape)} for {classes} classes"
        raise scope.problem("NW0308", message, "inputs", 2, labels=scope.blame(weights))
    return scope.floats(weights).gather(labels)


EXPANSIONS = {
    NllLoss: Expansion(expand_nll_loss),
}
