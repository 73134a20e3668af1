"""Makes the sizes of a kernel dims that its callers pass, so that kernels that differ in sizes alone are one.

A loop from 0 to a known number becomes a loop to a dim, and with it each axis that the loop runs over:

    for j in 0 .. 32:                for j in 0 .. size:
      y[16*j] = x[16*j]{16}            y[16*j] = x[16*j]{16}          (x, y: float32[512] -> float32[16*size])

Iterations, their order and how threads divide them stay as they are, and with them all results. Whole vectors stay
whole: an axis of 512 elements becomes one of 16 times a dim.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from netwright.specs.dims import DimLike, coefficient, dim, dim_symbols

from . import ir
from .checks.calls import statements_of
from .expressions import operands_of, postorder, with_operands
from .open_sizes import OpenSizes


@dataclass(frozen=True)
class Opened:
    """A function with dims of its own, and the value of each for the function that it was made from."""

    function: ir.Function
    given: Mapping[str, DimLike] = field(default_factory=dict)


def opened(function: ir.Function, taken: Iterable[str] = ()) -> Opened:
    """``function`` with dims instead of the sizes that can be open; the dims have none of the names ``taken``.

    Whether its accesses can still be proved is for the caller to see.
    """
    sizes = OpenSizes(function)
    if not sizes.free:
        return Opened(function)
    names = _names(function, taken)
    known = {root: next(names) for root in dict.fromkeys(map(sizes.root, sizes.free))}
    chosen = {var: dim(known[sizes.root(var)]) for var in sizes.free}
    grown = {var: chosen[var] * loop.unit - loop.loop.stop for var, loop in sizes.free.items()}
    given = {known[sizes.root(var)]: loop.number for var, loop in sizes.free.items()}
    counts = {index: next(names) for index in dict.fromkeys(_counts(function))}
    given |= {name: index for index, name in counts.items()}
    dims = tuple((name, int(isinstance(number, int))) for name, number in given.items())
    buffers = tuple(
        replace(buffer, shape=sizes.shape(buffer, grown)) if not buffer.local else buffer
        for buffer in function.buffers
    )
    body = _Rewritten(grown, counts).body(function.body)
    return Opened(replace(function, dims=(*function.dims, *dims), buffers=buffers, body=body), given)


class _Rewritten:
    """Writes statements again, with the ends of loops moved by what they have ``grown``, and dims for ``counts``."""

    def __init__(self, grown: Mapping[str, DimLike], counts: Mapping[DimLike, str]):
        self._grown, self._counts = grown, counts

    def body(self, body: Sequence[ir.Stmt]) -> tuple[ir.Stmt, ...]:
        return tuple(map(self._statement, body))

    def _statement(self, statement: ir.Stmt) -> ir.Stmt:
        match statement:
            case ir.For(var, stop=stop, body=body):
                return replace(statement, stop=stop + self._grown.get(var, 0), body=self.body(body))
            case ir.If(body=body, orelse=orelse):
                return replace(statement, body=self.body(body), orelse=self.body(orelse))
            case ir.Store(value=value, count=count):
                return replace(statement, value=self._expression(value), count=self._count(count))
            case ir.Declare(value=value) | ir.Assign(value=value) | ir.LetIndex(value=value):
                return replace(statement, value=self._expression(value))
            case _:
                return statement

    def _expression(self, expr: ir.Expr) -> ir.Expr:
        made: dict[int, ir.Expr] = {}
        for node in postorder(expr):
            if isinstance(node, ir.Load):
                made[id(node)] = replace(node, count=self._count(node.count))
            elif isinstance(node, ir.IndexValue) and node.index in self._counts:
                made[id(node)] = replace(node, index=dim(self._counts[node.index]))
            else:
                made[id(node)] = with_operands(node, [made[id(operand)] for operand in operands_of(node)])
        return made[id(expr)]

    def _count(self, count: DimLike | None) -> DimLike | None:
        if count is None or isinstance(count, int):
            return count
        for var in dim_symbols(count) & self._grown.keys():
            count = count - (coefficient(count, var) or 0) * self._grown[var]
        return count


def _counts(function: ir.Function) -> Iterator[DimLike]:
    """The sizes that a function computes with, such as the number of elements that a mean is over."""
    dims = {name for name, _ in function.dims}
    for statement in statements_of(function.body):
        if isinstance(statement, ir.Declare | ir.Assign | ir.LetIndex | ir.Store):
            for node in postorder(statement.value):
                if not isinstance(node, ir.IndexValue) or str(node.index) in dims:
                    continue
                if (symbols := dim_symbols(node.index)) and symbols <= dims:
                    yield node.index


def _names(function: ir.Function, taken: Iterable[str]) -> Iterator[str]:
    """Names of dims that nothing in the function has."""
    used = {*taken, *(name for name, _ in function.dims), *(b.name for b in function.buffers)}
    for statement in statements_of(function.body):
        if isinstance(statement, ir.For):
            used.add(statement.var)
        elif isinstance(statement, ir.Declare | ir.LetIndex):
            used.add(statement.name)
    number = 0
    while True:
        name = f"size_{number}" if number else "size"
        number += 1
        if name not in used:
            yield name
