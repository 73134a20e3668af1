"""Sizes from text; ``str`` is the way back."""

from __future__ import annotations

import ast

from .algebra import DimLike, dim
from .extrema import extremum


def parse_dim(text: str) -> DimLike:
    """Reads what ``str`` prints: names, integers, ``+ - * //``, ``min(…)``, ``max(…)``. Raises ValueError."""
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError(f"{text!r} is not a dimension") from error
    return _from_tree(tree, text)


def _from_tree(tree: ast.expr, text: str) -> DimLike:
    match tree:
        case ast.Constant(value=int() as number) if not isinstance(number, bool):
            return number
        case ast.Name(id=name):
            return dim(name)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_from_tree(operand, text)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _from_tree(left, text) + _from_tree(right, text)
        case ast.BinOp(left=left, op=ast.Sub(), right=right):
            return _from_tree(left, text) - _from_tree(right, text)
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            return _from_tree(left, text) * _from_tree(right, text)
        case ast.BinOp(left=left, op=ast.FloorDiv(), right=right):
            divisor = _from_tree(right, text)
            if not isinstance(divisor, int) or divisor <= 0:
                raise ValueError(f"in {text!r}: a dimension can only be divided by a positive constant")
            return _from_tree(left, text) // divisor
        case ast.Call(func=ast.Name(id="min" | "max" as function), args=arguments, keywords=[]) if arguments:
            return extremum(function, [_from_tree(argument, text) for argument in arguments])
    raise ValueError(f"{text!r} is not a dimension: use names, integers, + - * //, min and max")
