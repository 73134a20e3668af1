"""Activations."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from netwright.specs.models.activations import (
    ActivationSpec,
    Affine,
    Celu,
    Elu,
    Gelu,
    Hardmax,
    HardSigmoid,
    HardSwish,
    LeakyRelu,
    Linear,
    LogSoftmax,
    Mish,
    Relu,
    ScaledTanh,
    Selu,
    Shrink,
    Sigmoid,
    Softmax,
    Softplus,
    Softsign,
    Swish,
    Tanh,
    ThresholdedRelu,
)

from ..tensor import Tensor, full, iota, where


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


def selu(x: Tensor, alpha: float, gamma: float) -> Tensor:
    """gamma·elu(x, alpha)."""
    return elu(x, alpha) * gamma


def celu(x: Tensor, alpha: float) -> Tensor:
    """x where x > 0, else alpha·(exp(x/alpha) − 1)."""
    return where(x.compare("gt", 0), x, elu(x * (1 / alpha), alpha))


def affine(x: Tensor, alpha: float, beta: float) -> Tensor:
    """alpha·x + beta."""
    return x * alpha + beta


def hard_sigmoid(x: Tensor, alpha: float, beta: float) -> Tensor:
    """alpha·x + beta, kept within 0 … 1."""
    return affine(x, alpha, beta).minimum(1).maximum(0)


def hard_swish(x: Tensor) -> Tensor:
    """x·hard_sigmoid(x)."""
    return x * hard_sigmoid(x, 1 / 6, 0.5)


def swish(x: Tensor, alpha: float) -> Tensor:
    """x·sigmoid(alpha·x)."""
    return x * (x * alpha).sigmoid()


def mish(x: Tensor) -> Tensor:
    """x·tanh(softplus(x))."""
    return x * softplus(x).tanh()


def softsign(x: Tensor) -> Tensor:
    """x / (1 + |x|)."""
    return x / (x.abs() + 1)


def thresholded_relu(x: Tensor, theta: float) -> Tensor:
    """x where x > theta, else 0; NaN stays."""
    return where(x.compare("le", theta), full(x.graph, 0, x.type), x)


def scaled_tanh(x: Tensor, alpha: float, beta: float) -> Tensor:
    """alpha·tanh(beta·x)."""
    return (x * beta).tanh() * alpha


def shrink(x: Tensor, threshold: float, bias: float) -> Tensor:
    """x + bias below −threshold, x − bias above threshold, else 0; NaN stays."""
    above = where(x.compare("le", threshold), full(x.graph, 0, x.type), x - bias)
    return where(x.compare("lt", -threshold), x + bias, above)


def prelu(x: Tensor, slope: Tensor) -> Tensor:
    """x where x > 0, else slope·x."""
    return where(x.compare("gt", 0), x, x * slope)


def hardmax(x: Tensor, axis: int = -1) -> Tensor:
    """1 at the first largest value along an axis, 0 elsewhere."""
    axis %= x.rank
    others = [i for i in range(x.rank) if i != axis]
    first = x.argmax(axis).broadcast(x.shape, others)
    return iota(x.graph, "int64", x.shape, axis).compare("eq", first).cast(x.dtype)


def gelu_tanh(x: Tensor) -> Tensor:
    """x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³)))."""
    return x * 0.5 * (((x + x * x * x * 0.044715) * math.sqrt(2 / math.pi)).tanh() + 1)


def gelu(x: Tensor) -> Tensor:
    """x/2·(1 + erf(x/√2)) (Hendrycks and Gimpel, 2016), the exact form."""
    return x * 0.5 * ((x * (1 / math.sqrt(2))).erf() + 1)


def softplus(x: Tensor) -> Tensor:
    """log(1 + exp(x)) without overflow, to full relative precision even for very negative x.

    With m = max(x, 0) it is m + log(u), where u = exp(x − m) + exp(−m). One of these terms is 1, and the other, e,
    may vanish when added to it; (1 + e − u) / u restores what rounding u lost. The slope of log(u) is exactly the
    sigmoid, so m and the correction are treated as constants. At ∞, where x − m is NaN, the result is x.
    """
    finite = x.compare("lt", math.inf)
    y = _softplus(where(finite, x, 0))
    return where(finite, y, x)


def _softplus(x: Tensor) -> Tensor:
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
        case Gelu(approximate=form):
            return gelu_tanh(x) if form == "tanh" else gelu(x)
        case Sigmoid():
            return x.sigmoid()
        case Tanh():
            return x.tanh()
        case Softplus():
            return softplus(x)
        case Selu(alpha=alpha, gamma=gamma):
            return selu(x, alpha, gamma)
        case Celu(alpha=alpha):
            return celu(x, alpha)
        case HardSigmoid(alpha=alpha, beta=beta):
            return hard_sigmoid(x, alpha, beta)
        case HardSwish():
            return hard_swish(x)
        case Swish(alpha=alpha):
            return swish(x, alpha)
        case Mish():
            return mish(x)
        case Softsign():
            return softsign(x)
        case ThresholdedRelu(theta=theta):
            return thresholded_relu(x, theta)
        case Shrink(threshold=threshold, bias=bias):
            return shrink(x, threshold, bias)
        case ScaledTanh(alpha=alpha, beta=beta):
            return scaled_tanh(x, alpha, beta)
        case Affine(alpha=alpha, beta=beta):
            return affine(x, alpha, beta)
        case Hardmax(axis=axis):
            return hardmax(x, axis)
        case Softmax(axis=axis):
            return softmax(x, axis)
        case LogSoftmax(axis=axis):
            return log_softmax(x, axis)
    raise TypeError(f"unknown activation {activation!r}")


#: The language's functions of one argument, by name.
POINTWISE: Mapping[str, Callable[[Tensor], Tensor]] = {
    "relu": relu,
    "gelu": gelu,
    "gelu_tanh": gelu_tanh,
    "softplus": softplus,
    "hard_swish": hard_swish,
    "mish": mish,
    "softsign": softsign,
}

#: The language's functions of one argument and numbers, by name.
SHAPED: Mapping[str, Callable[..., Tensor]] = {
    "leaky_relu": leaky_relu,
    "elu": elu,
    "selu": selu,
    "celu": celu,
    "affine": affine,
    "hard_sigmoid": hard_sigmoid,
    "swish": swish,
    "thresholded_relu": thresholded_relu,
    "shrink": shrink,
    "scaled_tanh": scaled_tanh,
}
