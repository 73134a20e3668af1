"""The table of operators: `@op` registers a converter with the attributes and opsets it supports.

An attribute that a model sets and the entry does not list is refused, so nothing is ever ignored silently. The
documentation (docs/onnx.md) is printed from this table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..context import Context

Converter = Callable[["Context"], None]


@dataclass(frozen=True, slots=True)
class Op:
    """An operator of the default domain."""

    name: str
    convert: Converter
    attributes: tuple[str, ...]
    """The attributes that it supports."""
    since: int
    """The first opset in which the operator means what the converter does."""
    remark: str
    """Text for the documentation."""


OPS: dict[str, Op] = {}
#: Operators of the domain `ai.onnx.ml`, for preprocessing numbers in a table.
ML_OPS: dict[str, Op] = {}
#: Operators of ONNX Runtime's own domain, which its quantization writes.
RUNTIME_OPS: dict[str, Op] = {}
#: Operations that were recognized in several nodes and are not operators of ONNX.
RECOGNIZED_OPS: dict[str, Op] = {}
#: The tables of the domains other than ONNX's own.
DOMAINS: dict[str, dict[str, Op]] = {"ai.onnx.ml": ML_OPS, "com.microsoft": RUNTIME_OPS}


def op(
    *names: str, attributes: str = "", since: int = 6, remark: str = "", table: dict[str, Op] = OPS
) -> Callable[[Converter], Converter]:
    """Registers a converter for operators of a table. ``attributes`` are names separated by blanks."""

    def enter(convert: Converter) -> Converter:
        for name in names:
            if name in table:
                raise ValueError(f"{name} is entered twice")
            table[name] = Op(name, convert, tuple(attributes.split()), since, remark)
        return convert

    return enter
