"""The functions of the expression language on tensors, each a composition of the few primitives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce

from ..functions import activation
from ..functions.arithmetic import (
    absolute,
    acos,
    acosh,
    asin,
    asinh,
    atan,
    atanh,
    ceil,
    clip,
    cosh,
    floor,
    is_inf,
    is_nan,
    modulo,
    reciprocal,
    rounded,
    sign,
    sinh,
    tan,
    trunc,
    truncated_modulo,
)
from ..tensor import Tensor

#: Functions of one argument.
POINTWISE: Mapping[str, Callable[[Tensor], Tensor]] = {
    "tanh": Tensor.tanh,
    "sigmoid": Tensor.sigmoid,
    "relu": activation.relu,
    "gelu": activation.gelu,
    "gelu_tanh": activation.gelu_tanh,
    "softplus": activation.softplus,
    "hard_swish": activation.hard_swish,
    "mish": activation.mish,
    "softsign": activation.softsign,
    "exp": Tensor.exp,
    "log": Tensor.log,
    "sqrt": Tensor.sqrt,
    "abs": absolute,
    "erf": Tensor.erf,
    "sin": lambda x: x.apply("sin"),
    "cos": lambda x: x.apply("cos"),
    "tan": tan,
    "asin": asin,
    "acos": acos,
    "atan": atan,
    "sinh": sinh,
    "cosh": cosh,
    "asinh": asinh,
    "acosh": acosh,
    "atanh": atanh,
    "reciprocal": reciprocal,
    "sign": sign,
    "floor": floor,
    "ceil": ceil,
    "trunc": trunc,
    "round": rounded,
    "isnan": is_nan,
    "isinf": is_inf,
    "logical_not": lambda x: x.apply("not"),
}

#: Functions of several arguments of one shape and dtype.
JOINT: Mapping[str, Callable[..., Tensor]] = {
    "maximum": lambda *xs: reduce(Tensor.maximum, xs),
    "minimum": lambda *xs: reduce(Tensor.minimum, xs),
    "clip": clip,
    "mod": modulo,
    "fmod": truncated_modulo,
    "logical_and": Tensor.both,
    "logical_or": Tensor.either,
    "logical_xor": lambda a, b: a.apply("ne", b) if a.dtype == "bool" else a.both(b),
}

#: Functions of one argument and numbers.
SHAPED: Mapping[str, Callable[..., Tensor]] = {
    "leaky_relu": activation.leaky_relu,
    "elu": activation.elu,
    "selu": activation.selu,
    "celu": activation.celu,
    "affine": activation.affine,
    "hard_sigmoid": activation.hard_sigmoid,
    "swish": activation.swish,
    "thresholded_relu": activation.thresholded_relu,
    "shrink": activation.shrink,
    "scaled_tanh": activation.scaled_tanh,
}
