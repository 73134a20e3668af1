"""Estimates how much kernels and entries compute, so that threads divide them only where that pays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np

from netwright.specs.dims import DimLike, ceil_div, dim_min, substitute

from . import ir
from .expressions import operands_of
from .walks import parallel_nest

#: The cost of slow operations, in operations that a CPU starts in every cycle.
_SLOW = {"div": 8, "rem": 8, "sqrt": 8}
#: The cost of storing, in loads of as many bytes.
_STORED = 2


class WorkEstimates:
    """Counts the operations in parallel loops of functions: one per vector operation, and one per 16 bytes loaded or
    8 bytes stored, since kernels that compute little take as long as moving their data does, and what is stored moves
    into the cache and out of it.

    The counts are sizes over dims. Parallel loops with one iteration cannot be divided, so they count as 0 (a loop
    over the batch for a batch of one). The bounds of a loop that depend on another loop are taken as in its first
    iteration, those that depend on data as for the middle of the range; conditions are assumed to hold.
    """

    def __init__(self, functions: Mapping[str, ir.Function]):
        self._functions = functions
        self._known: dict[str, DimLike] = {}
        self._calls: dict[tuple[str, tuple[DimLike, ...]], DimLike] = {}

    def of_call(self, call: ir.Call) -> DimLike:
        """The operations of a call, over the names in scope there."""
        key = call.function, tuple(call.dims)
        if key not in self._calls:
            function = self._functions[call.function]
            if call.function not in self._known:
                self._known[call.function] = _total(function.body, _operations)
            binding = {name: value for (name, _), value in zip(function.dims, call.dims, strict=True)}
            self._calls[key] = substitute(self._known[call.function], binding)
        return self._calls[key]

    def is_all_divided(self, call: ir.Call) -> bool:
        """Whether the function consists of parallel loops: then its shares do nothing twice, however many there are."""
        body = self._functions[call.function].body
        return all(isinstance(statement, ir.For) and statement.kind == "parallel" for statement in body)

    def of_entry(self, body: Iterable[ir.Stmt]) -> DimLike:
        """The operations of all calls in an entry's body, over the program's dims."""
        return _total(
            body, lambda statement, _: self.of_call(statement) if isinstance(statement, ir.Call) else 0
        )


def _total(body: Iterable[ir.Stmt], cost: Callable[[ir.Stmt, bool], DimLike]) -> DimLike:
    """The sum of ``cost(statement, divided)`` over all statements, each as often as it runs.

    ``divided``: whether a parallel loop around the statement can be divided.
    """
    total: DimLike = 0
    stack: list[tuple[Iterable[ir.Stmt], DimLike, bool, dict[str, DimLike]]] = [(body, 1, False, {})]
    while stack:
        statements, times, divided, first = stack.pop()
        numbers = 0  # numbers are added separately, since adding polynomials is slow
        for statement in statements:
            if isinstance(statement, ir.For):
                divides = statement.kind == "parallel" and not divided
                loops, starts = parallel_nest(statement) if divides else (statement,), dict(first)
                count: DimLike = 1
                for loop in loops:
                    starts[loop.var] = start = substitute(loop.start, first)
                    count = count * ceil_div(substitute(loop.stop, first) - start, loop.step)
                inside, shared = times * count, divided
                if divides:
                    shared = count != 1
                    inside = inside * _is_several(count)
                stack.append((loops[-1].body, inside, shared, starts))
            elif isinstance(statement, ir.If | ir.Divide):
                stack.append((statement.body, times, divided, dict(first)))
            else:
                if isinstance(statement, ir.LetIndex):
                    first[statement.name] = substitute((statement.low + statement.high) // 2, first)
                work = cost(statement, divided)
                if isinstance(work, int):
                    numbers += work
                else:
                    total = total + times * substitute(work, first)
        if numbers:
            total = total + times * numbers
    return total


def _is_several(count: DimLike) -> DimLike:
    """1 if ``count``, which is at least 1, is greater than 1; else 0."""
    if isinstance(count, int):
        return int(count > 1)
    return 1 if all(factor > 1 for _, factor in count.terms) else dim_min(count - 1, 1)


def _operations(statement: ir.Stmt, divided: bool) -> int:
    """The operations of one statement of a kernel; 0 if threads do not divide it."""
    if not divided:
        return 0
    match statement:
        case ir.Declare() | ir.Assign() | ir.LetIndex():
            return _of_expression(statement.value)
        case ir.Store():
            return _STORED * _of_access(statement.value.type) + _of_expression(statement.value)
    return 0


def _of_access(type: ir.ValueType) -> int:
    return -(-type.lanes * np.dtype(type.dtype).itemsize // 16)


def _of_expression(expression: ir.Expr) -> int:
    """Counts every node once, however often it is used."""
    seen: set[int] = set()
    stack, total = [expression], 0
    while stack:
        node = stack.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        match node:
            case ir.Const() | ir.IndexValue() | ir.Read() | ir.Broadcast() | ir.Ramp():
                pass
            case ir.Unary(op) | ir.Binary(op):
                total += _SLOW.get(op, 1)
            case ir.Load():
                total += _of_access(node.type)
            case ir.ReduceLanes():
                total += 4
            case _:
                total += 1
        stack += operands_of(node)
    return total
