"""Folds arithmetic: with NumPy for constants, exactly for values that depend on open sizes.

An open whole number is a ``Dim``, an open float a ``Ratio`` of two, an open truth value a ``Dim`` that is 0 or 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.specs.dims import Dim, DimLike, bounds, dim_max, dim_min, exact_div

from ..errors import Refusal
from ..tensors import DTYPES, HELD_AS, dtype_name
from .ratio import Ranges, Ratio, at_least, ratio, truncated
from .table import FOLDS, Arrays, Folding, first, fold, pair

#: Types to which constants are cast. 8-bit floats are left out, since they have special rules.
CASTS = frozenset((*DTYPES.values(), *HELD_AS, "float16", "bfloat16"))


def elementwise(function: Callable[..., Any], *arrays: NDArray) -> NDArray:
    """Applies a function to the elements of arrays that broadcast. Next to open values, floats are exact."""
    exact = any(isinstance(x, Ratio) for array in arrays if array.dtype == object for x in array.flat)
    if exact or any(array.dtype.kind == "f" for array in arrays):
        arrays = tuple(array if array.dtype.kind == "b" else _exact(array) for array in arrays)
    else:
        arrays = tuple(array.astype(object) for array in arrays)
    return np.asarray(np.vectorize(function, otypes=[object])(*arrays), object)


def _exact(array: NDArray) -> NDArray:
    return np.asarray(np.vectorize(ratio, otypes=[object])(array), object)


def is_open(*arrays: NDArray) -> bool:
    """Whether an array depends on open sizes."""
    return any(array.dtype == object for array in arrays)


def _binary(names: str, plain: Callable[[Any, Any], Any], sizes: Callable[[Any, Any, Ranges], Any]) -> None:
    def compute(arrays: Arrays, attributes: Mapping[str, Any], at: Folding) -> list[NDArray] | None:
        a, b = pair(arrays)
        if is_open(a, b):
            return [elementwise(lambda x, y: sizes(x, y, at.ranges), a, b)]
        if a.dtype != b.dtype:
            raise Refusal(f"the operands are {a.dtype} and {b.dtype}")
        with np.errstate(all="ignore"):
            result = np.asarray(plain(a, b))
        return [result if result.dtype == bool else result.astype(a.dtype, copy=False)]

    for name in names.split():
        FOLDS[name] = compute


def _divide(a: NDArray, b: NDArray) -> NDArray:
    if a.dtype.kind in "iu":
        if (b == 0).any():
            raise Refusal("a division by zero")
        quotient = np.abs(a) // np.abs(b)
        return np.where((a < 0) != (b < 0), -quotient, quotient)
    return a / b


def _divided(a: Any, b: Any, ranges: Ranges) -> Any:
    if isinstance(a, Ratio) or isinstance(b, Ratio):
        return a / b
    if b == 0:
        raise Refusal("a division by zero")
    exact = exact_div(a, b)
    if exact is not None:
        return exact
    if isinstance(b, Dim):
        raise Refusal(f"{a} is divided by the open size {b}")
    return truncated(a, int(b), ranges)


def _mod(a: NDArray, b: NDArray) -> NDArray:
    if a.dtype.kind == "f" or (b == 0).any():
        raise Refusal("only remainders of whole numbers are computed here")
    return np.mod(a, b)


def _remainder(a: Any, b: Any, ranges: Ranges) -> Any:
    if isinstance(a, Ratio) or isinstance(b, Dim | Ratio) or b == 0:
        raise Refusal(f"the remainder of {a} by {b} is taken")
    b = int(b)
    return a - (a // b) * b if b > 0 else -_remainder(-a, -b, ranges)


def _less(a: Any, b: Any, ranges: Ranges, least: int = 1) -> DimLike:
    """1 where b - a is at least ``least``, else 0."""
    if isinstance(a, Ratio) or isinstance(b, Ratio):
        a, b = ratio(a), ratio(b)
        for size in (a.denominator, b.denominator):
            if (low := bounds(size, ranges)[0]) is None or low < 1:
                raise Refusal(f"{a} and {b} are compared")
        a, b = a.numerator * b.denominator, b.numerator * a.denominator
    return at_least(b - a, least, ranges)


def _equal(a: Any, b: Any, ranges: Ranges) -> DimLike:
    return _less(a, b, ranges, 0) * _less(b, a, ranges, 0)


_binary("Add", lambda a, b: a + b, lambda a, b, ranges: a + b)
_binary("Sub", lambda a, b: a - b, lambda a, b, ranges: a - b)
_binary("Mul", lambda a, b: a * b, lambda a, b, ranges: a * b)
_binary("Div", _divide, _divided)
_binary("Mod", _mod, _remainder)
_binary("Equal", np.equal, _equal)
_binary("Less", np.less, _less)
_binary("LessOrEqual", np.less_equal, lambda a, b, ranges: _less(a, b, ranges, 0))
_binary("Greater", np.greater, lambda a, b, ranges: _less(b, a, ranges))
_binary("GreaterOrEqual", np.greater_equal, lambda a, b, ranges: _less(b, a, ranges, 0))
_binary("And", np.logical_and, lambda a, b, ranges: a * b)
_binary("Or", np.logical_or, lambda a, b, ranges: a + b - a * b)
_binary("Xor", np.logical_xor, lambda a, b, ranges: a + b - 2 * a * b)


def smaller(a: Any, b: Any, ranges: Ranges) -> Any:
    """The smaller of two open numbers."""
    return _chosen(a, b, ranges, dim_min)


def larger(a: Any, b: Any, ranges: Ranges) -> Any:
    """The larger of two open numbers."""
    return _chosen(a, b, ranges, dim_max)


def _chosen(a: Any, b: Any, ranges: Ranges, choose: Callable[..., DimLike]) -> Any:
    if isinstance(a, Ratio) or isinstance(b, Ratio):
        a, b = ratio(a), ratio(b)
        if isinstance(a.denominator, Dim) or isinstance(b.denominator, Dim):
            raise Refusal(f"{a} and {b} are compared")
        chosen = _chosen(a.numerator * b.denominator, b.numerator * a.denominator, ranges, choose)
        return Ratio(chosen, a.denominator * b.denominator)
    low, high = bounds(a - b, ranges)
    if low is not None and low >= 0:
        return a if choose is dim_max else b
    if high is not None and high <= 0:
        return b if choose is dim_max else a
    return choose(a, b)


def _extremum(name: str, plain: Callable[[Any, Any], Any], sizes: Callable[[Any, Any, Ranges], Any]) -> None:
    def compute(arrays: Arrays, attributes: Mapping[str, Any], at: Folding) -> list[NDArray] | None:
        total = first(arrays)
        for other in arrays[1:]:
            if other is None:
                raise Refusal("an operand is missing")
            if is_open(total, other):
                total = elementwise(lambda x, y: sizes(x, y, at.ranges), total, other)
            else:
                total = plain(total, other)
        return [total]

    FOLDS[name] = compute


_extremum("Min", np.minimum, smaller)
_extremum("Max", np.maximum, larger)
_extremum("Sum", np.add, lambda a, b, ranges: a + b)


@fold("Clip")
def _clip(arrays: Arrays, attributes: Mapping[str, Any], at: Folding) -> list[NDArray] | None:
    array = first(arrays)
    kind = array.dtype if array.dtype != object else None
    bound = [arrays[i] if len(arrays) > i else None for i in (1, 2)]
    for position, name in enumerate(("min", "max")):
        if name in attributes:
            bound[position] = np.asarray(attributes[name], np.float32 if kind is None else kind)
    for limit, plain, sizes in zip(bound, (np.maximum, np.minimum), (larger, smaller), strict=True):
        if limit is None:
            continue
        if limit.size != 1:
            raise Refusal("a bound is not one number")
        limit = limit.reshape(())
        if limit.dtype.kind == "f" and not np.isfinite(limit):
            limit = np.asarray(np.clip(limit, -3.5e38, 3.5e38), np.float64) if is_open(array) else limit
        if is_open(array, limit):
            array = elementwise(lambda x, y, sizes=sizes: sizes(x, y, at.ranges), array, limit)
        else:
            array = plain(array, limit.astype(array.dtype))
    return [array]


def _unary(
    name: str,
    function: Callable[[NDArray], NDArray],
    sizes: Callable[[Any, Ranges], Any] | None = None,
) -> None:
    def compute(arrays: Arrays, attributes: Mapping[str, Any], at: Folding) -> list[NDArray] | None:
        array = first(arrays)
        if array.dtype == object:
            if sizes is None:
                raise Refusal("it is applied to an open size")
            return [elementwise(partial(_with_ranges, sizes, at.ranges), array)]
        with np.errstate(all="ignore"):
            return [np.asarray(function(array)).astype(array.dtype, copy=False)]

    FOLDS[name] = compute


def _with_ranges(sizes: Callable[[Any, Ranges], Any], ranges: Ranges, x: Any) -> Any:
    return sizes(x, ranges)


def _sign(x: Any, ranges: Ranges) -> Any:
    sign = _less(0, x, ranges) - _less(x, 0, ranges)
    return Ratio(sign) if isinstance(x, Ratio) else sign


_unary("Floor", np.floor, lambda x, ranges: Ratio(ratio(x).floor()))
_unary("Ceil", np.ceil, lambda x, ranges: Ratio(ratio(x).ceil()))
_unary("Round", np.rint, lambda x, ranges: Ratio(ratio(x).rint()))
_unary("Sign", np.sign, _sign)
_unary("Neg", np.negative, lambda x, ranges: -x)
_unary("Abs", np.abs, lambda x, ranges: larger(x, -x, ranges))
_unary("Reciprocal", np.reciprocal, lambda x, ranges: 1 / ratio(x))
_unary("Exp", np.exp)
_unary("Log", np.log)
_unary("Tanh", np.tanh)
_unary("Sin", np.sin)
_unary("Cos", np.cos)
_unary("Sqrt", np.sqrt)


@fold("Not")
def _not(arrays: Arrays, attributes: Mapping[str, Any], at: Folding) -> list[NDArray] | None:
    array = first(arrays)
    return [elementwise(lambda x: 1 - x, array) if is_open(array) else ~array.astype(bool)]


@fold("Where")
def _where(arrays: Arrays, attributes: Mapping[str, Any], at: Folding) -> list[NDArray] | None:
    if len(arrays) != 3 or any(array is None for array in arrays):
        raise Refusal("an operand is missing")
    condition, a, b = (array for array in arrays if array is not None)
    if not is_open(condition):
        if is_open(a, b):
            a, b = (
                elementwise(lambda x, _: x, own, np.zeros((), other.dtype)) for own, other in ((a, b), (b, a))
            )
        return [np.where(condition, a, b)]
    if a.dtype.kind in "fb" or b.dtype.kind in "fb":
        a, b = (_exact(array) if array.dtype.kind == "f" else array.astype(object) for array in (a, b))
    return [np.asarray(np.vectorize(_selected, otypes=[object])(condition, a, b), object)]


def _selected(condition: Any, a: Any, b: Any) -> Any:
    """Selects one of two numbers by an open truth value."""
    if not isinstance(condition, Dim):
        return a if condition else b
    difference = a - b
    if isinstance(difference, Dim):  # where(a < b, a, b) is a minimum
        for sign, choose in ((1, dim_max), (-1, dim_min)):
            # min(1, max(0, d)) selects between numbers that differ by d, or by d - 1 if equality counts too.
            for equal in (0, 1):
                if condition == dim_min(1, dim_max(0, sign * difference + equal)):
                    return choose(a, b)
    return b + difference * condition


@fold("Cast")
def _cast(arrays: Arrays, attributes: Mapping[str, Any], at: Folding) -> list[NDArray] | None:
    dtype = dtype_name(int(attributes.get("to", 0)))
    return [_as(first(arrays), dtype, at)] if dtype in CASTS else None


@fold("CastLike")
def _cast_like(arrays: Arrays, attributes: Mapping[str, Any], at: Folding) -> list[NDArray] | None:
    return [_as(first(arrays), at.dtypes[1], at)] if at.dtypes[1] in CASTS else None


def _as(array: NDArray, dtype: str, at: Folding) -> NDArray:
    if array.dtype != object:
        with np.errstate(all="ignore"):
            return array.astype(dtype)

    def cast(x: Any) -> Any:
        if dtype.startswith("float"):
            return ratio(x)
        if dtype == "bool":
            return 1 - _equal(x, 0, at.ranges)
        return x.trunc(at.ranges) if isinstance(x, Ratio) else x

    return elementwise(cast, array)


@fold("Pow")
def _pow(arrays: Arrays, attributes: Mapping[str, Any], at: Folding) -> list[NDArray] | None:
    a, b = pair(arrays)
    if not is_open(a, b):
        with np.errstate(all="ignore"):
            return [np.asarray(np.power(a, b)).astype(a.dtype)] if a.dtype.kind == "f" else None
    if is_open(b) or b.size != 1 or (power := float(b.reshape(-1)[0])) not in (0, 1, 2, 3, 4):
        raise Refusal("a power of an open size is taken")
    total: Any = np.ones(np.broadcast_shapes(a.shape, b.shape), object)
    for _ in range(int(power)):
        total = elementwise(lambda x, y: x * y, total, a)
    return [total]
