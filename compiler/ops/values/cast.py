"""``cast``: the same values in another dtype. Floats become integers by truncation, numbers become bools by ``≠
0``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...graph.node import Attributes, Node, Value
from ...graph.rules import ShapeError
from ...graph.types import DTYPES, FLOATS, TensorType
from ..base import Sample
from ..contexts import EvaluationContext, GradientContext
from ..protocols import Elementwise


@dataclass(frozen=True, slots=True)
class CastAttributes(Attributes):
    """``dtype`` of the result."""

    dtype: str


class Cast(Elementwise):
    """Conversion between dtypes; differentiable between floats only."""

    name = "cast"
    attributes = CastAttributes
    cheap = True
    unchanged = "all"

    def infer(self, attrs: CastAttributes, operands: Sequence[TensorType]) -> Sequence[TensorType]:
        if attrs.dtype not in DTYPES:
            raise ShapeError(f"cast to an unknown dtype {attrs.dtype!r}")
        return [operands[0].with_dtype(attrs.dtype)]

    def evaluate(
        self, context: EvaluationContext, attrs: CastAttributes, operands: Sequence[np.ndarray]
    ) -> Sequence[np.ndarray]:
        return [operands[0].astype(attrs.dtype)]

    def gradient(
        self, context: GradientContext, node: Node, cotangents: Sequence[Value | None]
    ) -> Sequence[Value | None]:
        graph, (dy,) = context.graph, cotangents
        source = graph.type(graph.operands(node)[0]).dtype
        if dy is None or source not in FLOATS or node.types[0].dtype not in FLOATS:
            return [None]
        return [graph.apply("cast", dy, attrs=CastAttributes(source))]

    def emit(self, builder: Any, attrs: CastAttributes, operands: Sequence[Any]) -> Any:
        return builder.cast(operands[0], attrs.dtype)

    def samples(self) -> Sequence[Sample]:
        def sample(source: str, dtype: str, draw: str, differentiable: tuple[int, ...] | None = ()) -> Sample:
            return Sample((TensorType(source, (2, 3)),), CastAttributes(dtype), (draw,), differentiable)

        return [
            sample("float64", "float64", "normal", None),
            sample("float64", "float32", "normal"),
            sample("float32", "int64", "normal"),
            sample("int64", "float32", "index:100"),
            sample("bool", "float32", "bool"),
            sample("float32", "bool", "normal"),
            sample("uint8", "float32", "index:255"),
        ]
