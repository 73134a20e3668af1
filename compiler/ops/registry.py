"""The list of primitives: one line each."""

from __future__ import annotations

from .base import Primitive

_PRIMITIVES: tuple[Primitive, ...] = ()

_BY_NAME: dict[str, Primitive] = {p.name: p for p in _PRIMITIVES}


def primitive(name: str) -> Primitive:
    """The primitive called ``name``. Raises KeyError."""
    return _BY_NAME[name]


def primitives() -> tuple[Primitive, ...]:
    """All primitives, in the order of the list."""
    return _PRIMITIVES
