"""Activations as layers of their own; each is its activation and a layer at once."""

from __future__ import annotations

from typing import Literal

from ..activations import (
    Elu,
    Gelu,
    LeakyRelu,
    LogSoftmax,
    Relu,
    Sigmoid,
    Softmax,
    Softplus,
    Tanh,
)
from .base import LayerSpec


class ActivationLayer(LayerSpec):
    """Base of the activation layers: the output has the input's shape."""


class ReluLayer(Relu, ActivationLayer):
    """max(x, 0)."""

    type: Literal["relu"] = "relu"


class LeakyReluLayer(LeakyRelu, ActivationLayer):
    """x where x > 0, else negative_slope·x."""

    type: Literal["leaky_relu"] = "leaky_relu"


class EluLayer(Elu, ActivationLayer):
    """x where x > 0, else alpha·(exp(x) − 1)."""

    type: Literal["elu"] = "elu"


class GeluLayer(Gelu, ActivationLayer):
    """x·Φ(x), the exact (erf) form."""

    type: Literal["gelu"] = "gelu"


class SigmoidLayer(Sigmoid, ActivationLayer):
    """1 / (1 + exp(−x))."""

    type: Literal["sigmoid"] = "sigmoid"


class TanhLayer(Tanh, ActivationLayer):
    """The hyperbolic tangent."""

    type: Literal["tanh"] = "tanh"


class SoftplusLayer(Softplus, ActivationLayer):
    """log(1 + exp(x))."""

    type: Literal["softplus"] = "softplus"


class SoftmaxLayer(Softmax, ActivationLayer):
    """Positive values that sum to 1 along an axis."""

    type: Literal["softmax"] = "softmax"


class LogSoftmaxLayer(LogSoftmax, ActivationLayer):
    """The logarithm of softmax."""

    type: Literal["log_softmax"] = "log_softmax"
