"""Which registers and buffers the statements of a function change."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from . import ir


@dataclass(frozen=True)
class Changes:
    """Registers that are assigned, and buffers that are stored to."""

    registers: frozenset[str] = frozenset()
    buffers: frozenset[str] = frozenset()


def changes(body: Iterable[ir.Stmt]) -> Changes:
    """What ``body`` changes, nested statements included."""
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
