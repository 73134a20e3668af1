"""Activations as layers: each class is both an activation and a layer."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ..activations import (
    Affine,
    Celu,
    Elu,
    Gelu,
    Hardmax,
    HardSigmoid,
    HardSwish,
    LeakyRelu,
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
from ..base import Size
from ..initializers import Constant, Initializer
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
    """x·Φ(x), exact by erf, or approximate by tanh."""

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


class SeluLayer(Selu, ActivationLayer):
    """gamma·x where x > 0, else gamma·alpha·(exp(x) − 1) (Klambauer et al., 2017)."""

    type: Literal["selu"] = "selu"


class CeluLayer(Celu, ActivationLayer):
    """x where x > 0, else alpha·(exp(x/alpha) − 1)."""

    type: Literal["celu"] = "celu"


class HardSigmoidLayer(HardSigmoid, ActivationLayer):
    """alpha·x + beta, kept within 0 … 1."""

    type: Literal["hard_sigmoid"] = "hard_sigmoid"


class HardSwishLayer(HardSwish, ActivationLayer):
    """x·hard_sigmoid(x) (Howard et al., 2019)."""

    type: Literal["hard_swish"] = "hard_swish"


class SwishLayer(Swish, ActivationLayer):
    """x·sigmoid(alpha·x) (Ramachandran, Zoph and Le, 2017), also called SiLU."""

    type: Literal["swish"] = "swish"


class MishLayer(Mish, ActivationLayer):
    """x·tanh(softplus(x)) (Misra, 2019)."""

    type: Literal["mish"] = "mish"


class SoftsignLayer(Softsign, ActivationLayer):
    """x / (1 + |x|)."""

    type: Literal["softsign"] = "softsign"


class ThresholdedReluLayer(ThresholdedRelu, ActivationLayer):
    """x where x > theta, else 0."""

    type: Literal["thresholded_relu"] = "thresholded_relu"


class ShrinkLayer(Shrink, ActivationLayer):
    """x + bias where x < −threshold, x − bias where x > threshold, else 0: hard shrinkage, or with `bias` equal
    to `threshold` soft shrinkage.
    """

    type: Literal["shrink"] = "shrink"


class ScaledTanhLayer(ScaledTanh, ActivationLayer):
    """alpha·tanh(beta·x)."""

    type: Literal["scaled_tanh"] = "scaled_tanh"


class AffineLayer(Affine, ActivationLayer):
    """alpha·x + beta."""

    type: Literal["affine"] = "affine"


class HardmaxLayer(Hardmax, ActivationLayer):
    """1 at the first largest value along an axis, 0 elsewhere."""

    type: Literal["hardmax"] = "hardmax"


class PRelu(LayerSpec):
    """x where x > 0, else slope·x with a learned slope (He et al., 2015).

    Parameter: `slope [slope_shape]`, one for each channel (the last axis) unless said otherwise.
    """

    has_parameters: ClassVar[bool] = True

    type: Literal["prelu"] = "prelu"
    slope_shape: Annotated[tuple[Size, ...], Field(min_length=1, max_length=8)] | None = None
    """The slope's shape, which has to broadcast to the input's: `[1]` for a single slope."""
    slope_init: Initializer = Constant(value=0.25)
    """How the slope starts."""


LAYERS = (
    ReluLayer,
    LeakyReluLayer,
    EluLayer,
    GeluLayer,
    SigmoidLayer,
    TanhLayer,
    SoftplusLayer,
    SoftmaxLayer,
    LogSoftmaxLayer,
    SeluLayer,
    CeluLayer,
    HardSigmoidLayer,
    HardSwishLayer,
    SwishLayer,
    MishLayer,
    SoftsignLayer,
    ThresholdedReluLayer,
    ShrinkLayer,
    ScaledTanhLayer,
    AffineLayer,
    HardmaxLayer,
    PRelu,
)
