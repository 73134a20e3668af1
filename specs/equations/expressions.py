"""Expressions of cells and expression layers as typed trees; `parser.py` makes them.

Only what is listed here exists: numbers, names, `prev(name)`, `+ - * / // % @ **`, comparisons, and `FUNCTIONS`. Every
node knows its place in the spec. In a cell, tensors have the shape of one sample and the batch is implicit; in a layer
they have the whole shape.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import get_args

from ..descent import Descent, descend
from ..models.base import DType
from ..source.tree import Span


@dataclass(frozen=True, slots=True)
class Number:
    """A constant."""

    value: int | float
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Name:
    """An input, a parameter, an argument, or the result of an earlier step."""

    id: str
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Previous:
    """`prev(name)`: the value of a state in the previous step."""

    state: str
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Negate:
    """−x."""

    operand: Expression
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Binary:
    """`+`, `-`, `*`, `/`, `//`, `%`, `**` (broadcast like NumPy), or `@` (matrix product)."""

    operator: str
    left: Expression
    right: Expression
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Compare:
    """`<`, `<=`, `>`, `>=`, `==` or `!=`, element by element; gives booleans for `where`."""

    operator: str
    left: Expression
    right: Expression
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a function in `FUNCTIONS`. `options` holds all its keyword arguments, defaults included."""

    function: str
    arguments: tuple[Expression, ...]
    options: tuple[tuple[str, int | None], ...]
    span: Span = field(compare=False)
    word: str | None = None
    """The word that some functions take as last argument, such as the dtype of a cast."""

    def option(self, name: str) -> int | None:
        """The value of an option. Raises `KeyError` if the function has no such option."""
        return dict(self.options)[name]


@dataclass(frozen=True, slots=True)
class Run:
    """A step of a nested cell: its output for these inputs."""

    cell: str
    arguments: tuple[Expression, ...]
    span: Span = field(compare=False)


Expression = Number | Name | Previous | Negate | Binary | Compare | Call | Run


@dataclass(frozen=True, slots=True)
class Function:
    """A function: the range of its number of arguments (``most`` None: no limit), its options, and a description."""

    fewest: int
    most: int | None
    summary: str
    options: tuple[tuple[str, int | None], ...] = ()
    constants: int = 0
    """How many of the last arguments must be numbers."""
    words: tuple[str, ...] = ()
    """If the last argument is a word, the allowed words. It counts as an argument."""


_LAST = (("axis", -1),)
_ALL = (("axis", None),)

CONSTANTS: dict[str, float] = {"inf": math.inf, "nan": math.nan, "pi": math.pi}
"""Named constants."""

FUNCTIONS: dict[str, Function] = {
    "tanh": Function(1, 1, "hyperbolic tangent"),
    "sigmoid": Function(1, 1, "1 / (1 + exp(-x))"),
    "relu": Function(1, 1, "max(x, 0)"),
    "leaky_relu": Function(2, 2, "x where x > 0, else slope * x: leaky_relu(x, slope)", constants=1),
    "elu": Function(2, 2, "x where x > 0, else alpha * (exp(x) - 1): elu(x, alpha)", constants=1),
    "selu": Function(3, 3, "gamma * elu(x, alpha): selu(x, alpha, gamma)", constants=2),
    "celu": Function(2, 2, "x where x > 0, else alpha * (exp(x / alpha) - 1): celu(x, alpha)", constants=1),
    "affine": Function(3, 3, "alpha * x + beta: affine(x, alpha, beta)", constants=2),
    "hard_sigmoid": Function(3, 3, "clip(alpha * x + beta, 0, 1): hard_sigmoid(x, alpha, beta)", constants=2),
    "hard_swish": Function(1, 1, "x * hard_sigmoid(x, 1 / 6, 0.5)"),
    "swish": Function(2, 2, "x * sigmoid(alpha * x): swish(x, alpha)", constants=1),
    "mish": Function(1, 1, "x * tanh(softplus(x))"),
    "softsign": Function(1, 1, "x / (1 + abs(x))"),
    "thresholded_relu": Function(2, 2, "x where x > theta, else 0: thresholded_relu(x, theta)", constants=1),
    "shrink": Function(
        3,
        3,
        "0 where abs(x) <= threshold, else moved towards 0 by bias: shrink(x, threshold, bias)",
        constants=2,
    ),
    "scaled_tanh": Function(3, 3, "alpha * tanh(beta * x): scaled_tanh(x, alpha, beta)", constants=2),
    "gelu": Function(1, 1, "x / 2 * (1 + erf(x / sqrt(2)))"),
    "gelu_tanh": Function(1, 1, "gelu approximated by tanh"),
    "softplus": Function(1, 1, "log(1 + exp(x))"),
    "exp": Function(1, 1, "exponential"),
    "log": Function(1, 1, "natural logarithm"),
    "sqrt": Function(1, 1, "square root"),
    "abs": Function(1, 1, "absolute value"),
    "erf": Function(1, 1, "error function"),
    "sin": Function(1, 1, "sine"),
    "cos": Function(1, 1, "cosine"),
    "tan": Function(1, 1, "tangent"),
    "asin": Function(1, 1, "inverse sine"),
    "acos": Function(1, 1, "inverse cosine"),
    "atan": Function(1, 1, "inverse tangent"),
    "sinh": Function(1, 1, "hyperbolic sine"),
    "cosh": Function(1, 1, "hyperbolic cosine"),
    "asinh": Function(1, 1, "inverse hyperbolic sine"),
    "acosh": Function(1, 1, "inverse hyperbolic cosine"),
    "atanh": Function(1, 1, "inverse hyperbolic tangent"),
    "reciprocal": Function(1, 1, "1 / x"),
    "sign": Function(1, 1, "-1, 0 or 1"),
    "floor": Function(1, 1, "the largest whole number <= x"),
    "ceil": Function(1, 1, "the smallest whole number >= x"),
    "trunc": Function(1, 1, "x rounded towards 0"),
    "round": Function(1, 1, "the nearest whole number, half to even"),
    "isnan": Function(1, 1, "whether it is NaN"),
    "isinf": Function(1, 1, "whether it is infinite"),
    "maximum": Function(2, None, "the largest, element by element"),
    "minimum": Function(2, None, "the smallest, element by element"),
    "clip": Function(3, 3, "clip(x, low, high): minimum(maximum(x, low), high)"),
    "pow": Function(2, 2, "pow(x, y): x ** y"),
    "mod": Function(2, 2, "mod(x, y): x % y, the remainder x - y * floor(x / y), which has the sign of y"),
    "fmod": Function(2, 2, "fmod(x, y): the remainder x - y * trunc(x / y), which has the sign of x"),
    "logical_and": Function(2, 2, "whether both hold"),
    "logical_or": Function(2, 2, "whether at least one holds"),
    "logical_xor": Function(2, 2, "whether exactly one holds"),
    "logical_not": Function(1, 1, "whether it does not hold"),
    "cast": Function(2, 2, "cast(x, dtype): the same values in another dtype", words=get_args(DType)),
    "index": Function(1, 1, "the position of each element along an axis, int64: index(x, axis=0)", _LAST),
    "size": Function(1, 1, "the number of elements along an axis, or in all, int64", _ALL),
    "where": Function(3, 3, "where(condition, a, b): a where the condition holds, else b"),
    "softmax": Function(1, 1, "exp(x) / sum(exp(x)) along an axis", _LAST),
    "sum": Function(1, 1, "sum along an axis, or of all elements", _ALL),
    "mean": Function(1, 1, "mean along an axis, or of all elements", _ALL),
    "max": Function(1, 1, "largest along an axis, or of all elements", _ALL),
    "min": Function(1, 1, "smallest along an axis, or of all elements", _ALL),
    "split": Function(2, 2, "split(x, n): n equal parts along an axis", _LAST, constants=1),
    "concat": Function(2, None, "joins its arguments along an axis", _LAST),
    "transpose": Function(1, 1, "swaps the last two axes"),
    "convolve": Function(
        2,
        2,
        "convolve(x, kernel): a convolution over all axes of a sample but the last, its features; kernel "
        "[*window, c_in / groups, filters]. By default zeros around x keep its sizes; pad=n puts n zeros on each side, "
        "pad_end=n another number at the end",
        (("pad", None), ("pad_end", None), ("stride", 1), ("dilation", 1)),
    ),
}


def parts_of(expression: Expression) -> tuple[Expression, ...]:
    """The operands of a node."""
    match expression:
        case Negate(operand=operand):
            return (operand,)
        case Binary(left=left, right=right) | Compare(left=left, right=right):
            return left, right
        case Call(arguments=arguments) | Run(arguments=arguments):
            return arguments
    return ()


def walk(expression: Expression) -> Iterator[Expression]:
    """The node and all its descendants, parents first."""
    stack = [expression]
    while stack:
        node = stack.pop()
        yield node
        stack += reversed(parts_of(node))


def replaced(expression: Expression, other: Callable[[Expression], Expression | None]) -> Expression:
    """The tree with some nodes replaced, from the leaves up. `other` returns the replacement of a node, or None to keep
    it.
    """
    return descend(_replaced(expression, other))


def _replaced(
    expression: Expression, other: Callable[[Expression], Expression | None]
) -> Descent[Expression]:
    parts: list[Expression] = []
    for part in parts_of(expression):
        parts.append((yield _replaced(part, other)))
    match expression:
        case Negate():
            expression = replace(expression, operand=parts[0])
        case Binary() | Compare():
            expression = replace(expression, left=parts[0], right=parts[1])
        case Call() | Run():
            expression = replace(expression, arguments=tuple(parts))
    return other(expression) or expression
