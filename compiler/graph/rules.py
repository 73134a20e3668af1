"""What a graph has to know of an operation: its attributes and its shape rule.

Whoever defines operations declares their rules here (``ops.registry`` does, once, when the compiler is loaded).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from .node import Attributes, NoAttributes
from .types import TensorType


class ShapeError(ValueError):
    """Operand types that a shape rule refuses; ``operand`` is the position at fault, if one is."""

    def __init__(self, message: str, operand: int | None = None):
        super().__init__(message)
        self.operand = operand


class Rules(ABC):
    """The rules of one operation."""

    name: str
    attributes: ClassVar[type[Attributes]] = NoAttributes

    @abstractmethod
    def infer(self, attrs: Any, operands: Sequence[TensorType]) -> Sequence[TensorType]:
        """Result types from operand types. Raises ShapeError."""


_RULES: dict[str, Rules] = {}


def declare(operations: Iterable[Rules]) -> None:
    """Makes the operations known by their names, which graphs use from then on."""
    _RULES.update({rules.name: rules for rules in operations})


def rules_of(op: str) -> Rules:
    """The rules of the operation called ``op``. Inputs have none: KeyError."""
    return _RULES[op]
