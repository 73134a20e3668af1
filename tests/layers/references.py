"""NumPy's formulas for the elementwise functions of the language."""

import math
from collections.abc import Callable

import numpy as np

Reference = Callable[..., np.ndarray]


def erf(x):
    return np.vectorize(math.erf, otypes=[np.float64])(x)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softplus(x):
    return np.logaddexp(x, 0)


def elu(x, alpha=1.0):
    return np.where(x > 0, x, alpha * (np.exp(np.minimum(x, 0)) - 1))


def shrink(x, threshold, bias):
    return np.where(x < -threshold, x + bias, np.where(x <= threshold, 0, x - bias))


#: Functions of one argument; `ARGUMENTS` has the numbers that some take besides.
REFERENCES: dict[str, Reference] = {
    "tanh": np.tanh,
    "sigmoid": sigmoid,
    "relu": lambda x: np.maximum(x, 0),
    "gelu": lambda x: x / 2 * (1 + erf(x / math.sqrt(2))),
    "gelu_tanh": lambda x: x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x))),
    "softplus": softplus,
    "hard_swish": lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
    "mish": lambda x: x * np.tanh(softplus(x)),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "abs": np.abs,
    "erf": erf,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "asinh": np.arcsinh,
    "acosh": np.arccosh,
    "atanh": np.arctanh,
    "reciprocal": lambda x: 1 / x,
    "sign": np.sign,
    "floor": np.floor,
    "ceil": np.ceil,
    "trunc": np.trunc,
    "round": np.rint,
    "isnan": np.isnan,
    "isinf": np.isinf,
    "linear": lambda x: x,
    "leaky_relu": lambda x, slope: np.where(x > 0, x, slope * x),
    "elu": elu,
    "selu": lambda x, alpha, gamma: gamma * elu(x, alpha),
    "celu": lambda x, alpha: np.where(x > 0, x, elu(x / alpha, alpha)),
    "affine": lambda x, alpha, beta: alpha * x + beta,
    "hard_sigmoid": lambda x, alpha, beta: np.clip(alpha * x + beta, 0, 1),
    "swish": lambda x, alpha: x * sigmoid(alpha * x),
    "thresholded_relu": lambda x, theta: np.where(x <= theta, 0, x),
    "shrink": shrink,
    "scaled_tanh": lambda x, alpha, beta: alpha * np.tanh(beta * x),
}
ARGUMENTS: dict[str, dict[str, float]] = {
    "leaky_relu": {"slope": 0.1},
    "elu": {"alpha": 1.5},
    "selu": {"alpha": 1.67, "gamma": 1.05},
    "celu": {"alpha": 1.3},
    "affine": {"alpha": 2.0, "beta": 1.0},
    "hard_sigmoid": {"alpha": 0.2, "beta": 0.5},
    "swish": {"alpha": 1.0},
    "thresholded_relu": {"theta": 1.0},
    "shrink": {"threshold": 0.5, "bias": 0.5},
    "scaled_tanh": {"alpha": 1.7, "beta": 0.6},
}
#: Odd functions, whose zeros have the sign of the argument.
ODD = {
    "tanh",
    "erf",
    "sin",
    "tan",
    "asin",
    "atan",
    "sinh",
    "asinh",
    "atanh",
    "sqrt",
    "floor",
    "trunc",
    "round",
    "softsign",
    "scaled_tanh",
    "linear",
}
#: Close to 0 they are a difference from 1.
ROUNDED = {"elu", "selu", "celu"}
JOINT_REFERENCES: dict[str, Reference] = {
    "maximum": np.maximum,
    "minimum": np.minimum,
    "mod": np.mod,
    "fmod": np.fmod,
    "pow": np.power,
    "floor_divide": lambda x, y: np.floor(x / y),
}
