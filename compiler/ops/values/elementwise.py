"""Elementwise primitives except select and cast: one entry holds everything about one function.

At points where a function is not differentiable the rules choose: relu′(0) = 0 when relu is ``max(x, 0)`` (a tie
gives the cotangent to the second operand), |x|′(0) = 0; a NaN operand passes the cotangent on, as it passes the value
on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...graph.graph import Graph
from ...graph.node import Node, Value
from ...graph.rules import ShapeError
from ...graph.types import DTYPES, FLOATS, TensorType
from ..base import Sample
from ..contexts import EvaluationContext, GradientContext
from ..protocols import Elementwise
from .constant import splat_like, zeros_like

NUMBERS = tuple(dtype for dtype in DTYPES if dtype != "bool")

Gradient = Callable[["Graph", Sequence["Value"], "Value", "Value"], Sequence["Value | None"]]


def check_same(name: str, operands: Sequence[TensorType], dtypes: Sequence[str], count: int) -> TensorType:
    """The common type of ``count`` operands. Raises ShapeError."""
    if len(operands) != count:
        raise ShapeError(f"{name} takes {count} operands, not {len(operands)}")
    first = operands[0]
    for position, type in enumerate(operands):
        if type != first:
            raise ShapeError(f"{name} of different types: {first} and {type}", position)
        if type.dtype not in dtypes:
            raise ShapeError(f"{name} does not take {type.dtype}", position)
    return first


class Function(Elementwise):
    """An elementwise function of operands of one type; ``result`` is the result's dtype, or None for the operands'.

    ``gradient(graph, operands, result, dy)`` appends the cotangents; None for functions without one. ``method`` is
    the builder's method if its name differs from ``name``.
    """

    def __init__(
        self,
        name: str,
        function: Callable[..., Any],
        gradient: Gradient | None,
        *,
        arity: int,
        dtypes: Sequence[str] = FLOATS,
        result: str | None = None,
        cheap: bool = True,
        draw: tuple[str, ...] = (),
        method: str | None = None,
    ):
        self.name = name
        self.cheap = cheap
        self._function = function
        self._gradient = gradient
        self._arity = arity
        self._dtypes = dtypes
        self._result = result
        self._draw = draw or ("normal",) * arity
        self._method = method or name

    def infer(self, attrs: Any, operands: Sequence[TensorType]) -> Sequence[TensorType]:
        type = check_same(self.name, operands, self._dtypes, self._arity)
        return [type.with_dtype(self._result) if self._result else type]

    def evaluate(
        self, context: EvaluationContext, attrs: Any, operands: Sequence[np.ndarray]
    ) -> Sequence[np.ndarray]:
        return [self._function(*operands)]

    def gradient(
        self, context: GradientContext, node: Node, cotangents: Sequence[Value | None]
    ) -> Sequence[Value | None]:
        graph, (dy,) = context.graph, cotangents
        operands = graph.operands(node)
        if self._gradient is None or dy is None or node.types[0].dtype not in FLOATS:
            return [None] * self._arity
        return self._gradient(graph, operands, node.values[0], dy)

    def emit(self, builder: Any, attrs: Any, operands: Sequence[Any]) -> Any:
        return getattr(builder, self._method)(*operands)

    def samples(self) -> Sequence[Sample]:
        dtype = "float64" if "float64" in self._dtypes else self._dtypes[0]
        shapes = [(3, 5), ()]
        samples = [Sample((TensorType(dtype, shape),) * self._arity, draw=self._draw) for shape in shapes]
        if "int64" in self._dtypes:
            x = TensorType("int64", (4,))
            samples.append(Sample((x,) * self._arity, draw=("index:9",) * self._arity))
        return samples


def _erf(x: np.ndarray) -> np.ndarray:
    return np.asarray(np.frompyfunc(math.erf, 1, 1)(x.astype(np.float64))).astype(x.dtype)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    one = x.dtype.type(1)
    return one / (one + np.exp(-x))


def _neg_gradient(g: Graph, xs: Sequence[Value], y: Value, dy: Value) -> Sequence[Value]:
    return [g.apply("neg", dy)]


def _exp_gradient(g: Graph, xs: Sequence[Value], y: Value, dy: Value) -> Sequence[Value]:
    return [g.apply("mul", dy, y)]


def _log_gradient(g: Graph, xs: Sequence[Value], y: Value, dy: Value) -> Sequence[Value]:
    return [g.apply("div", dy, xs[0])]


def _tanh_gradient(g: Graph, xs: Sequence[Value], y: Value, dy: Value) -> Sequence[Value]:
    slope = g.apply("sub", splat_like(g, 1, y), g.apply("mul", y, y))
    return [g.apply("mul", dy, slope)]


def _sigmoid_gradient(g: Graph, xs: Sequence[Value], y: Value, dy: Value) -> Sequence[Value]:
    slope = g.apply("mul", y, g.apply("sub", splat_like(g, 1, y), y))
    return [g.apply("mul", dy, slope)]


def _erf_gradient(g: Graph, xs: Sequence[Value], y: Value, dy: Value) -> Sequence[Value]:
    bell = g.apply("exp", g.apply("neg", g.apply("mul", xs[0], xs[0])))
    return [g.apply("mul", dy, g.apply("mul", splat_like(g, 2 / math.sqrt(math.pi), y), bell))]


def _sqrt_gradient(g: Graph, xs: Sequence[Value], y: Value, dy: Value) -> Sequence[Value]:
    return [g.apply("div", g.apply("mul", splat_like(g, 0.5, y), dy), y)]


def _abs_gradient(g: Graph, xs: Sequence[Value], y: Value, dy: Value) -> Sequence[Value]:
    zero = zeros_like(g, y)
    sign = g.apply("select", g.apply("lt", xs[0], zero), g.apply("neg", dy), dy)
    return [g.apply("select", g.apply("eq", xs[0], zero), zero, sign)]


def _cos_gradient(g: Graph, xs: Sequence[Value], y: Value, dy: Value) -> Sequence[Value]:
    return [g.apply("neg", g.apply("mul", dy, g.apply("sin", xs[0])))]


def _sin_gradient(g: Graph, xs: Sequence[Value], y: Value, dy: Value) -> Sequence[Value]:
    return [g.apply("mul", dy, g.apply("cos", xs[0]))]


def _add_gradient(g: Graph, xs: Sequence[Value], y: Value, dy: Value) -> Sequence[Value]:
    return [dy, dy]


def _sub_gradient(g: Graph, xs: Sequence[Value], y: Value, dy: Value) -> Sequence[Value]:
    return [dy, g.apply("neg", dy)]


def _mul_gradient(g: Graph, xs: Sequence[Value], y: Value, dy: Value) -> Sequence[Value]:
    return [g.apply("mul", dy, xs[1]), g.apply("mul", dy, xs[0])]


def _div_gradient(g: Graph, xs: Sequence[Value], y: Value, dy: Value) -> Sequence[Value]:
    quotient = g.apply("div", dy, xs[1])
    return [quotient, g.apply("neg", g.apply("mul", quotient, y))]


def _choice_gradient(second: str) -> Gradient:
    """The gradient of max and min: the second operand gets the cotangent where the comparison ``second`` holds, ties
    included."""

    def gradient(g: Graph, xs: Sequence[Value], y: Value, dy: Value) -> Sequence[Value]:
        zero = zeros_like(g, y)
        other = g.apply(second, *xs)
        return [g.apply("select", other, zero, dy), g.apply("select", other, dy, zero)]

    return gradient


class StopGradient(Function):
    """The identity, with zero as its derivative; ``simplify`` removes it after differentiation."""

    gradients_only = True
    unchanged = "all"

    def __init__(self) -> None:
        super().__init__("stop_gradient", lambda x: x, None, arity=1, dtypes=DTYPES)

    def emit(self, builder: Any, attrs: Any, operands: Sequence[Any]) -> Any:
        return operands[0]

    def samples(self) -> Sequence[Sample]:
        return [Sample((TensorType("float64", (3,)),), differentiable=())]


class StraightThrough(Function):
    """The first operand; the second gets the cotangent: a value without a useful derivative borrows another's (the
    straight-through estimator, Bengio et al., 2013). ``simplify`` keeps only the value after differentiation."""

    gradients_only = True

    def __init__(self) -> None:
        super().__init__("straight_through", lambda x, y: x, None, arity=2)

    def gradient(
        self, context: GradientContext, node: Node, cotangents: Sequence[Value | None]
    ) -> Sequence[Value | None]:
        return [None, cotangents[0]]

    def emit(self, builder: Any, attrs: Any, operands: Sequence[Any]) -> Any:
        return operands[0]

    def samples(self) -> Sequence[Sample]:
        type = TensorType("float64", (3,))
        return [Sample((type, type), differentiable=())]


UNARY = (
    Function("neg", np.negative, _neg_gradient, arity=1, dtypes=(*FLOATS, "int32", "int64")),
    Function("exp", np.exp, _exp_gradient, arity=1, cheap=False),
    Function("log", np.log, _log_gradient, arity=1, cheap=False, draw=("positive",)),
    Function("tanh", np.tanh, _tanh_gradient, arity=1, cheap=False),
    Function("sigmoid", _sigmoid, _sigmoid_gradient, arity=1, cheap=False),
    Function("erf", _erf, _erf_gradient, arity=1, cheap=False),
    Function("sqrt", np.sqrt, _sqrt_gradient, arity=1, cheap=False, draw=("positive",)),
    Function("abs", np.abs, _abs_gradient, arity=1, dtypes=(*FLOATS, "int32", "int64"), draw=("distinct",)),
    Function("cos", np.cos, _cos_gradient, arity=1, cheap=False),
    Function("sin", np.sin, _sin_gradient, arity=1, cheap=False),
    Function("floor", np.floor, None, arity=1),
    Function("round", np.rint, None, arity=1),
    Function("not", np.logical_not, None, arity=1, dtypes=("bool",), draw=("bool",), method="logical_not"),
    StopGradient(),
)

BINARY = (
    Function("add", np.add, _add_gradient, arity=2, dtypes=NUMBERS),
    Function("sub", np.subtract, _sub_gradient, arity=2, dtypes=NUMBERS),
    Function("mul", np.multiply, _mul_gradient, arity=2, dtypes=NUMBERS),
    Function("div", np.divide, _div_gradient, arity=2, draw=("normal", "positive")),
    Function("max", np.maximum, _choice_gradient("le"), arity=2, dtypes=NUMBERS, draw=("distinct",) * 2),
    Function("min", np.minimum, _choice_gradient("ge"), arity=2, dtypes=NUMBERS, draw=("distinct",) * 2),
    Function(
        "and", np.logical_and, None, arity=2, dtypes=("bool",), draw=("bool",) * 2, method="logical_and"
    ),
    Function("or", np.logical_or, None, arity=2, dtypes=("bool",), draw=("bool",) * 2, method="logical_or"),
    StraightThrough(),
)

COMPARE = tuple(
    Function(name, function, None, arity=2, dtypes=DTYPES, result="bool")
    for name, function in [
        ("eq", np.equal),
        ("ne", np.not_equal),
        ("lt", np.less),
        ("le", np.less_equal),
        ("gt", np.greater),
        ("ge", np.greater_equal),
    ]
)
