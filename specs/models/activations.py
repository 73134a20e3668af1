"""Activations: the values of `activation:`, and the base of the activation layers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .base import Axis, NonNegativeNumber, Number, Positive, SpecModel, by_name


class ActivationSpec(SpecModel):
    """Base of the activations."""


class Linear(ActivationSpec):
    """The identity, x."""

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
    """x·Φ(x) = x/2·(1 + erf(x/√2)), the exact form; or its approximation by tanh (Hendrycks and Gimpel, 2016)."""

    type: Literal["gelu"] = "gelu"
    approximate: Literal["none", "tanh"] = "none"
    """tanh: x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³)))."""


class Sigmoid(ActivationSpec):
    """1 / (1 + exp(−x))."""

    type: Literal["sigmoid"] = "sigmoid"


class Tanh(ActivationSpec):
    """The hyperbolic tangent."""

    type: Literal["tanh"] = "tanh"


class Softplus(ActivationSpec):
    """log(1 + exp(x))."""

    type: Literal["softplus"] = "softplus"


class Selu(ActivationSpec):
    """gamma·x where x > 0, else gamma·alpha·(exp(x) − 1) (Klambauer et al., 2017)."""

    type: Literal["selu"] = "selu"
    alpha: Number = 1.6732632423543772
    """The limit for x → −∞ is −gamma·alpha."""
    gamma: Number = 1.0507009873554805
    """The slope for x > 0."""


class Celu(ActivationSpec):
    """x where x > 0, else alpha·(exp(x/alpha) − 1)."""

    type: Literal["celu"] = "celu"
    alpha: Positive = 1.0
    """The limit for x → −∞ is −alpha."""


class HardSigmoid(ActivationSpec):
    """alpha·x + beta, kept within 0 … 1."""

    type: Literal["hard_sigmoid"] = "hard_sigmoid"
    alpha: Number = 1 / 6
    """The slope."""
    beta: Number = 0.5
    """The value at 0."""


class HardSwish(ActivationSpec):
    """x·hard_sigmoid(x) (Howard et al., 2019)."""

    type: Literal["hard_swish"] = "hard_swish"


class Swish(ActivationSpec):
    """x·sigmoid(alpha·x) (Ramachandran, Zoph and Le, 2017), also called SiLU."""

    type: Literal["swish"] = "swish"
    alpha: Number = 1.0
    """The factor under the sigmoid."""


class Mish(ActivationSpec):
    """x·tanh(softplus(x)) (Misra, 2019)."""

    type: Literal["mish"] = "mish"


class Softsign(ActivationSpec):
    """x / (1 + |x|)."""

    type: Literal["softsign"] = "softsign"


class ThresholdedRelu(ActivationSpec):
    """x where x > theta, else 0."""

    type: Literal["thresholded_relu"] = "thresholded_relu"
    theta: Number = 1.0
    """The threshold."""


class Shrink(ActivationSpec):
    """x + bias where x < −threshold, x − bias where x > threshold, else 0: hard shrinkage, or with `bias` equal
    to `threshold` soft shrinkage.
    """

    type: Literal["shrink"] = "shrink"
    threshold: NonNegativeNumber = 0.5
    """Half the width of what becomes 0."""
    bias: Number = 0.0
    """How far values outside of that are moved towards 0."""


class ScaledTanh(ActivationSpec):
    """alpha·tanh(beta·x)."""

    type: Literal["scaled_tanh"] = "scaled_tanh"
    alpha: Number = 1.7159
    """The factor; the default is LeCun's (1998)."""
    beta: Number = 2 / 3
    """The factor inside the tangent."""


class Affine(ActivationSpec):
    """alpha·x + beta."""

    type: Literal["affine"] = "affine"
    alpha: Number = 1.0
    """The factor."""
    beta: Number = 0.0
    """What is added."""


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


class Hardmax(ActivationSpec):
    """1 at the first largest value along an axis, 0 elsewhere."""

    type: Literal["hardmax"] = "hardmax"
    axis: Axis = -1
    """The axis along which one value is 1."""


AnyPointwise = (
    Linear
    | Relu
    | LeakyRelu
    | Elu
    | Gelu
    | Sigmoid
    | Tanh
    | Softplus
    | Selu
    | Celu
    | HardSigmoid
    | HardSwish
    | Swish
    | Mish
    | Softsign
    | ThresholdedRelu
    | Shrink
    | ScaledTanh
    | Affine
)
AnyActivation = AnyPointwise | Softmax | LogSoftmax | Hardmax

Activation = Annotated[AnyActivation, Field(discriminator="type"), by_name(AnyActivation)]
"""An activation by name, or as an object with arguments."""

PointwiseActivation = Annotated[AnyPointwise, Field(discriminator="type"), by_name(AnyPointwise)]
"""An activation that works on each element by itself."""
