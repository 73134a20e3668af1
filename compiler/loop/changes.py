"""What the statements of a function change: registers and buffers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from . import ir


@dataclass(frozen=True)
class Changes:
    """Registers that get new values, and buffers that are written."""

    registers: frozenset[str] = frozenset()
    buffers: frozenset[str] = frozenset()


def changes(body: Iterable[ir.Stmt]) -> Changes:
    """What ``body`` changes, with all that stands inside."""
    registers: set[str] = set()
    buffers: set[str] = set()
    stack = [*body]
    while stack:
        match stack.pop():
            case ir.Assign(name):
                registers.add(name)
            case ir.Store(buffer):
                buffers.add(buffer)
            case ir.For(body=inside):
                stack += inside
            case ir.If(body=inside, orelse=orelse):
                stack += (*inside, *orelse)
            case _:
                pass
    return Changes(frozenset(registers), frozenset(buffers))
