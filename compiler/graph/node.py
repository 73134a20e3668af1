"""What a graph consists of: operations, their static attributes, and their results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple, Self

from .types import TensorType


class Value(NamedTuple):
    """Result ``port`` of node ``node``; a tuple, which hashes fast: every pass looks up every value."""

    node: int
    port: int = 0


@dataclass(frozen=True, slots=True)
class Attributes:
    """Base of the static attributes of an operation: frozen, hashable, printable.

    ``optional`` names those that the text form leaves out where they have their defaults.
    """

    optional: ClassVar[tuple[str, ...]] = ()

    def fields(self) -> dict[str, Any]:
        """The attributes that the text form prints, in order."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        defaults = {field.name: field.default for field in fields(self) if field.name in self.optional}
        return {
            name: value for name, value in values.items() if name not in defaults or value != defaults[name]
        }

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> Self:
        """The attributes from their printed ``fields``. Raises TypeError."""
        return cls(**fields)


@dataclass(frozen=True, slots=True)
class NoAttributes(Attributes):
    """The attributes of operations that have none."""


@dataclass(frozen=True, slots=True)
class InputAttributes(Attributes):
    """The name and role of a graph input: input | target | parameter | statistic | state | constant | body."""

    name: str
    role: str
    type: TensorType


@dataclass(frozen=True, slots=True)
class Node:
    """An operation: ``op`` is its name, ``layer`` the spec layer it was expanded from (dotted path or "")."""

    id: int
    op: str
    attrs: Attributes
    types: tuple[TensorType, ...]
    layer: str = ""
    values: tuple[Value, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", _values(self.id, len(self.types)))


# Every graph has the same ones, and every pass looks them up: equal ones are mostly the same object.
@lru_cache(maxsize=1 << 16)
def _values(node: int, count: int) -> tuple[Value, ...]:
    return tuple(Value(node, port) for port in range(count))
