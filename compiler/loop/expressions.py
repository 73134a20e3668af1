"""Walks over expressions: graphs with shared nodes, each visited once, without recursion."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import Any

from . import ir

#: Looked up by class, since every node is asked many times.
_OPERANDS: dict[type, Callable[[Any], tuple[ir.Expr, ...]]] = {
    **dict.fromkeys((ir.Unary, ir.Cast, ir.Bitcast, ir.Broadcast, ir.ReduceLanes), lambda expr: (expr.x,)),
    **dict.fromkeys((ir.Binary, ir.Compare, ir.Shuffle), attrgetter("a", "b")),
    **dict.fromkeys((ir.Fma, ir.Dot4), attrgetter("a", "b", "c")),
    ir.Select: attrgetter("condition", "a", "b"),
}
#: Nodes that cost no more than a name.
_FREE = frozenset((ir.Const, ir.IndexValue, ir.Ramp, ir.Read))


def operands_of(expr: ir.Expr) -> tuple[ir.Expr, ...]:
    """The expressions that ``expr`` is made of."""
    operands = _OPERANDS.get(type(expr))
    return () if operands is None else operands(expr)


def postorder(expr: ir.Expr) -> list[ir.Expr]:
    """The nodes of an expression, each once (by identity), operands before their readers."""
    if (operands := _OPERANDS.get(type(expr))) is None:
        return [expr]
    below = operands(expr)
    if _OPERANDS.keys().isdisjoint(map(type, below)):  # as in most expressions
        return [*{id(operand): operand for operand in below}.values(), expr]
    order: list[ir.Expr] = []
    visited: set[int] = set()
    stack: list[ir.Expr | None] = [expr]  # None: all operands of the node below it are written
    while stack:
        node = stack.pop()
        if node is None:
            order.append(stack.pop())  # pyright: ignore[reportArgumentType]
        elif id(node) not in visited:
            visited.add(id(node))
            if (operands := _OPERANDS.get(type(node))) is None:
                order.append(node)
            else:
                stack += (node, None, *reversed(operands(node)))
    return order


def shared_nodes(expr: ir.Expr) -> set[int]:
    """The ids of nodes that are operands more than once and worth a name."""
    shared: set[int] = set()
    if type(expr) not in _OPERANDS:
        return shared
    seen: set[int] = set()
    stack = [expr]
    while stack:
        node = stack.pop()
        for operand in _OPERANDS[type(node)](node):
            kind = type(operand)
            if kind in _FREE:
                continue
            if id(operand) in seen:
                shared.add(id(operand))
            else:
                seen.add(id(operand))
                if kind in _OPERANDS:
                    stack.append(operand)
    return shared


def with_operands(expr: ir.Expr, operands: Sequence[ir.Expr]) -> ir.Expr:
    """The same operation on other operands."""
    if all(old is new for old, new in zip(operands_of(expr), operands, strict=True)):
        return expr
    match expr:
        case ir.Unary() | ir.Cast() | ir.Bitcast() | ir.Broadcast() | ir.ReduceLanes():
            return replace(expr, x=operands[0])
        case ir.Binary() | ir.Compare() | ir.Shuffle():
            return replace(expr, a=operands[0], b=operands[1])
        case ir.Fma() | ir.Dot4():
            return replace(expr, a=operands[0], b=operands[1], c=operands[2])
        case ir.Select():
            return replace(expr, condition=operands[0], a=operands[1], b=operands[2])
    return expr
