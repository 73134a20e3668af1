"""Typing rules of loop IR expressions."""

from __future__ import annotations

import re
from collections.abc import Sequence

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


class VerifyError(Exception):
    """Loop IR is malformed, or its accesses cannot be proved safe."""


def check_name(name: str) -> None:
    """Names start with a letter or underscore; only names of parameters contain dots."""
    if not re.fullmatch(r"[A-Za-z_][\w.]*", name):
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


def check_expr(expr: ir.Expr, operands: Sequence[ir.ValueType]) -> None:
    """The type of an expression whose operands have the types ``operands``. Raises VerifyError."""
    type = expr.type
    check_dtype(type.dtype)
    if type.lanes < 1:
        raise VerifyError(f"there is no type of {type.lanes} lanes")

    def require(holds: bool, why: str) -> None:
        if not holds:
            name = getattr(expr, "op", expr.__class__.__name__.lower())
            raise VerifyError(f"{name} of {', '.join(map(str, operands)) or 'nothing'} as {type}: {why}")

    is_float, is_bool = type.dtype in FLOATS, type.dtype == "bool"
    same = all(operand == type for operand in operands)
    match expr:
        case ir.Const(value, _):
            check_const(value, type)
        case ir.IndexValue() | ir.Ramp():
            require(not is_bool, "it is a number")
        case ir.Unary(op):
            require(op in ir.UNARY, "there is no such operation")
            require(same, "operand and result have one type")
            if op == "not":
                require(not is_float, "it is for bool and integers")
            elif op in ("neg", "abs"):
                require(not is_bool, "it is for numbers")
            else:
                require(is_float, "it is for floats")
                require(
                    op not in ("sin_far", "cos_far") or type.dtype in ir.FAR, "it is for float32 and float64"
                )
        case ir.Binary(op, _, b):
            require(op in ir.BINARY, "there is no such operation")
            require(same, "operands and result have one type")
            if op in ("and", "or", "xor"):
                require(not is_float, "it is for bool and integers")
            elif op in ("shl", "shr"):
                require(not is_float and not is_bool, "it is for integers")
                width = 8 * np.dtype(type.dtype).itemsize
                require(
                    isinstance(b, ir.Const) and 0 <= b.value < width,
                    "the amount is a constant below the width",
                )
            else:
                require(not is_bool, "it is for numbers")
                if op in ("div", "rem") and not is_float:
                    require(isinstance(b, ir.Const) and b.value > 0, "the divisor is a positive constant")
                require(op != "rem" or not is_float, "it is for integers")
        case ir.Fma():
            require(same and is_float, "it is for floats of one type")
        case ir.Dot4():
            bytes_, start = operands[:2], operands[2]
            require(start == type and type.dtype == "int32", "it adds to int32")
            require(
                bytes_[0].dtype in ("int8", "uint8") and bytes_[1].dtype == "int8",
                "it multiplies int8 or uint8 by int8",
            )
            fit = bytes_[0].lanes in (4, 4 * type.lanes) and bytes_[1].lanes == 4 * type.lanes
            require(fit, "each lane has four products")
        case ir.Compare(op):
            require(op in ir.COMPARE, "there is no such operation")
            require(is_bool and operands[0] == operands[1], "operands have one type, the result is bool")
            require(operands[0].lanes == type.lanes, "lanes stay")
            require(operands[0].dtype != "bool" or op in ("eq", "ne"), "bools have no order")
        case ir.Select():
            require(operands[0] == ir.ValueType("bool", type.lanes), "the condition is bool")
            require(operands[1] == operands[2] == type, "both cases have the result's type")
        case ir.Cast():
            require(operands[0].lanes == type.lanes, "lanes stay")
        case ir.Bitcast():
            require(operands[0].lanes == type.lanes, "lanes stay")
            require(not is_bool and operands[0].dtype != "bool", "bools have no bits")
            widths = {np.dtype(dtype).itemsize for dtype in (operands[0].dtype, type.dtype)}
            require(len(widths) == 1, "widths are equal")
        case ir.Broadcast():
            require(operands[0] == ir.ValueType(type.dtype), "the operand is a scalar of the same dtype")
        case ir.ReduceLanes(op):
            require(op in ("add", "max", "min"), "there is no such reduction")
            lanes = operands[0].lanes
            require(lanes & (lanes - 1) == 0, "the number of lanes is a power of two")
            require(type == ir.ValueType(operands[0].dtype) and not is_bool, "the result is a scalar number")
        case ir.Shuffle(lanes):
            require(operands[0] == operands[1], "operands have one type")
            require(
                type == ir.ValueType(operands[0].dtype, len(lanes)),
                "the result has the lanes that are picked",
            )
            require(operands[0].lanes > 1, "the operands are vectors")
            require(
                all(0 <= lane < 2 * operands[0].lanes for lane in lanes), "a lane is none of the operands'"
            )
        case _:
            raise VerifyError(f"{expr.__class__.__name__} is not an expression")
