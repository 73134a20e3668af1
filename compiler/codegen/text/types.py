"""How dtypes, constants and names are spelled in LLVM IR."""

from __future__ import annotations

import struct
from functools import cache

import numpy as np

from ...loop.ir import ValueType

FLOATS = {"float16": "half", "float32": "float", "float64": "double"}
WIDTHS = {
    "bool": 8,
    "int8": 8,
    "uint8": 8,
    "int16": 16,
    "uint16": 16,
    "float16": 16,
    "int32": 32,
    "uint32": 32,
    "float32": 32,
    "int64": 64,
    "uint64": 64,
    "float64": 64,
}


def is_float(dtype: str) -> bool:
    return dtype in FLOATS


def is_unsigned(dtype: str) -> bool:
    return dtype.startswith("uint") or dtype == "bool"


def scalar_type(dtype: str) -> str:
    """The LLVM type of a value of ``dtype``; a bool is one bit."""
    if dtype in FLOATS:
        return FLOATS[dtype]
    return "i1" if dtype == "bool" else f"i{WIDTHS[dtype]}"


def memory_type(dtype: str) -> str:
    """The LLVM type of an element in memory; a bool is one byte."""
    return "i8" if dtype == "bool" else scalar_type(dtype)


def vector(element: str, lanes: int) -> str:
    return element if lanes == 1 else f"<{lanes} x {element}>"


def value_type(type: ValueType) -> str:
    return _value_type(type.dtype, type.lanes)


@cache
def _value_type(dtype: str, lanes: int) -> str:
    return vector(scalar_type(dtype), lanes)


def suffix(type: ValueType) -> str:
    """How the name of an overloaded intrinsic spells ``type``: ``v16f32``, ``i64``."""
    return _suffix(type.dtype, type.lanes)


@cache
def _suffix(dtype: str, lanes: int) -> str:
    letter = "f" if is_float(dtype) else "i"
    width = 1 if dtype == "bool" else WIDTHS[dtype]
    return f"{letter}{width}" if lanes == 1 else f"v{lanes}{letter}{width}"


def literal(value: float | int | bool, dtype: str) -> str:
    """A scalar constant, rounded to ``dtype`` as NumPy rounds it; integers wrap."""
    if dtype == "bool":
        return "true" if value else "false"
    if dtype == "float16":
        return f"0xH{struct.unpack('<H', np.float16(value).tobytes())[0]:04X}"
    if dtype in FLOATS:
        with np.errstate(over="ignore"):
            rounded = float(np.float32(value)) if dtype == "float32" else float(value)
        return f"0x{struct.unpack('<Q', struct.pack('<d', rounded))[0]:016X}"
    width = WIDTHS[dtype]
    wrapped = int(value) & ((1 << width) - 1)
    return str(wrapped - (1 << width) if wrapped >> (width - 1) else wrapped)


def splat(element: str, text: str, lanes: int) -> str:
    """The constant ``text`` of type ``element`` in every lane."""
    if lanes > 1 and text in ("0", "0x0000000000000000"):
        return "zeroinitializer"
    return text if lanes == 1 else f"<{', '.join([f'{element} {text}'] * lanes)}>"


def constant(value: float | int | bool, type: ValueType) -> str:
    return splat(scalar_type(type.dtype), literal(value, type.dtype), type.lanes)


def symbol(name: str, sigil: str = "@") -> str:
    """The quoted name of a global (``@``) or local (``%``)."""
    escaped = "".join(c if c.isascii() and (c.isalnum() or c in "._-$") else "" for c in name)
    if escaped != name:
        raise ValueError(f"{name!r} is not a name that LLVM IR may have")
    return f'{sigil}"{name}"'


def placed(name: str, apart: bool) -> str:
    """The attribute that gives a function a section of its own if it is ``apart``: where nothing calls it, the linker
    then leaves it out of a microcontroller's flash."""
    return f' section ".text.{name}"' if apart else ""
