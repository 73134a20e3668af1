"""Activations: the language's own by name, the others as equations."""

from __future__ import annotations

from typing import Any

from netwright.specs.models.layers import LAYERS

from ..arrange import regrouped
from ..context import Context
from ..operands import Held, Known, is_one
from .broadcast import equation, known_placed
from .shape import unbatched, with_last_joined
from .table import op

#: Layers whose `activation` may be set afterwards.
_TAKES = ("dense", "conv1d", "conv2d", "conv3d")


def activate(ctx: Context, kind: str, keys: dict[str, Any] | None = None) -> None:
    """An activation layer. If its input is a convolution or dense layer without other readers, that layer takes it
    over.
    """
    ctx.floats()
    value = ctx.settled(ctx.value())
    layer = ctx.writer.layers.get(value.ref)
    if layer is not None and layer.type in _TAKES and "activation" not in layer.keys and ctx.sole[0]:
        layer.keys["activation"] = {"type": kind, **keys} if keys else kind
        return ctx.give(value)
    ref = ctx.layer(kind, [value.ref], keys)
    ctx.give(Held(ref, value.dtype, value.shape, value.axes))


@op("Relu")
def relu(ctx: Context) -> None:
    """max(x, 0)."""
    if ctx.dtype() != ctx.writer.dtype:
        return ctx.give(equation(ctx, "maximum(x, 0)", {"x": ctx.value()}, fallback="relu"))
    activate(ctx, "relu")


@op("Sigmoid")
def sigmoid(ctx: Context) -> None:
    """1 / (1 + exp(−x))."""
    activate(ctx, "sigmoid")


@op("Tanh")
def tanh(ctx: Context) -> None:
    """The hyperbolic tangent."""
    activate(ctx, "tanh")


@op("Softplus")
def softplus(ctx: Context) -> None:
    """log(1 + exp(x))."""
    activate(ctx, "softplus")


@op("LeakyRelu", attributes="alpha")
def leaky_relu(ctx: Context) -> None:
    """x where x ≥ 0, else alpha·x."""
    slope = ctx.number("alpha", 0.01)
    activate(ctx, "leaky_relu", {"negative_slope": slope} if slope != 0.01 else None)


@op("Elu", attributes="alpha")
def elu(ctx: Context) -> None:
    """x where x > 0, else alpha·(exp(x) − 1)."""
    alpha = ctx.number("alpha", 1.0)
    activate(ctx, "elu", {"alpha": alpha} if alpha != 1.0 else None)


def _keyed(ctx: Context, kind: str, *numbers: tuple[str, str, float]) -> None:
    """An activation with parameters: ONNX's name, ours, and ONNX's default for each."""
    parameters = {key: ctx.number(name, default) for name, key, default in numbers}
    own = {key: field.default for key, field in LAYERS[kind].model_fields.items()}
    activate(ctx, kind, {key: value for key, value in parameters.items() if value != own[key]} or None)


@op("Gelu", attributes="approximate", since=20)
def gelu(ctx: Context) -> None:
    """x·Φ(x), or its approximation by tanh."""
    word = ctx.text("approximate", "none", "none", "tanh")
    activate(ctx, "gelu", {"approximate": "tanh"} if word == "tanh" else None)


@op("Selu", attributes="alpha gamma")
def selu(ctx: Context) -> None:
    """gamma·(x where x > 0, else alpha·(exp(x) − 1)); alpha and gamma were rounded before opset 6."""
    _keyed(ctx, "selu", ("alpha", "alpha", 1.6732632423543772), ("gamma", "gamma", 1.0507009873554805))


@op("Celu", attributes="alpha", since=12)
def celu(ctx: Context) -> None:
    """max(0, x) + min(0, alpha·(exp(x / alpha) − 1))."""
    _keyed(ctx, "celu", ("alpha", "alpha", 1.0))


@op("HardSigmoid", attributes="alpha beta")
def hard_sigmoid(ctx: Context) -> None:
    """max(0, min(1, alpha·x + beta))."""
    _keyed(ctx, "hard_sigmoid", ("alpha", "alpha", 0.2), ("beta", "beta", 0.5))


@op("HardSwish", since=14)
def hard_swish(ctx: Context) -> None:
    """x·max(0, min(1, x/6 + 1/2))."""
    activate(ctx, "hard_swish")


@op("Swish", attributes="alpha", since=24)
def swish(ctx: Context) -> None:
    """x·sigmoid(alpha·x)."""
    _keyed(ctx, "swish", ("alpha", "alpha", 1.0))


@op("Mish", since=18)
def mish(ctx: Context) -> None:
    """x·tanh(softplus(x))."""
    activate(ctx, "mish")


@op("Softsign")
def softsign(ctx: Context) -> None:
    """x / (1 + |x|)."""
    activate(ctx, "softsign")


@op("ThresholdedRelu", attributes="alpha", since=10)
def thresholded_relu(ctx: Context) -> None:
    """x where x > alpha, else 0."""
    _keyed(ctx, "thresholded_relu", ("alpha", "theta", 1.0))


@op("Shrink", attributes="bias lambd", since=9)
def shrink(ctx: Context) -> None:
    """x + bias below −lambd, x − bias above lambd, else 0."""
    _keyed(ctx, "shrink", ("bias", "bias", 0.0), ("lambd", "threshold", 0.5))


@op("PRelu")
def prelu(ctx: Context) -> None:
    """x where x ≥ 0, else slope·x; the slope broadcasts to x."""
    slope = ctx.value(1)
    if ctx.opset < 7 and len(slope.shape) == 1 and ctx.value().shape[1:2] == slope.shape:
        # One slope per channel, from before slopes broadcast from the right.
        shape = (*slope.shape, *(1,) * (len(ctx.shape()) - 2))
        slope = (
            Known(
                slope.array.reshape([int(size) for size in shape if isinstance(size, int)]),
                slope.dtype,
                slope.name,
            )
            if isinstance(slope, Known)
            else regrouped(ctx.writer, ctx.settled(slope), shape, may_merge=False)
        )
    if isinstance(slope, Known) and slope.dtype == ctx.writer.dtype and not slope.is_open:
        value = ctx.settled(ctx.value())
        array = (
            known_placed(slope.array, value.axes, value.rank)
            if slope.array.ndim <= value.rank
            else slope.array
        )
        keys = {"slope_shape": list(array.shape)} if array.shape != value.held_shape[-1:] else None
        ref = ctx.layer("prelu", [value.ref], keys, {"slope": array})
        return ctx.give(Held(ref, value.dtype, value.shape, value.axes))
    operands = {"x": ctx.value(0), "s": slope}
    ctx.give(equation(ctx, "where(x < 0, s * x, x)", operands, fallback="prelu"))


def normalized_axes(ctx: Context, rank: int) -> list[int]:
    """The axes of Softmax and its relatives: one since opset 13, before that from one to the last."""
    if ctx.opset >= 13:
        return [ctx.axis(-1, rank)]
    axis = ctx.axis(1, rank, end=True)
    return list(range(axis, rank))


@op("Softmax", "LogSoftmax", "Hardmax", attributes="axis")
def softmax(ctx: Context) -> None:
    """exp(x) / Σ exp(x), its logarithm, or 1 at the first maximum and 0 elsewhere."""
    ctx.floats()
    value = ctx.settled(ctx.value())
    axes = normalized_axes(ctx, value.rank)
    wide = [axis for axis in axes if not is_one(value.shape[axis])]
    if len(wide) > 1:
        return with_last_joined(ctx, value, axes, lambda joined: _along(ctx, joined, joined.rank - 1))
    ctx.give(_along(ctx, value, wide[0] if wide else axes[-1] if axes else value.rank - 1))


def _along(ctx: Context, value: Held, axis: int) -> Held:
    """The activation along one logical axis."""
    value = unbatched(ctx, value, axis)
    position = value.axes.index(axis) - len(value.axes)
    kind = {"Softmax": "softmax", "LogSoftmax": "log_softmax", "Hardmax": "hardmax"}[ctx.node.op]
    ref = ctx.layer(kind, [value.ref], {"axis": position} if position != -1 else None)
    return Held(ref, value.dtype, value.shape, value.axes)
