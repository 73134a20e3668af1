"""Typing rules of loop IR expressions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache, partial

import numpy as np

from . import ir

DTYPES = (
    "float16",
    "float32",
    "float64",
    "int32",
    "int64",
    "int8",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "bool",
)
FLOATS = ("float32", "float64")
_NAME = re.compile(r"[A-Za-z_][\w.]*")


class VerifyError(Exception):
    """Loop IR is malformed, or its accesses cannot be proved safe."""


def check_name(name: str) -> None:
    """Names start with a letter or underscore; only names of parameters contain dots."""
    if not _NAME.fullmatch(name):
        raise VerifyError(f"{name!r} is not a name")


def check_dtype(dtype: str) -> None:
    if dtype not in DTYPES:
        raise VerifyError(f"there is no dtype {dtype}")


def check_const(value: float | int | bool, type: ir.ValueType) -> None:
    """Raises VerifyError unless ``value`` is a number of ``type``."""
    check_dtype(type.dtype)
    if type.dtype in FLOATS:
        return
    if type.dtype == "bool":
        if value not in (0, 1):
            raise VerifyError(f"{value} is not a bool")
        return
    info = np.iinfo(type.dtype)
    if isinstance(value, float) or not info.min <= value <= info.max:
        raise VerifyError(f"{value} is not an {type.dtype}")


def check_expr(expr: ir.Expr, operands: tuple[ir.ValueType, ...]) -> None:
    """The type of an expression whose operands have the types ``operands``. Raises VerifyError."""
    type_ = expr.type
    _check_types(type(expr), getattr(expr, "op", ""), type_, operands)
    match expr:
        case ir.Const(value, _):
            check_const(value, type_)
        case ir.Binary("shl" | "shr", _, b):
            width = 8 * np.dtype(type_.dtype).itemsize
            holds = isinstance(b, ir.Const) and 0 <= b.value < width
            _require(holds, expr.op, type_, operands, "the amount is a constant below the width")
        case ir.Binary("div" | "rem", _, b) if type_.dtype not in FLOATS:
            holds = isinstance(b, ir.Const) and b.value > 0
            _require(holds, expr.op, type_, operands, "the divisor is a positive constant")
        case ir.Shuffle(lanes):
            whole = ir.ValueType(operands[0].dtype, len(lanes))
            _require(type_ == whole, "shuffle", type_, operands, "the result has the lanes that are picked")
            holds = all(0 <= lane < 2 * operands[0].lanes for lane in lanes)
            _require(holds, "shuffle", type_, operands, "a lane is none of the operands'")
        case _:
            pass


def _require(holds: bool, name: str, type: ir.ValueType, operands: Sequence[ir.ValueType], why: str) -> None:
    if not holds:
        raise VerifyError(f"{name} of {', '.join(map(str, operands)) or 'nothing'} as {type}: {why}")


@lru_cache(maxsize=1 << 12)  # kernels have few kinds of expressions
def _check_types(kind: type, op: str, type: ir.ValueType, operands: tuple[ir.ValueType, ...]) -> None:
    """Checks what follows from the operation and the types alone. Raises VerifyError."""
    check_dtype(type.dtype)
    if type.lanes < 1:
        raise VerifyError(f"there is no type of {type.lanes} lanes")
    require = partial(_require, name=op or kind.__name__.lower(), type=type, operands=operands)
    is_float, is_bool = type.dtype in FLOATS, type.dtype == "bool"
    same = all(operand == type for operand in operands)
    if kind is ir.IndexValue or kind is ir.Ramp:
        require(not is_bool, why="it is a number")
    elif kind is ir.Unary:
        require(op in ir.UNARY, why="there is no such operation")
        require(same, why="operand and result have one type")
        if op == "not":
            require(not is_float, why="it is for bool and integers")
        elif op in ("neg", "abs"):
            require(not is_bool, why="it is for numbers")
        else:
            require(is_float, why="it is for floats")
            far = op in ("sin_far", "cos_far")
            require(not far or type.dtype in ir.FAR, why="it is for float32 and float64")
    elif kind is ir.Binary:
        require(op in ir.BINARY, why="there is no such operation")
        require(same, why="operands and result have one type")
        if op in ("and", "or", "xor"):
            require(not is_float, why="it is for bool and integers")
        elif op in ("shl", "shr"):
            require(not is_float and not is_bool, why="it is for integers")
        else:
            require(not is_bool, why="it is for numbers")
            require(op != "rem" or not is_float, why="it is for integers")
    elif kind is ir.Fma:
        require(same and is_float, why="it is for floats of one type")
    elif kind is ir.Dot4:
        bytes_, start = operands[:2], operands[2]
        require(start == type and type.dtype == "int32", why="it adds to int32")
        signed = bytes_[0].dtype in ("int8", "uint8") and bytes_[1].dtype == "int8"
        require(signed, why="it multiplies int8 or uint8 by int8")
        fit = bytes_[0].lanes in (4, 4 * type.lanes) and bytes_[1].lanes == 4 * type.lanes
        require(fit, why="each lane has four products")
    elif kind is ir.Compare:
        require(op in ir.COMPARE, why="there is no such operation")
        require(is_bool and operands[0] == operands[1], why="operands have one type, the result is bool")
        require(operands[0].lanes == type.lanes, why="lanes stay")
        require(operands[0].dtype != "bool" or op in ("eq", "ne"), why="bools have no order")
    elif kind is ir.Select:
        require(operands[0] == ir.ValueType("bool", type.lanes), why="the condition is bool")
        require(operands[1] == operands[2] == type, why="both cases have the result's type")
    elif kind is ir.Cast:
        require(operands[0].lanes == type.lanes, why="lanes stay")
    elif kind is ir.Bitcast:
        require(operands[0].lanes == type.lanes, why="lanes stay")
        require(not is_bool and operands[0].dtype != "bool", why="bools have no bits")
        widths = {np.dtype(dtype).itemsize for dtype in (operands[0].dtype, type.dtype)}
        require(len(widths) == 1, why="widths are equal")
    elif kind is ir.Broadcast:
        require(operands[0] == ir.ValueType(type.dtype), why="the operand is a scalar of the same dtype")
    elif kind is ir.ReduceLanes:
        require(op in ("add", "max", "min"), why="there is no such reduction")
        lanes = operands[0].lanes
        require(lanes & (lanes - 1) == 0, why="the number of lanes is a power of two")
        scalar = type == ir.ValueType(operands[0].dtype) and not is_bool
        require(scalar, why="the result is a scalar number")
    elif kind is ir.Shuffle:
        require(operands[0] == operands[1], why="operands have one type")
        require(operands[0].lanes > 1, why="the operands are vectors")
    elif kind is not ir.Const:
        raise VerifyError(f"{kind.__name__} is not an expression")
