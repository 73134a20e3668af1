"""Activations: those of the language under their names, the others as equations."""

from __future__ import annotations

from typing import Any

from ..arrange import regrouped
from ..context import Context
from ..errors import Refusal
from ..network import written
from ..values import Held, Known, is_one
from .broadcast import equation
from .shape import unbatched, with_last_joined
from .table import op

#: Layers whose `activation` may be set afterwards.
_TAKES = ("dense", "conv1d", "conv2d", "conv3d")


def activate(ctx: Context, kind: str, keys: dict[str, Any] | None = None) -> None:
    """An activation layer; a convolution or dense layer that nobody else reads takes it over."""
    ctx.floats()
    value = ctx.settled(ctx.value())
    layer = ctx.writer.layers.get(value.ref)
    if layer is not None and layer.type in _TAKES and "activation" not in layer.keys and ctx.sole[0]:
        layer.keys["activation"] = {"type": kind, **keys} if keys else kind
        return ctx.give(value)
    ref = ctx.layer(kind, [value.ref], keys)
    ctx.give(Held(ref, value.dtype, value.shape, value.axes))


@op("Relu", attributes="consumed_inputs")
def relu(ctx: Context) -> None:
    """max(x, 0)."""
    if ctx.dtype() != ctx.writer.dtype:
        return ctx.give(equation(ctx, "maximum(x, 0)", {"x": ctx.value()}, fallback="relu"))
    activate(ctx, "relu")


@op("Sigmoid", attributes="consumed_inputs")
def sigmoid(ctx: Context) -> None:
    """1 / (1 + exp(−x))."""
    activate(ctx, "sigmoid")


@op("Tanh", attributes="consumed_inputs")
def tanh(ctx: Context) -> None:
    """The hyperbolic tangent."""
    activate(ctx, "tanh")


@op("Softplus")
def softplus(ctx: Context) -> None:
    """log(1 + exp(x))."""
    activate(ctx, "softplus")


@op("LeakyRelu", attributes="alpha consumed_inputs")
def leaky_relu(ctx: Context) -> None:
    """x where x ≥ 0, else alpha·x."""
    slope = ctx.number("alpha", 0.01)
    activate(ctx, "leaky_relu", {"negative_slope": slope} if slope != 0.01 else None)


@op("Elu", attributes="alpha consumed_inputs")
def elu(ctx: Context) -> None:
    """x where x > 0, else alpha·(exp(x) − 1)."""
    alpha = ctx.number("alpha", 1.0)
    activate(ctx, "elu", {"alpha": alpha} if alpha != 1.0 else None)


@op("Gelu", attributes="approximate", since=20)
def gelu(ctx: Context) -> None:
    """x·Φ(x), or its approximation by tanh."""
    if ctx.text("approximate", "none", "none", "tanh") == "none":
        return activate(ctx, "gelu")
    _formula(ctx, "x * 0.5 * (1 + tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)))")


def _formula(ctx: Context, text: str) -> None:
    ctx.floats()
    ctx.give(equation(ctx, text, {"x": ctx.value()}, fallback=ctx.node.op.lower()))


@op("Selu", attributes="alpha gamma consumed_inputs")
def selu(ctx: Context) -> None:
    """gamma·(x where x > 0, else alpha·(exp(x) − 1))."""
    alpha = ctx.number("alpha", 1.67326319217681884765625)
    gamma = ctx.number("gamma", 1.05070102214813232421875)
    _formula(ctx, f"{gamma!r} * elu(x, {alpha!r})")


@op("Celu", attributes="alpha", since=12)
def celu(ctx: Context) -> None:
    """max(0, x) + min(0, alpha·(exp(x / alpha) − 1))."""
    alpha = ctx.number("alpha", 1.0)
    if alpha == 0:
        raise Refusal("it divides by 0", "alpha")
    _formula(ctx, f"maximum(x, 0) + minimum({alpha!r} * (exp(minimum(x / {alpha!r}, 0)) - 1), 0)")


@op("HardSigmoid", attributes="alpha beta")
def hard_sigmoid(ctx: Context) -> None:
    """max(0, min(1, alpha·x + beta))."""
    _formula(ctx, f"clip({ctx.number('alpha', 0.2)!r} * x + {ctx.number('beta', 0.5)!r}, 0, 1)")


@op("HardSwish", since=14)
def hard_swish(ctx: Context) -> None:
    """x·max(0, min(1, x/6 + 1/2))."""
    _formula(ctx, "x * clip(x / 6 + 0.5, 0, 1)")


@op("Swish", attributes="alpha", since=24)
def swish(ctx: Context) -> None:
    """x·sigmoid(alpha·x)."""
    alpha = ctx.number("alpha", 1.0)
    _formula(ctx, "x * sigmoid(x)" if alpha == 1 else f"x * sigmoid({alpha!r} * x)")


@op("Mish", since=18)
def mish(ctx: Context) -> None:
    """x·tanh(softplus(x))."""
    _formula(ctx, "x * tanh(softplus(x))")


@op("Softsign")
def softsign(ctx: Context) -> None:
    """x / (1 + |x|)."""
    _formula(ctx, "x / (1 + abs(x))")


@op("ThresholdedRelu", attributes="alpha", since=10)
def thresholded_relu(ctx: Context) -> None:
    """x where x > alpha, else 0."""
    _formula(ctx, f"where(x > {ctx.number('alpha', 1.0)!r}, x, x * 0)")


@op("Shrink", attributes="bias lambd", since=9)
def shrink(ctx: Context) -> None:
    """x + bias below −lambd, x − bias above lambd, else 0."""
    bias, lambd = ctx.number("bias", 0.0), ctx.number("lambd", 0.5)
    _formula(ctx, f"where(x < -({lambd!r}), x + {bias!r}, where(x > {lambd!r}, x - {bias!r}, x * 0))")


@op("PRelu", attributes="consumed_inputs")
def prelu(ctx: Context) -> None:
    """x where x ≥ 0, else slope·x; the slope broadcasts to x."""
    slope = ctx.value(1)
    if ctx.opset < 7 and len(slope.shape) == 1 and ctx.value().shape[1:2] == slope.shape:
        # One slope a channel, before slopes broadcast from the right.
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
    operands = {"x": ctx.value(0), "s": slope}
    ctx.give(equation(ctx, "where(x < 0, s * x, x)", operands, fallback="prelu"))


def normalized_axes(ctx: Context, rank: int) -> list[int]:
    """The axes of Softmax and its kin: one since opset 13, from one to the last before."""
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
    if kind == "hardmax":
        size = value.shape[axis]
        at_first = ctx.layer("argmax", [value.ref], {"axis": position} if position != -1 else None)
        shape = [1 if i == len(value.axes) + position else written(s) for i, s in enumerate(value.held_shape)]
        at_first = ctx.layer("reshape", [at_first], {"shape": shape})
        text = f"cast(index(x, axis={position}) == first, {value.dtype})"
        if is_one(size):
            text = "x * 0 + 1"
        names = ["x", "first"]
        ref = ctx.layer("expression", [value.ref, at_first], {"value": text}, variables=names, fallback=kind)
    else:
        ref = ctx.layer(kind, [value.ref], {"axis": position} if position != -1 else None)
    return Held(ref, value.dtype, value.shape, value.axes)
