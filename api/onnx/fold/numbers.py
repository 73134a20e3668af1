"""Arithmetic on what is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.specs.dims import Dim, dim_max, dim_min, exact_div

from ..errors import Refusal
from ..tensors import dtype_name
from .table import FOLDS, Arrays, first, fold, pair


def _binary(name: str, function: Callable[[Any, Any], Any]) -> None:
    def compute(arrays: Arrays, attributes: Mapping[str, Any], opset: int) -> list[NDArray] | None:
        a, b = pair(arrays)
        if a.dtype != object and b.dtype != object and a.dtype != b.dtype:
            raise Refusal(f"the operands are {a.dtype} and {b.dtype}")
        with np.errstate(all="ignore"):
            found = np.asarray(function(a, b))
        return [found if found.dtype in (object, bool) else found.astype(a.dtype, copy=False)]

    FOLDS[name] = compute


def _divide(a: NDArray, b: NDArray) -> NDArray:
    if a.dtype == object or b.dtype == object:
        return np.vectorize(_divided, otypes=[object])(a, b)
    if a.dtype.kind in "iu":
        if (b == 0).any():
            raise Refusal("a division by zero")
        quotient = np.abs(a) // np.abs(b)
        return np.where((a < 0) != (b < 0), -quotient, quotient)
    return a / b


def _divided(a: Any, b: Any) -> Any:
    """A quotient of sizes, rounded towards zero, which for sizes is down."""
    exact = exact_div(a, b) if isinstance(a, Dim) or isinstance(b, Dim) else None
    if exact is not None:
        return exact
    if isinstance(b, Dim) or b <= 0:
        raise Refusal("a size is divided by an open size")
    return a // int(b)


def _mod(a: NDArray, b: NDArray) -> NDArray:
    if a.dtype == object or b.dtype == object:
        return a - np.asarray(_divide(a, b) * b, object)
    if a.dtype.kind == "f" or (b == 0).any():
        raise Refusal("only remainders of whole numbers are computed here")
    return np.mod(a, b)


_binary("Add", lambda a, b: a + b)
_binary("Sub", lambda a, b: a - b)
_binary("Mul", lambda a, b: a * b)
_binary("Div", _divide)
_binary("Mod", _mod)
_binary("Equal", lambda a, b: np.equal(a, b).astype(bool))


def _extremum(name: str, plain: Callable[[Any, Any], Any], sizes: Callable[..., Any]) -> None:
    def compute(arrays: Arrays, attributes: Mapping[str, Any], opset: int) -> list[NDArray] | None:
        total = first(arrays)
        for other in arrays[1:]:
            if other is None:
                raise Refusal("an operand is missing")
            if total.dtype == object or other.dtype == object:
                total = np.asarray(np.vectorize(sizes, otypes=[object])(total, other))
            else:
                total = plain(total, other)
        return [total]

    FOLDS[name] = compute


_extremum("Min", np.minimum, dim_min)
_extremum("Max", np.maximum, dim_max)


def _unary(name: str, function: Callable[[NDArray], NDArray]) -> None:
    def compute(arrays: Arrays, attributes: Mapping[str, Any], opset: int) -> list[NDArray] | None:
        array = first(arrays)
        if array.dtype == object:
            raise Refusal("it is applied to an open size")
        with np.errstate(all="ignore"):
            return [np.asarray(function(array)).astype(array.dtype, copy=False)]

    FOLDS[name] = compute


_unary("Floor", np.floor)
_unary("Round", np.rint)
_unary("Sign", np.sign)
_unary("Exp", np.exp)
_unary("Log", np.log)
_unary("Tanh", np.tanh)
_unary("Sin", np.sin)
_unary("Cos", np.cos)
_unary("Ceil", np.ceil)
_unary("Sqrt", np.sqrt)
_unary("Neg", np.negative)
_unary("Abs", np.abs)
_unary("Reciprocal", np.reciprocal)


def _comparison(name: str, function: Callable[[Any, Any], Any]) -> None:
    def compute(arrays: Arrays, attributes: Mapping[str, Any], opset: int) -> list[NDArray] | None:
        a, b = pair(arrays)
        if a.dtype == object or b.dtype == object:
            raise Refusal("an open size is compared")
        return [np.asarray(function(a, b), bool)]

    FOLDS[name] = compute


for _name, _function in {
    "Less": np.less,
    "LessOrEqual": np.less_equal,
    "Greater": np.greater,
    "GreaterOrEqual": np.greater_equal,
    "And": np.logical_and,
    "Or": np.logical_or,
    "Xor": np.logical_xor,
}.items():
    _comparison(_name, _function)


@fold("Not")
def _not(arrays: Arrays, attributes: Mapping[str, Any], opset: int) -> list[NDArray] | None:
    return [~first(arrays).astype(bool)]


@fold("Where")
def _where(arrays: Arrays, attributes: Mapping[str, Any], opset: int) -> list[NDArray] | None:
    if len(arrays) != 3 or any(array is None for array in arrays):
        raise Refusal("an operand is missing")
    return [np.where(*arrays)]  # type: ignore[call-overload]


@fold("Cast")
def _cast(arrays: Arrays, attributes: Mapping[str, Any], opset: int) -> list[NDArray] | None:
    array, dtype = first(arrays), dtype_name(int(attributes.get("to", 0)))
    if array.dtype == object:
        if dtype not in ("int64", "int32"):
            return None
        return [array]
    with np.errstate(all="ignore"):
        return [array.astype(dtype)]


@fold("CastLike")
def _cast_like(arrays: Arrays, attributes: Mapping[str, Any], opset: int) -> list[NDArray] | None:
    array, like = pair(arrays)
    if array.dtype == object or like.dtype == object:
        return None
    return [array.astype(like.dtype)]
