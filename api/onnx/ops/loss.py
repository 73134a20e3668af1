"""Losses that networks return as outputs."""

from __future__ import annotations

from typing import Any

from ..arrange import channels_last, identity
from ..context import Context
from ..errors import Refusal
from ..operands import Held
from .table import op


@op("NegativeLogLikelihoodLoss", attributes="ignore_index reduction", since=12)
def negative_log_likelihood(ctx: Context) -> None:
    """The negative log-likelihood of logarithms of probabilities."""
    ctx.floats()
    _loss(ctx, ctx.held())


@op("SoftmaxCrossEntropyLoss", attributes="ignore_index reduction", since=12)
def softmax_cross_entropy(ctx: Context) -> None:
    """The softmax cross-entropy of logits; the logarithms of the probabilities are the second output."""
    ctx.floats()
    value = ctx.held()
    axes = channels_last(value.rank)
    ref = ctx.layer("log_softmax", [ctx.arranged(value, axes)])
    logs = Held(ref, value.dtype, value.shape, axes)
    ctx.give(logs, 1)
    _loss(ctx, logs)


def _loss(ctx: Context, value: Held) -> None:
    labels = ctx.held(1)
    if value.rank < 2 or labels.rank != value.rank - 1 or labels.dtype not in ("int32", "int64"):
        raise Refusal(f"labels of {labels.rank} axes ({labels.dtype}) for scores of {value.rank}")
    inputs = [ctx.arranged(value, channels_last(value.rank)), ctx.arranged(labels, identity(labels.rank))]
    if ctx.has(2):
        inputs.append(ctx.arranged(ctx.held(2), (0,)))
    keys: dict[str, Any] = {}
    reduction = ctx.text("reduction", "mean", "none", "sum", "mean")
    if reduction != "mean":
        keys["reduction"] = reduction
    if "ignore_index" in ctx.node.attributes:
        keys["ignore_index"] = ctx.integer("ignore_index", 0)
    ref = ctx.layer("nll_loss", inputs, keys)
    if reduction == "none":
        ctx.give(Held(ref, value.dtype, labels.shape, identity(labels.rank)))
    else:
        ctx.give(Held(ctx.writer.reshaped(ref, (1,)), value.dtype, (), (None,)))
