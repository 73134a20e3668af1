"""Reads sizes from text; ``str`` writes them."""

from __future__ import annotations

import ast

from .algebra import Call, Dim, DimLike, dim, terms_of
from .extrema import extremum

#: Products of sums grow exponentially, and no meaningful size is nested deeply.
MOST_TERMS, MOST_DEPTH = 500, 100
#: So do products whose factors again contain products inside a floor, a minimum or a maximum.
MOST_PRODUCTS = 4


def parse_dim(text: str) -> DimLike:
    """Reads what ``str`` prints: names, integers, ``+ - * //``, ``min(…)``, ``max(…)``. Raises ValueError for anything
    else, and for sizes with too many terms or levels.
    """
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError(f"{_shown(text)} is not a dimension") from error
    return _Reader(text).read(tree, 0)


def _shown(text: str) -> str:
    return repr(text if len(text) <= 80 else f"{text[:60]}…")


def _products(value: DimLike) -> int:
    """How deeply products that contain calls are nested."""
    return max(
        (
            (len(monomial) > 1) + max(map(_products, atom.arguments))
            for monomial, _ in terms_of(value)
            for atom in monomial
            if isinstance(atom, Call)
        ),
        default=0,
    )


class _Reader:
    """Reads one text."""

    def __init__(self, text: str):
        self.text = text

    def read(self, tree: ast.expr, depth: int) -> DimLike:
        """Reads a part of the text. A sum is read as one chain, so a long one does not count as nested."""
        if depth > MOST_DEPTH:
            raise ValueError(f"{_shown(self.text)} is too deeply nested for a size")
        chain: list[tuple[ast.expr, int]] = []
        while isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.Add | ast.Sub):
            chain.append((tree.right, 1 if isinstance(tree.op, ast.Add) else -1))
            tree = tree.left
        total = self._part(tree, depth)
        for part, sign in reversed(chain):
            total = total + sign * self._part(part, depth)
        return total

    def _part(self, tree: ast.expr, depth: int) -> DimLike:
        match tree:
            case ast.Constant(value=int() as number) if not isinstance(number, bool):
                return number
            case ast.Name(id=name):
                return dim(name)
            case ast.BinOp(op=ast.Add() | ast.Sub()):
                return self.read(tree, depth + 1)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self.read(operand, depth + 1)
            case ast.BinOp(left=left, op=ast.Mult(), right=right):
                a, b = self.read(left, depth + 1), self.read(right, depth + 1)
                if len(terms_of(a)) * len(terms_of(b)) > MOST_TERMS:
                    raise ValueError(
                        f"{_shown(self.text)} has more than {MOST_TERMS} terms, too many for a size"
                    )
                if isinstance(a, Dim) and isinstance(b, Dim) and max(map(_products, (a, b))) >= MOST_PRODUCTS:
                    raise ValueError(f"{_shown(self.text)} is too deeply nested for a size")
                return a * b
            case ast.BinOp(left=left, op=ast.FloorDiv(), right=right):
                divisor = self.read(right, depth + 1)
                if not isinstance(divisor, int) or divisor <= 0:
                    raise ValueError(
                        f"in {_shown(self.text)}: a dimension can only be divided by a positive constant"
                    )
                return self.read(left, depth + 1) // divisor
            case ast.Call(func=ast.Name(id="min" | "max" as function), args=arguments, keywords=[]) if (
                arguments
            ):
                return extremum(function, [self.read(argument, depth + 1) for argument in arguments])
        raise ValueError(
            f"{_shown(self.text)} is not a dimension: use names, integers, + - * //, min and max"
        )
