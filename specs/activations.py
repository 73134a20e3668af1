"""Activations: what `activation:` names, and what the activation layers are made of."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .base import Axis, Number, SpecModel, by_name


class ActivationSpec(SpecModel):
    """Base of the activations."""


class Linear(ActivationSpec):
    """x itself."""

    type: Literal["linear"] = "linear"


class Relu(ActivationSpec):
    """max(x, 0); NaN stays NaN, the slope at 0 is 0."""

    type: Literal["relu"] = "relu"


class LeakyRelu(ActivationSpec):
    """x where x > 0, else negative_slope·x."""

    type: Literal["leaky_relu"] = "leaky_relu"
    negative_slope: Number = 0.01
    """The slope for x ≤ 0."""


class Elu(ActivationSpec):
    """x where x > 0, else alpha·(exp(x) − 1)."""

    type: Literal["elu"] = "elu"
    alpha: Number = 1.0
    """The limit for x → −∞ is −alpha."""


class Gelu(ActivationSpec):
    """x·Φ(x) = x/2·(1 + erf(x/√2)), the exact form."""

    type: Literal["gelu"] = "gelu"


class Sigmoid(ActivationSpec):
    """1 / (1 + exp(−x))."""

    type: Literal["sigmoid"] = "sigmoid"


class Tanh(ActivationSpec):
    """The hyperbolic tangent."""

    type: Literal["tanh"] = "tanh"


class Softplus(ActivationSpec):
    """log(1 + exp(x))."""

    type: Literal["softplus"] = "softplus"


class Softmax(ActivationSpec):
    """exp(x − m) / Σ exp(x − m) along an axis, m the maximum there."""

    type: Literal["softmax"] = "softmax"
    axis: Axis = -1
    """The axis along which the values sum to 1."""


class LogSoftmax(ActivationSpec):
    """The logarithm of softmax, x − m − log Σ exp(x − m)."""

    type: Literal["log_softmax"] = "log_softmax"
    axis: Axis = -1
    """The axis along which the exponentials sum to 1."""


AnyPointwise = Linear | Relu | LeakyRelu | Elu | Gelu | Sigmoid | Tanh | Softplus
AnyActivation = AnyPointwise | Softmax | LogSoftmax

Activation = Annotated[AnyActivation, Field(discriminator="type"), by_name(AnyActivation)]
"""An activation by name, or as an object with arguments."""

PointwiseActivation = Annotated[AnyPointwise, Field(discriminator="type"), by_name(AnyPointwise)]
"""An activation that works on each element by itself."""
