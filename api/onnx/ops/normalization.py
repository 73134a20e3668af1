"""Normalizations and dropout."""

from __future__ import annotations

from ..arrange import channels_last
from ..context import Context
from ..errors import Refusal
from ..values import Held
from .broadcast import equation
from .table import op


@op("BatchNormalization", attributes="consumed_inputs epsilon is_test momentum training_mode spatial")
def batch_normalization(ctx: Context) -> None:
    """By running statistics."""
    ctx.floats()
    if not ctx.integer("spatial", 1):
        raise Refusal("each element its own statistics is not supported", "spatial")
    if ctx.integer("training_mode", 0) or (ctx.opset < 7 and not ctx.integer("is_test", 0)):
        raise Refusal("training is not supported", "training_mode")
    ctx.refuse_outputs(1)
    value = ctx.settled(ctx.value())
    if value.rank < 2:
        raise Refusal("an input without channels")
    keys: dict = {}
    epsilon, momentum = ctx.number("epsilon", 1e-5), ctx.number("momentum", 0.9)
    if epsilon != 1e-5:
        keys["epsilon"] = epsilon
    if momentum != 0.9:
        keys["momentum"] = momentum
    names = ("gamma", "beta", "mean", "variance")
    weights = {name: ctx.array(1 + i, name).astype(value.dtype).reshape(-1) for i, name in enumerate(names)}
    axes = value.axes if len(value.axes) > 1 and value.axes[-1] == 1 else channels_last(value.rank)
    ref = ctx.layer("batch_norm", [ctx.arranged(value, axes)], keys, weights)
    ctx.give(Held(ref, value.dtype, value.shape, axes))


@op("Dropout", attributes="consumed_inputs is_test ratio seed")
def dropout(ctx: Context) -> None:
    """Nothing in prediction; a layer of its own, for training on."""
    ctx.floats()
    ratio = ctx.number("ratio", 0.5)
    if ctx.opset >= 12:
        ratio = float(ctx.array(1, "the ratio").reshape(())) if ctx.has(1) else 0.5
        if ctx.has(2) and ctx.array(2, "the mode").reshape(()):
            raise Refusal("training is not supported")
    value = ctx.settled(ctx.value())
    if not 0 <= ratio < 1:
        raise Refusal(f"the ratio {ratio} is no probability below 1")
    ref = ctx.layer("dropout", [value.ref], {"rate": ratio})
    ctx.give(Held(ref, value.dtype, value.shape, value.axes))
    if ctx.wants(1):
        # Whatever is not dropped is marked; before opset 10 by a number.
        mask = equation(ctx, "x == x" if ctx.opset >= 10 else "x * 0 + 1", {"x": value}, fallback="mask")
        ctx.give(mask, 1)
