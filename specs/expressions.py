"""Expressions of cells: a small typed tree. `expression_parser.py` reads it.

Only what is listed here exists: numbers, names, `prev(name)`, `+ - * / @ **`, comparisons, and `FUNCTIONS`.
Every node knows its place in the spec. Tensors in an expression are those of one sample; the batch is
implicit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from .source import Span


@dataclass(frozen=True, slots=True)
class Number:
    """A constant."""

    value: int | float
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Name:
    """An input, a parameter, an argument, or what an earlier step gave."""

    id: str
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Previous:
    """`prev(name)`: a state's value of the step before."""

    state: str
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Negate:
    """−x."""

    operand: Expression
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Binary:
    """`+`, `-`, `*`, `/` (broadcast like NumPy), `@` (matrix product), or `**` with a constant exponent."""

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
    """A function of `FUNCTIONS`; `options` are its keyword arguments, all given or by default."""

    function: str
    arguments: tuple[Expression, ...]
    options: tuple[tuple[str, int | None], ...]
    span: Span = field(compare=False)

    def option(self, name: str) -> int | None:
        """The value of an option. Raises `KeyError`."""
        return dict(self.options)[name]


Expression = Number | Name | Previous | Negate | Binary | Compare | Call


@dataclass(frozen=True, slots=True)
class Function:
    """How many arguments a function takes (most None: any number), its options, and what it does."""

    fewest: int
    most: int | None
    summary: str
    options: tuple[tuple[str, int | None], ...] = ()
    constants: int = 0
    """How many of its last arguments have to be numbers."""


_LAST = (("axis", -1),)
_ALL = (("axis", None),)

FUNCTIONS: dict[str, Function] = {
    "tanh": Function(1, 1, "hyperbolic tangent"),
    "sigmoid": Function(1, 1, "1 / (1 + exp(-x))"),
    "relu": Function(1, 1, "max(x, 0)"),
    "leaky_relu": Function(2, 2, "x where x > 0, else slope * x: leaky_relu(x, slope)", constants=1),
    "elu": Function(2, 2, "x where x > 0, else alpha * (exp(x) - 1): elu(x, alpha)", constants=1),
    "gelu": Function(1, 1, "x / 2 * (1 + erf(x / sqrt(2)))"),
    "softplus": Function(1, 1, "log(1 + exp(x))"),
    "exp": Function(1, 1, "exponential"),
    "log": Function(1, 1, "natural logarithm"),
    "sqrt": Function(1, 1, "square root"),
    "abs": Function(1, 1, "absolute value"),
    "maximum": Function(2, 2, "the larger, element by element"),
    "minimum": Function(2, 2, "the smaller, element by element"),
    "where": Function(3, 3, "where(condition, a, b): a where the condition holds, else b"),
    "softmax": Function(1, 1, "exp(x) / sum(exp(x)) along an axis", _LAST),
    "sum": Function(1, 1, "sum along an axis, or of all elements", _ALL),
    "mean": Function(1, 1, "mean along an axis, or of all elements", _ALL),
    "max": Function(1, 1, "largest along an axis, or of all elements", _ALL),
    "min": Function(1, 1, "smallest along an axis, or of all elements", _ALL),
    "split": Function(2, 2, "split(x, n): n equal parts along an axis", _LAST, constants=1),
    "concat": Function(2, None, "joins its arguments along an axis", _LAST),
    "transpose": Function(1, 1, "swaps the last two axes"),
}


def walk(expression: Expression) -> Iterator[Expression]:
    """The node and all below it, parents first."""
    stack = [expression]
    while stack:
        node = stack.pop()
        yield node
        match node:
            case Negate(operand=operand):
                stack.append(operand)
            case Binary(left=left, right=right) | Compare(left=left, right=right):
                stack += [right, left]
            case Call(arguments=arguments):
                stack += reversed(arguments)
