"""How much kernels and entries compute, so that they are divided over threads only where that pays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np

from netwright.specs.dims import DimLike, ceil_div, dim_min, substitute

from . import ir
from .expressions import operands_of

#: What an operation costs beside one that a CPU begins in every cycle.
_SLOW = {"div": 8, "rem": 8, "sqrt": 8}


class WorkEstimates:
    """The operations in parallel loops of functions, a vector's as one; a load or store is one for every 16 bytes: what
    moves much data and computes little takes as long as the data does.

    They are sizes of dims. Parallel loops that run once have nothing to divide, and do not count: over the batch, those
    of a batch of one. Where the bounds of a loop depend on another loop, they are taken as in its first iteration;
    conditions are taken to hold.
    """

    def __init__(self, functions: Mapping[str, ir.Function]):
        self._functions = functions
        self._known: dict[str, DimLike] = {}

    def of_call(self, call: ir.Call) -> DimLike:
        """What a call computes, over the names in scope there."""
        function = self._functions[call.function]
        if call.function not in self._known:
            self._known[call.function] = _total(function.body, _operations)
        binding = {name: value for (name, _), value in zip(function.dims, call.dims, strict=True)}
        return substitute(self._known[call.function], binding)

    def of_entry(self, body: Iterable[ir.Stmt]) -> DimLike:
        """What all calls in an entry's body compute, over the program's dims."""
        return _total(
            body, lambda statement, _: self.of_call(statement) if isinstance(statement, ir.Call) else 0
        )


def _total(body: Iterable[ir.Stmt], cost: Callable[[ir.Stmt, bool], DimLike]) -> DimLike:
    """The sum of ``cost`` of all statements, each as often as it runs; ``cost`` is told whether it is divided."""
    total: DimLike = 0
    stack: list[tuple[Iterable[ir.Stmt], DimLike, bool, dict[str, DimLike]]] = [(body, 1, False, {})]
    while stack:
        statements, times, divided, first = stack.pop()
        numbers = 0  # numbers are added as such: sums of polynomials are what costs
        for statement in statements:
            if isinstance(statement, ir.For):
                divides = statement.kind == "parallel" and not divided
                loops, starts = ir.parallel_nest(statement) if divides else (statement,), dict(first)
                count: DimLike = 1
                for loop in loops:
                    starts[loop.var] = start = substitute(loop.start, first)
                    count = count * ceil_div(substitute(loop.stop, first) - start, loop.step)
                inside, shared = times * count, divided
                if divides:
                    shared = count != 1
                    inside = inside * _is_several(count)
                stack.append((loops[-1].body, inside, shared, starts))
            elif isinstance(statement, ir.If):
                stack.append((statement.body, times, divided, first))
            elif isinstance(one := cost(statement, divided), int):
                numbers += one
            else:
                total = total + times * substitute(one, first)
        if numbers:
            total = total + times * numbers
    return total


def _is_several(count: DimLike) -> DimLike:
    """1 where a count, which is at least 1, is more than that, else 0."""
    if isinstance(count, int):
        return int(count > 1)
    return 1 if all(factor > 1 for _, factor in count.terms) else dim_min(count - 1, 1)


def _operations(statement: ir.Stmt, divided: bool) -> int:
    """The operations of one statement of a kernel, none where threads do not divide it."""
    if not divided:
        return 0
    match statement:
        case ir.Declare() | ir.Assign() | ir.LetIndex():
            return _of_expression(statement.value)
        case ir.Store():
            return _of_access(statement.value.type) + _of_expression(statement.value)
    return 0


def _of_access(type: ir.ValueType) -> int:
    return -(-type.lanes * np.dtype(type.dtype).itemsize // 16)


def _of_expression(expression: ir.Expr) -> int:
    """Every expression once, however often it is used."""
    seen: set[int] = set()
    stack, total = [expression], 0
    while stack:
        one = stack.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        match one:
            case ir.Const() | ir.IndexValue() | ir.Read() | ir.Broadcast() | ir.Ramp():
                pass
            case ir.Unary(op) | ir.Binary(op):
                total += _SLOW.get(op, 1)
            case ir.Load():
                total += _of_access(one.type)
            case ir.ReduceLanes():
                total += 4
            case _:
                total += 1
        stack += operands_of(one)
    return total
