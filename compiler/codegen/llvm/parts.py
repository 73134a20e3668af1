"""Splits long entries into parts: LLVM takes more than linear time for long functions, and an entry calls every
kernel.

A sequence of calls becomes a separate function, and a call of it takes their place; so do sequences inside loops,
whose variables are passed. Short entries are not split.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from netwright.specs.dims import dim

from ...loop import ir

#: The most calls in one function.
LONGEST = 64


@dataclass
class Parts:
    """The parts of one entry: ``by_name``, each after those that it calls, the variables of the loops around it, each
    with its least value if known, and its body; and ``shares``, by the names of the functions that run one of them.
    ``threads``: whether there are any, to run shares."""

    by_name: dict[str, tuple[dict[str, int | None], tuple[ir.Stmt, ...]]] = field(default_factory=dict)
    shares: dict[str, ir.Divide] = field(default_factory=dict)
    threads: bool = False

    def divide(
        self, body: Sequence[ir.Stmt], variables: dict[str, int | None] | None = None
    ) -> tuple[ir.Stmt, ...]:
        """The body, with calls of parts where it is too long."""
        variables = variables or {}
        short = [made for statement in body for made in self._shortened(statement, variables)]
        while sum(map(_length, short)) > LONGEST:
            short = self._joined(short, variables)
        return tuple(short)

    def _shortened(self, statement: ir.Stmt, variables: dict[str, int | None]) -> Sequence[ir.Stmt]:
        match statement:
            case ir.For(var, start):
                inside = {**variables, var: start if isinstance(start, int) else None}
                return [replace(statement, body=self.divide(statement.body, inside))]
            case ir.Divide():
                return self._in_shares(statement, self.divide(statement.body, variables))
            case ir.If():
                bodies = (self.divide(branch, variables) for branch in (statement.body, statement.orelse))
                return [replace(statement, **dict(zip(("body", "orelse"), bodies, strict=True)))]
        return [statement]

    def _in_shares(self, divide: ir.Divide, whole: tuple[ir.Stmt, ...]) -> Sequence[ir.Stmt]:
        """Shares where there may be several, else the ``whole`` body; a share is not split."""
        if not self.threads or sum(map(_length, divide.body)) > LONGEST:
            return whole
        name = f"share{len(self.shares)}"
        self.shares[name] = divide
        several = dim(divide.dim) - max(divide.rows + 1, 2 * divide.least)
        return [ir.If((several,), (ir.Call(name, (), ()),), whole)]

    def _joined(self, statements: Sequence[ir.Stmt], variables: dict[str, int | None]) -> list[ir.Stmt]:
        """Combines adjacent statements into parts, each as long as allowed."""
        calls: list[ir.Stmt] = []
        stretch: list[ir.Stmt] = []
        length = 0
        for statement in (*statements, None):
            more = LONGEST + 1 if statement is None else _length(statement)
            if stretch and length + more > LONGEST:
                name = f"part{len(self.by_name)}"
                self.by_name[name] = variables, tuple(stretch)
                calls.append(ir.Call(name, (), tuple(map(dim, variables))))
                stretch, length = [], 0
            if statement is not None:
                stretch.append(statement)
                length += more
        return calls


def _length(statement: ir.Stmt) -> int:
    """How many calls a statement contains."""
    match statement:
        case ir.Call():
            return 1
        case ir.For(body=body):
            return sum(map(_length, body))
        case ir.If(body=body, orelse=orelse):
            return sum(map(_length, (*body, *orelse)))
    return 0
