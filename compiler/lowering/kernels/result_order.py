"""Computes what follows the sums of a tile across rows, in the order of its result.

Sums have their lanes along the cells of a row; the result has the features of each cell side by side. What reads sums
and numbers alone may be computed in either order. What is in memory like the result, such as a mask or a residual, is
contiguous in the result's order only; and masks should be made there, since lanes of one bit are slow to shuffle. So
operations are computed after the sums are transposed, except where they read what belongs to a feature, such as a bias,
which is one number for all lanes before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...graph.node import Value
from ...loop.ir import Expr
from ..grouping.roles import ElementwisePart, GeneratorPart
from ..reading.reader import Reader
from .merging import merged

#: Reads a value across rows, one vector for each of them.
Across = Callable[[Value], list[Expr]]
#: Loads the vector of the given number of a value in memory, in the order of the result.
Load = Callable[[Value, int], Expr]


class ResultOrder:
    """The values of one tile as ``number`` vectors in the order of the result, each computed once."""

    def __init__(self, reader: Reader, number: int, across: Across, load: Load):
        self.reader, self.number, self.across, self.load = reader, number, across, load
        self._known: dict[Value, list[Expr]] = {}
        self._free: dict[Value, bool] = {}

    def read(self, value: Value) -> Sequence[Expr]:
        """The vectors of ``value``, of those that exist. Raises NotVectorizable."""
        if value not in self._known:
            self._known[value] = self._read(value)
        return self._known[value]

    def _read(self, value: Value) -> list[Expr]:
        reader, part = self.reader, self.reader.roles.part(value)
        if reader.in_memory(value):
            return [reader.b.let("v", self.load(value, number)) for number in range(self.number)]
        if self._is_number(value):
            return self.across(value)[:1] * self.number
        if not isinstance(part, ElementwisePart) or part.role != "elementwise" or self._is_by_feature(part):
            together = merged(reader.b, self.across(value))[: self.number]
            return [reader.b.let("t", vector) for vector in together]
        operands = [self.read(operand) for operand in part.operands]
        return [
            reader.b.let("v", part.op.emit(reader.b, part.node.attrs, own))
            for own in zip(*operands, strict=True)
        ]

    def _is_by_feature(self, part: ElementwisePart) -> bool:
        """Whether an operation reads what belongs to a feature, and nothing in memory that is like the result."""
        views = [
            operand
            for operand in part.operands
            if self.reader.roles.part(operand).role == "index" and not self._is_number(operand)
        ]
        return bool(views) and all(self._is_free(operand) for operand in part.operands)

    def _is_free(self, value: Value) -> bool:
        """Whether ``value`` can be computed across rows: it reads nothing in memory that is like the result."""
        if value not in self._free:
            part = self.reader.roles.part(value)
            below = part.operands if isinstance(part, ElementwisePart) and part.role == "elementwise" else ()
            in_memory = self.reader.in_memory(value)
            self._free[value] = not in_memory and all(self._is_free(operand) for operand in below)
        return self._free[value]

    def _is_number(self, value: Value) -> bool:
        """Whether all elements are one number that is known."""
        part = self.reader.roles.part(value)
        return isinstance(part, GeneratorPart) and part.op.number(part.node.attrs) is not None
