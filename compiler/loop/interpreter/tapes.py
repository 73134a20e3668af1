"""Expressions as lists of steps for the loop interpreter, so that nodes are dispatched once and not per element."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from .. import ir
from ..expressions import operands_of, postorder
from .memory import InterpreterError
from .numeric import BINARY, COMPARE, UNARY, Lanes, cast, dot4, fma, reduce_lanes

#: Computes an operation from its operands.
Operation: TypeAlias = Callable[..., Lanes]
#: Nodes that read registers, sizes or memory.
Leaf: TypeAlias = ir.Read | ir.Load | ir.IndexValue


class Step(NamedTuple):
    """An operation on the results of the earlier steps at the positions ``at``; or a leaf."""

    operation: Operation | None
    leaf: Leaf | None
    at: tuple[int, ...]
    dtype: np.dtype[Any]
    lanes: int


class Tapes:
    """The steps of expressions, each computed on first use."""

    def __init__(self) -> None:
        self._known: dict[
            int, tuple[ir.Expr, list[Step]]
        ] = {}  # keeps the expression alive, so that its id stays unique

    def of(self, expr: ir.Expr) -> list[Step]:
        """The steps of an expression, the last of which computes its value; a node that it contains twice is one
        step."""
        known = self._known.get(id(expr))
        if known is None:
            known = self._known[id(expr)] = (expr, _steps(expr))
        return known[1]


def _steps(expr: ir.Expr) -> list[Step]:
    position: dict[int, int] = {}
    steps: list[Step] = []
    for node in postorder(expr):
        position[id(node)] = len(steps)
        leaf = node if isinstance(node, Leaf) else None
        at = tuple(position[id(operand)] for operand in operands_of(node))
        operation = None if leaf else _operation(node)
        steps.append(Step(operation, leaf, at, np.dtype(node.type.dtype), node.type.lanes))
    return steps


def _operation(expr: ir.Expr) -> Operation:
    match expr:
        case ir.Const(number, type):
            value = np.full(type.lanes, number, type.dtype)
            value.flags.writeable = False
            return lambda: value
        case ir.Ramp(type):
            return lambda: np.arange(type.lanes).astype(type.dtype)
        case ir.Unary(op):
            return UNARY[op]
        case ir.Binary(op):
            return BINARY[op]
        case ir.Compare(op):
            return COMPARE[op]
        case ir.Fma():
            return fma
        case ir.Dot4():
            return dot4
        case ir.Select():
            return np.where
        case ir.Cast(_, type):
            return lambda x: cast(x, type.dtype)
        case ir.Bitcast(_, type):
            return lambda x: x.view(type.dtype)
        case ir.Broadcast(_, type):
            return lambda x: np.repeat(x, type.lanes)
        case ir.ReduceLanes(op):
            return lambda x: reduce_lanes(op, x)
        case ir.Shuffle(lanes):
            order = list(lanes)
            return lambda a, b: np.concatenate((a, b))[order]
    return _unknown(expr)


def _unknown(node: Any) -> Any:
    raise InterpreterError(f"{type(node).__name__} is not an expression")
