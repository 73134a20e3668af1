"""Walks over expressions: graphs whose nodes may be shared, visited without recursion and each once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from . import ir

#: What is as cheap as its name.
_FREE = (ir.Const, ir.IndexValue, ir.Ramp, ir.Read)


def operands_of(expr: ir.Expr) -> tuple[ir.Expr, ...]:
    """The expressions an expression is made of."""
    match expr:
        case ir.Unary(_, x) | ir.Cast(x) | ir.Bitcast(x) | ir.Broadcast(x) | ir.ReduceLanes(_, x):
            return (x,)
        case ir.Binary(_, a, b) | ir.Compare(_, a, b):
            return a, b
        case ir.Fma(a, b, c) | ir.Select(a, b, c):
            return a, b, c
    return ()


def postorder(expr: ir.Expr) -> list[ir.Expr]:
    """The nodes of an expression, each once (by identity), operands before what reads them."""
    if not operands_of(expr):
        return [expr]
    order: list[ir.Expr] = []
    visited: set[int] = set()
    stack: list[tuple[ir.Expr, bool]] = [(expr, False)]
    while stack:
        node, operands_done = stack.pop()
        if operands_done:
            order.append(node)
        elif id(node) not in visited:
            visited.add(id(node))
            stack.append((node, True))
            stack += [(operand, False) for operand in reversed(operands_of(node))]
    return order


def shared_nodes(expr: ir.Expr) -> set[int]:
    """The identities of nodes that are operands more than once, of those worth a name."""
    seen: set[int] = set()
    shared: set[int] = set()
    stack = [expr]
    while stack:
        for operand in operands_of(stack.pop()):
            if isinstance(operand, _FREE):
                continue
            if id(operand) in seen:
                shared.add(id(operand))
            else:
                seen.add(id(operand))
                stack.append(operand)
    return shared


def with_operands(expr: ir.Expr, operands: Sequence[ir.Expr]) -> ir.Expr:
    """The same operation on other operands."""
    if all(one is other for one, other in zip(operands_of(expr), operands, strict=True)):
        return expr
    match expr:
        case ir.Unary() | ir.Cast() | ir.Bitcast() | ir.Broadcast() | ir.ReduceLanes():
            return replace(expr, x=operands[0])
        case ir.Binary() | ir.Compare():
            return replace(expr, a=operands[0], b=operands[1])
        case ir.Fma():
            return replace(expr, a=operands[0], b=operands[1], c=operands[2])
        case ir.Select():
            return replace(expr, condition=operands[0], a=operands[1], b=operands[2])
    return expr
