"""``within``: returns integers unchanged after checking at run time that they are in range."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from netwright.specs.dims import DimLike, evaluate

from ...graph.node import Attributes
from ...graph.rules import ShapeError
from ...graph.types import TensorType
from ..base import EvaluationError, Sample
from ..contexts import EvaluationContext
from ..protocols import Opaque

_INTEGERS = ("int32", "int64")


@dataclass(frozen=True, slots=True)
class WithinAttributes(Attributes):
    """Elements must be 0 to ``limit`` − 1; native code returns the error code ``code`` for any other."""

    limit: DimLike
    code: int


class Within(Opaque):
    """The operand, once every element is found to be in range."""

    name = "within"
    attributes = WithinAttributes
    unchanged = "all"

    def infer(self, attrs: WithinAttributes, operands: Sequence[TensorType]) -> Sequence[TensorType]:
        (x,) = operands
        if x.dtype not in _INTEGERS:
            raise ShapeError(f"within of {x.dtype}", 0)
        return [x]

    def evaluate(
        self, context: EvaluationContext, attrs: WithinAttributes, operands: Sequence[np.ndarray]
    ) -> Sequence[np.ndarray]:
        (x,) = operands
        limit = evaluate(attrs.limit, context.dims)
        wrong = x[(x < 0) | (x >= limit)]
        if wrong.size:
            raise EvaluationError(f"{wrong.flat[0]} is not within 0 and {limit - 1}", attrs.code)
        return [x]

    def lower(
        self,
        builder: Any,
        attrs: WithinAttributes,
        operands: Sequence[Any],
        results: Sequence[Any],
        lanes: int,
    ) -> None:
        b, (x,), (y,) = builder, operands, results
        with b.nest(x.shape, kind="parallel") as (index, _, _):
            value = b.let_index("value", b.load(x, index), 0, attrs.limit, attrs.code)
            b.store(y, index, b.index_value(value, y.dtype))

    def samples(self) -> Sequence[Sample]:
        return [
            Sample((TensorType("int64", (2, 4)),), WithinAttributes(5, 2), ("index:5",)),
            Sample((TensorType("int32", ()),), WithinAttributes(3, 2), ("index:3",)),
        ]
