"""Activations, as functions of tensors and as layers."""

from __future__ import annotations

import math

from netwright.specs.activations import (
    ActivationSpec,
    Elu,
    Gelu,
    LeakyRelu,
    Linear,
    LogSoftmax,
    Relu,
    Sigmoid,
    Softmax,
    Softplus,
    Tanh,
)

from .scope import Scope, Signal
from .tensor import Tensor, full, where


def relu(x: Tensor) -> Tensor:
    """max(x, 0): NaN stays NaN, and the slope at 0 is 0."""
    return x.maximum(0)


def leaky_relu(x: Tensor, slope: float) -> Tensor:
    """x where x > 0, else slope·x."""
    return where(x.compare("gt", 0), x, x * slope)


def elu(x: Tensor, alpha: float) -> Tensor:
    """x where x > 0, else alpha·(exp(x) − 1); the exponential never sees a positive x."""
    positive = x.compare("gt", 0)
    negative = where(positive, full(x.graph, 0, x.type), x)
    return where(positive, x, (negative.exp() - 1) * alpha)


def gelu(x: Tensor) -> Tensor:
    """x/2·(1 + erf(x/√2)) (Hendrycks and Gimpel, 2016), the exact form."""
    return x * 0.5 * ((x * (1 / math.sqrt(2))).erf() + 1)


def softplus(x: Tensor) -> Tensor:
    """log(1 + exp(x)) without overflow, to full relative precision for very negative x too.

    With m = max(x, 0) it is m + log(u), u = exp(x − m) + exp(−m), where one term is 1 and the other,
    e, may vanish beside it; (1 + e − u) / u gives back what rounding u lost. The slope of log(u) is exactly
    the sigmoid, so m and the correction count as constants.
    """
    m = x.maximum(0).detached()
    a, b = (x - m).exp(), (-m).exp()
    u = a + b
    lost = ((a.minimum(b) - (u - 1)) / u).detached()
    return m + (u.log() + lost)


def softmax(x: Tensor, axis: int = -1) -> Tensor:
    """exp(x − m) / Σ exp(x − m) along an axis, m the maximum there."""
    axis %= x.rank
    exponentials = (x - x.reduce("max", [axis], keep=True).detached()).exp()
    return exponentials / exponentials.sum([axis], keep=True)


def log_softmax(x: Tensor, axis: int = -1) -> Tensor:
    """x − m − log Σ exp(x − m) along an axis, m the maximum there."""
    axis %= x.rank
    shifted = x - x.reduce("max", [axis], keep=True).detached()
    return shifted - shifted.exp().sum([axis], keep=True).log()


def activate(x: Tensor, activation: ActivationSpec) -> Tensor:
    """An activation applied to a tensor."""
    match activation:
        case Linear():
            return x
        case Relu():
            return relu(x)
        case LeakyRelu(negative_slope=slope):
            return leaky_relu(x, slope)
        case Elu(alpha=alpha):
            return elu(x, alpha)
        case Gelu():
            return gelu(x)
        case Sigmoid():
            return x.sigmoid()
        case Tanh():
            return x.tanh()
        case Softplus():
            return softplus(x)
        case Softmax(axis=axis):
            return softmax(x, axis)
        case LogSoftmax(axis=axis):
            return log_softmax(x, axis)
    raise TypeError(f"unknown activation {activation!r}")


def checked_activation(scope: Scope, signal: Signal, activation: ActivationSpec, *path: str) -> Signal:
    """An activation applied to a signal. Raises Problem for an axis that does not exist, is the batch, or is
    the time of sequences that have lengths."""
    if isinstance(activation, Softmax | LogSoftmax):
        position = activation.axis + signal.rank if activation.axis < 0 else activation.axis
        if not 0 < position < signal.rank:
            message = f"{activation.type} along axis {activation.axis} of a value with {signal.rank} axes"
            raise scope.problem("NW0318", message, *path, labels=scope.blame(signal))
        if position == 1:
            scope.refuse_lengths(signal, "it would sum over padding", *path)
    return Signal(activate(signal.tensor, activation), signal.origins, signal.lengths)


def expand_activation(scope: Scope) -> Signal:
    """An activation layer."""
    spec = scope.spec
    assert isinstance(spec, ActivationSpec)
    scope.floats(scope.input)
    return checked_activation(scope, scope.input, spec, "axis")
