"""Computes values: `$width * 2` is arithmetic over variables.

Python's own parser makes the syntax tree, but Python never evaluates it. A text of `$names`, numbers and operators
becomes a number, a list, a truth value or a string. If it contains anything else (a dim, a function of a cell), each
`$name` is replaced by its value and the rest stays text.
"""

from __future__ import annotations

import ast
import math
import operator
import re
import warnings
from collections.abc import Callable
from typing import Any

from ..diagnostics.translation.words import describe

LIMIT = 2**63
_LONGEST = 1000
_MARK = "\u0294"  # a letter to Python, so that `$name` parses as a name of the same length
_VARIABLE = re.compile(r"\$(\$|[A-Za-z_][A-Za-z0-9_]*)")
_OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_FUNCTIONS: dict[str, Callable[..., Any]] = {"min": min, "max": max}

Lookup = Callable[[str, int, int], Any]
"""Looks up a variable: its name and its place in the text (start, end) to a plain value. May raise `ValueProblem`."""


class ValueProblem(Exception):
    """Why a value can't be computed. `start` and `end` are offsets in its text."""

    def __init__(
        self,
        code: str,
        message: str,
        start: int,
        end: int,
        help: str | None = None,
        instead: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.start, self.end, self.help = code, message, start, end, help
        self.instead = instead
        """What was probably meant by the text there."""


def has_variables(text: str) -> bool:
    """Whether a text contains anything to compute."""
    return "$" in text and _VARIABLE.search(text) is not None


def whole_variable(text: str) -> str | None:
    """The variable's name if the text is just `$name`."""
    match = _VARIABLE.fullmatch(text.strip())
    return match[1] if match and match[1] != "$" else None


def compute(text: str, lookup: Lookup) -> Any:
    """Computes a text: the value if it is arithmetic, otherwise the text with its variables replaced. `$$` stands for a
    dollar sign. Raises `ValueProblem`.
    """
    tree = _arithmetic(text)
    return _Evaluation(text, lookup).value(tree, 0) if tree is not None else _written_out(text, lookup)


def _arithmetic(text: str) -> ast.expr | None:
    if len(text) > _LONGEST or _MARK in text or "$$" in text:
        return None
    plain = _VARIABLE.sub(lambda match: _MARK + match[1], re.sub(r"\s", " ", text))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(plain.lstrip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    functions = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    known = (
        ast.BinOp,
        ast.UnaryOp,
        ast.Constant,
        ast.Subscript,
        ast.Call,
        ast.operator,
        ast.unaryop,
        ast.Load,
    )
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            # A call such as `f($x)` counts as arithmetic for our own functions only.
            if not (node.id in _FUNCTIONS if id(node) in functions else node.id.startswith(_MARK)):
                return None
        elif not isinstance(node, known):
            return None
    return tree


def _written_out(text: str, lookup: Lookup) -> str:
    def put(match: re.Match[str]) -> str:
        if match[1] == "$":
            return "$"
        value = lookup(match[1], match.start(), match.end())
        if isinstance(value, list):
            message = f"${match[1]} is a list, it can't be part of a text"
            raise ValueProblem("NW0805", message, match.start(), match.end())
        if isinstance(value, str):
            return value
        if isinstance(value, bool):
            return "true" if value else "false"
        return f"({value!r})" if value < 0 else repr(value)

    return _VARIABLE.sub(put, text)


class _Evaluation:
    def __init__(self, text: str, lookup: Lookup) -> None:
        self.text, self.lookup = text, lookup
        self.shift = len(text) - len(text.lstrip())
        self.encoded = _VARIABLE.sub(lambda match: _MARK + match[1], text.lstrip()).encode()

    def place(self, tree: ast.expr) -> tuple[int, int]:
        # ast counts UTF-8 bytes.
        start, end = tree.col_offset, tree.end_col_offset or len(self.encoded)
        return (
            len(self.encoded[:start].decode()) + self.shift,
            len(self.encoded[:end].decode()) + self.shift,
        )

    def problem(self, message: str, tree: ast.expr, help: str | None = None) -> ValueProblem:
        return ValueProblem("NW0805", message, *self.place(tree), help)

    def value(self, tree: ast.expr, depth: int) -> Any:
        if depth > 50:
            raise self.problem("the arithmetic is nested too deeply", tree)
        match tree:
            case ast.Constant(value=int() | float() as value):
                return self.checked(value, tree)
            case ast.Constant():
                raise self.problem("arithmetic is on numbers", tree)
            case ast.Name(id=name):
                return self.lookup(name.removeprefix(_MARK), *self.place(tree))
            case ast.UnaryOp(op=ast.USub(), operand=inner):
                return -self.number(inner, depth)
            case ast.UnaryOp(op=ast.UAdd(), operand=inner):
                return self.number(inner, depth)
            case ast.BinOp(left=left, op=op, right=right):
                a, b = self.number(left, depth), self.number(right, depth)
                return self.checked(self.operate(op, a, b, tree), tree)
            case ast.Subscript(value=inner, slice=index):
                return self.item(self.value(inner, depth + 1), self.number(index, depth), tree)
            case ast.Call(func=ast.Name(id=name), args=[_, _, *_] as arguments, keywords=[]):
                return _FUNCTIONS[name](*(self.number(argument, depth) for argument in arguments))
        raise self.problem("values are computed with + - * / // % **, min and max, and [ ]", tree)

    def number(self, tree: ast.expr, depth: int) -> int | float:
        value = self.value(tree, depth + 1)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.problem(f"arithmetic is on numbers, this is {describe(value)}", tree)
        return value

    def operate(self, op: ast.operator, a: int | float, b: int | float, tree: ast.BinOp) -> int | float:
        if isinstance(op, ast.Div | ast.FloorDiv | ast.Mod) and b == 0:
            raise self.problem("a division by zero", tree)
        try:
            if isinstance(op, ast.Div):
                # A quotient without remainder stays an integer, so that `units: $width / 2` works.
                exact = isinstance(a, int) and isinstance(b, int) and a % b == 0
                return a // b if exact else a / b
            if isinstance(op, ast.Pow):
                if abs(b) > 64:
                    raise self.problem("the exponent is larger than 64", tree.right)
                power = a**b
                if isinstance(power, complex):
                    raise self.problem("a root of a negative number", tree)
                return power
            return _OPERATORS[type(op)](a, b)
        except KeyError:
            raise self.problem("values are computed with + - * / // % **", tree) from None
        except (OverflowError, ZeroDivisionError):
            raise self.problem("the number is too large", tree) from None

    def checked(self, value: int | float, tree: ast.expr) -> int | float:
        if isinstance(value, bool):
            raise self.problem("arithmetic is on numbers", tree)
        if (isinstance(value, int) and abs(value) >= LIMIT) or (
            isinstance(value, float) and not math.isfinite(value)
        ):
            raise self.problem("the number is too large", tree)
        return value

    def item(self, values: Any, index: int | float, tree: ast.expr) -> Any:
        if not isinstance(values, list):
            raise self.problem(f"[ ] takes an entry of a list, this is {describe(values)}", tree)
        if not isinstance(index, int) or not 0 <= index < len(values):
            raise self.problem(f"there is no entry {index} in a list of {len(values)}", tree)
        return values[index]
