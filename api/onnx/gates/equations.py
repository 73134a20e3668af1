"""Brings the equations of a cell into normal form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from netwright.specs.equations.cells import Cell
from netwright.specs.equations.expressions import (
    FUNCTIONS,
    Binary,
    Call,
    Compare,
    Expression,
    Name,
    Negate,
    Number,
    Previous,
)

from .elements import Ids
from .forms import Forms, Function, Poly, Unlike, Vector, Whole

#: Elementwise functions of the language, and those with a special rule.
_ELEMENTWISE = {name for name, function in FUNCTIONS.items() if not function.options and name != "transpose"}
_SAME_SIZE = ("softmax",)
_ONE_NUMBER = ("sum", "mean", "max", "min")

Value = Vector | Ids


@dataclass(frozen=True)
class Results:
    """The result of a step: the states' new values, and the output."""

    states: Mapping[str, Vector]
    output: Vector


def vector(poly: Poly, size: int | None) -> Vector:
    """A vector of one piece."""
    return ((size, poly),)


def results(
    cell: Cell,
    forms: Forms,
    inputs: Mapping[str, Vector],
    params: Mapping[str, Ids],
    old: Mapping[str, Vector],
    new: Mapping[str, Vector],
) -> Results:
    """The results of a cell's steps. ``old`` and ``new`` stand for the states' values before and after the step.

    Raises Unlike.
    """
    return _Evaluation(forms, inputs, params, old, new).run(cell)


class _Evaluation:
    def __init__(
        self,
        forms: Forms,
        inputs: Mapping[str, Vector],
        params: Mapping[str, Ids],
        old: Mapping[str, Vector],
        new: Mapping[str, Vector],
    ):
        self.forms, self.old, self.new = forms, old, new
        self.values: dict[str, Value] = {**inputs}
        for name, ids in params.items():
            self.values[name] = ids if ids.ndim == 2 else vector(forms.weights(ids), ids.size)

    def run(self, cell: Cell) -> Results:
        states: dict[str, Vector] = {}
        # Another name for a state's new value means that value from the start.
        named = {
            step.value.id: step.targets[0]
            for step in reversed(cell.steps)
            if isinstance(step.value, Name) and step.targets[0] in self.new and step.value.id not in self.new
        }
        for step in cell.steps:
            parts = self.parts(step.value, len(step.targets))
            for name, value in zip(step.targets, parts, strict=True):
                state = named.get(name, name)
                if state in self.new and state not in states:
                    states[state] = self.as_vector(value)
                self.values[name] = self.new.get(state, value)
        return Results(states, self.as_vector(self.value(cell.output)))

    def parts(self, node: Expression, count: int) -> list[Value]:
        if not (isinstance(node, Call) and node.function == "split"):
            if count != 1:
                raise Unlike
            return [self.value(node)]
        value = self.value(node.arguments[0])
        if isinstance(value, np.ndarray):
            axis = node.option("axis") or 0
            return list(np.split(value, count, axis))
        size = self.size(value)
        if size is None or size % count or node.option("axis") not in (0, -1):
            raise Unlike
        part = size // count
        return [self.cut(value, start, start + part) for start in range(0, size, part)]

    def as_vector(self, value: Value) -> Vector:
        if isinstance(value, np.ndarray):
            raise Unlike
        return value

    # Expressions.

    def value(self, node: Expression) -> Value:
        forms = self.forms
        match node:
            case Number(value=number):
                return vector(forms.number(number), None)
            case Name(id=name):
                return self.values[name]
            case Previous(state=state):
                return self.old[state]
            case Negate(operand=operand):
                return self.scaled(self.vector(operand), -1)
            case Binary(operator="@"):
                return self.product(self.value(node.left), self.value(node.right))
            case Binary():
                return self.binary(node.operator, self.vector(node.left), self.vector(node.right))
            case Compare():
                return self.elementwise(node.operator, (self.vector(node.left), self.vector(node.right)), ())
            case Call():
                return self.call(node)
        raise Unlike

    def vector(self, node: Expression) -> Vector:
        return self.as_vector(self.value(node))

    def scaled(self, value: Vector, number: float) -> Vector:
        return tuple((size, self.forms.times(poly, number)) for size, poly in value)

    def product(self, left: Value, right: Value) -> Vector:
        if isinstance(left, np.ndarray):
            left, right = right, left.T
        if isinstance(left, np.ndarray) or not isinstance(right, np.ndarray) or right.ndim != 2:
            raise Unlike
        if self.size(left) != right.shape[0]:
            raise Unlike
        total: Poly = ()
        start = 0
        for size, poly in left:
            assert size is not None
            part = self.forms.product(vector(poly, size), right[start : start + size])
            total, start = self.forms.add(total, part), start + size
        return vector(total, right.shape[1])

    def binary(self, operator: str, left: Vector, right: Vector) -> Vector:
        forms = self.forms

        def combined(a: Poly, b: Poly) -> Poly:
            match operator:
                case "+":
                    return forms.add(a, b)
                case "-":
                    return forms.add(a, forms.times(b, -1))
                case "*":
                    return forms.multiply(a, b)
                case "/" if len(b) == 1 and not b[0][0]:
                    return forms.times(a, 1 / b[0][1])
            return forms.of(Function(operator, (a, b)))

        rows = self.aligned((left, right))
        return tuple((size, combined(*polys)) for size, polys in rows)

    def elementwise(self, name: str, operands: tuple[Vector, ...], numbers: tuple[float, ...]) -> Vector:
        rows = self.aligned(operands)
        return tuple((size, self.forms.function(name, polys, numbers)) for size, polys in rows)

    def call(self, node: Call) -> Value:
        name = node.function
        if name == "transpose":
            value = self.value(node.arguments[0])
            if not isinstance(value, np.ndarray):
                raise Unlike
            return value.T
        values = [self.value(argument) for argument in node.arguments]
        if name == "concat":
            if all(isinstance(value, np.ndarray) for value in values):
                return np.concatenate(values, node.option("axis") or 0)  # type: ignore[arg-type]
            return self.joined([self.as_vector(value) for value in values], node.option("axis"))
        operands = tuple(self.as_vector(value) for value in values)
        if name in _ELEMENTWISE and node.word is None:
            count = FUNCTIONS[name].constants
            numbers = tuple(self.number(arg) for arg in operands[len(operands) - count :]) if count else ()
            return self.elementwise(name, operands[: len(operands) - count], numbers)
        sizes = [self.size(operand) for operand in operands]
        if name in _SAME_SIZE and sizes[0] is not None:
            whole = Whole(name, operands, node.options, 0, sizes[0])
            return vector(self.forms.of(whole), sizes[0])
        if name in _ONE_NUMBER:
            return vector(self.forms.of(Whole(name, operands, node.options, 0, None)), None)
        raise Unlike

    def number(self, value: Vector) -> float:
        (_, poly), *rest = value
        if rest or len(poly) > 1 or (poly and poly[0][0]):
            raise Unlike
        return poly[0][1] if poly else 0.0

    # Pieces.

    def size(self, value: Vector) -> int | None:
        sizes = [size for size, _ in value]
        return None if None in sizes else sum(size for size in sizes if size is not None)

    def cut(self, value: Vector, low: int, high: int) -> Vector:
        pieces: list[tuple[int | None, Poly]] = []
        start = 0
        for size, poly in value:
            assert size is not None
            first, last = max(low - start, 0), min(high - start, size)
            if first < last:
                whole = (first, last) == (0, size)
                pieces.append((last - first, poly if whole else self.forms.sliced(poly, first, last)))
            start += size
        return tuple(pieces)

    def joined(self, values: list[Vector], axis: int | None) -> Vector:
        if axis not in (0, -1) or any(self.size(value) is None for value in values):
            raise Unlike
        return tuple(piece for value in values for piece in value)

    def aligned(self, values: tuple[Vector, ...]) -> list[tuple[int | None, tuple[Poly, ...]]]:
        """Cuts vectors into pieces of the same sizes; single numbers are the same in all of them. Raises Unlike."""
        sizes = {self.size(value) for value in values} - {None}
        if len(sizes) > 1:
            raise Unlike
        if not sizes:
            return [(None, tuple(value[0][1] for value in values))]
        ends: set[int] = set()
        for value in values:
            if self.size(value) is not None:
                ends.update(accumulate(size or 0 for size, _ in value))
        pieces, start = [], 0
        for end in sorted(ends):
            polys = []
            for value in values:
                part = value if self.size(value) is None else self.cut(value, start, end)
                polys.append(part[0][1])
            pieces.append((end - start, tuple(polys)))
            start = end
        return pieces
