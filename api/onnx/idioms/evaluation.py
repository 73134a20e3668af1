"""Evaluates the operators of a cluster with NumPy, in float64."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = Sequence[NDArray]


def _sigmoid(x: NDArray) -> NDArray:
    return 0.5 * (1 + np.tanh(0.5 * x))


def _softplus(x: NDArray) -> NDArray:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


erf = np.vectorize(math.erf, otypes=[np.float64])
ELEMENTWISE: Mapping[str, Callable[..., NDArray]] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": np.divide,
    "Pow": np.power,
    "Sqrt": np.sqrt,
    "Reciprocal": np.reciprocal,
    "Exp": np.exp,
    "Log": np.log,
    "Tanh": np.tanh,
    "Erf": erf,
    "Sigmoid": _sigmoid,
    "Softplus": _softplus,
    "Relu": lambda x: np.maximum(x, 0),
    "Neg": np.negative,
    "Abs": np.abs,
    "Min": np.minimum,
    "Max": np.maximum,
    "Identity": lambda x: x,
}
REDUCTIONS: Mapping[str, Callable[..., NDArray]] = {
    "ReduceMean": np.mean,
    "ReduceSum": np.sum,
    "ReduceMax": np.max,
}


def evaluate(op: str, operands: Sequence[NDArray | None], attributes: Mapping[str, Any]) -> NDArray | None:
    """The result of an operator; None if it is not supported here."""
    given = [operand for operand in operands if operand is not None]
    if op in ELEMENTWISE:
        return ELEMENTWISE[op](*given) if len(given) == len(operands) <= 2 else None
    if op == "Clip":
        low, high = attributes.get("min", -np.inf), attributes.get("max", np.inf)
        low = operands[1] if len(operands) > 1 and operands[1] is not None else low
        high = operands[2] if len(operands) > 2 and operands[2] is not None else high
        return np.minimum(np.maximum(given[0], low), high)
    if op == "HardSigmoid":
        return np.clip(attributes.get("alpha", 0.2) * given[0] + attributes.get("beta", 0.5), 0, 1)
    axes = axes_of(op, operands, attributes)
    if axes is None or any(not -given[0].ndim <= axis < given[0].ndim for axis in axes):
        return None
    return REDUCTIONS[op](given[0], axis=tuple(axes), keepdims=bool(attributes.get("keepdims", 1)))


def axes_of(
    op: str, operands: Sequence[NDArray | None], attributes: Mapping[str, Any]
) -> tuple[int, ...] | None:
    """The axes of a reduction."""
    if op not in REDUCTIONS:
        return None
    if "axes" in attributes:
        return tuple(int(axis) for axis in attributes["axes"])
    if len(operands) > 1 and operands[1] is not None:
        return tuple(int(axis) for axis in np.ravel(operands[1]))
    return None
