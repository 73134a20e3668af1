"""Marks in an entry: points at which some of its results are complete, so that they can be sent while it runs on."""

from __future__ import annotations

from collections.abc import Sequence

from netwright.specs.manifest import GRADIENT

from . import ir
from .check_call import statements_of

#: The name of a call that says which mark is passed; the mark's number is its dim.
MARK = "netwright.mark"


def complete_after(entry: ir.Entry) -> dict[int, list[str]]:
    """The gradients that an entry writes, by the number of the top-level statement after which nothing reads or writes
    them any more, in order.
    """
    arena = {slot.name for slot in entry.arena}
    sent = {
        buffer.name
        for buffer in entry.function.buffers
        if buffer.access != "read" and buffer.name not in arena and buffer.name.startswith(GRADIENT)
    }
    last: dict[str, int] = {}
    for number, statement in enumerate(entry.function.body) if sent else ():
        for inner in statements_of([statement]):
            if isinstance(inner, ir.Call):
                last |= {part.buffer: number for part in inner.buffers if part.buffer in sent}
    complete: dict[int, list[str]] = {}
    for name, number in sorted(last.items(), key=lambda item: item[1]):
        complete.setdefault(number, []).append(name)
    return complete


def marked(entry: ir.Entry) -> Sequence[ir.Stmt]:
    """The entry's body with calls of MARK."""
    complete = list(complete_after(entry))
    body: list[ir.Stmt] = []
    for number, statement in enumerate(entry.function.body):
        body.append(statement)
        if number in complete:
            body.append(ir.Call(MARK, (), (complete.index(number),)))
    return body
