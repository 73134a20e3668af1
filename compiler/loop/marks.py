"""Marks in an entry: points at which thread 0 tells the host how far it is.

Either some of the entry's results are complete, so that they can be sent while it runs on; or, in a program that is
watched, every call has ended whose results or duration somebody looks at.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from netwright.specs.manifest import GRADIENT

from . import ir
from .checks.calls import statements_of

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


@dataclass(frozen=True)
class Watched:
    """An entry's body with calls of MARK at its moments, and which call ends at each.

    Moment 0 is the entry's beginning. The others are, in the order of the text, the ends of calls and of outermost
    loops (None). A call in a loop ends in every iteration.
    """

    body: tuple[ir.Stmt, ...]
    moments: tuple[ir.Call | None, ...]


def watched(entry: ir.Entry) -> Watched:
    """The entry with a mark at every moment."""
    moments: list[ir.Call | None] = [None]

    def mark(ended: ir.Call | None) -> ir.Stmt:
        moments.append(ended)
        return ir.Call(MARK, (), (len(moments) - 1,))

    body = _with_marks(entry.function.body, True, mark)
    return Watched((ir.Call(MARK, (), (0,)), *body), tuple(moments))


def _with_marks(
    body: Sequence[ir.Stmt], outermost: bool, mark: Callable[[ir.Call | None], ir.Stmt]
) -> tuple[ir.Stmt, ...]:
    made: list[ir.Stmt] = []
    for statement in body:
        match statement:
            case ir.Call():
                made += [statement, mark(statement)]
            case ir.For():
                made.append(replace(statement, body=_with_marks(statement.body, False, mark)))
                if outermost:
                    made.append(mark(None))
            case ir.Divide():  # threads that do not meet have no moments in common
                made += _with_marks(statement.body, outermost, mark)
            case ir.If(body=first, orelse=second):
                parts = [_with_marks(part, False, mark) for part in (first, second)]
                made.append(replace(statement, body=parts[0], orelse=parts[1]))
            case _:
                made.append(statement)
    return tuple(made)
