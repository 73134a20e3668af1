"""The table of operators: `@op` enters a converter with the attributes it honours and the opsets it knows.

An attribute that is set in a model and not in the entry is refused, so nothing is ever ignored silently. The
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
    """The attributes honoured."""
    since: int
    """The first opset in which the operator means what the converter does."""
    remark: str
    """What the documentation adds."""


OPS: dict[str, Op] = {}
#: Operators of the domain `ai.onnx.ml`, which stand before a network of numbers in a table.
ML_OPS: dict[str, Op] = {}
#: Operators of ONNX Runtime's own domain, which its quantization writes.
RUNTIME_OPS: dict[str, Op] = {}
#: What was recognized in several nodes and is no operator of ONNX.
RECOGNIZED_OPS: dict[str, Op] = {}
#: The tables of the domains that are not ONNX's own.
DOMAINS: dict[str, dict[str, Op]] = {"ai.onnx.ml": ML_OPS, "com.microsoft": RUNTIME_OPS}


def op(
    *names: str, attributes: str = "", since: int = 6, remark: str = "", table: dict[str, Op] = OPS
) -> Callable[[Converter], Converter]:
    """Enters a converter for operators of a table; ``attributes`` are names with blanks between them."""

    def enter(convert: Converter) -> Converter:
        for name in names:
            if name in table:
                raise ValueError(f"{name} is entered twice")
            table[name] = Op(name, convert, tuple(attributes.split()), since, remark)
        return convert

    return enter
