"""What a graph has to know of an operation: its attributes and its shape rule.

Operations are registered here when the compiler is loaded (by ``ops.registry``).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from .node import Attributes, NoAttributes
from .types import TensorType


class ShapeError(ValueError):
    """A shape rule refuses its operand types; ``operand`` is the position of the one at fault, or None."""

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
    """Registers operations, by their names."""
    _RULES.update({rules.name: rules for rules in operations})


def rules_of(op: str) -> Rules:
    """The rules of the operation called ``op``. Raises KeyError for an unknown one; inputs have none."""
    return _RULES[op]
