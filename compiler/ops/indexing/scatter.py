"""``scatter``: a table with some rows replaced by updates, or combined with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...graph.node import Attributes, Node, Value
from ...graph.rules import ShapeError
from ...graph.types import TensorType
from ..base import BroadcastAttributes, Cost, EvaluationError, NotDifferentiable, Sample, moved_bytes
from ..contexts import EvaluationContext, GradientContext
from ..protocols import Opaque
from ..values.constant import IotaAttributes, zeros_like
from ..views.layout import ReshapeAttributes
from .gather import OUT_OF_RANGE

_COMBINE: Mapping[str, Callable[[Any, Any], Any]] = {
    "mul": np.multiply,
    "max": np.maximum,
    "min": np.minimum,
}


@dataclass(frozen=True, slots=True)
class ScatterAttributes(Attributes):
    """``op``: how an update changes its row: set, mul, max or min."""

    op: str = "set"


class Scatter(Opaque):
    """table [V, *D], indices [*I] and updates [*I, *D] give [V, *D]: updates are applied in order, so the last of
    several that set a row remains. An index outside 0 ≤ i < V is an error. (Sums are ``scatter_add``.)"""

    name = "scatter"
    attributes = ScatterAttributes

    def infer(self, attrs: ScatterAttributes, operands: Sequence[TensorType]) -> Sequence[TensorType]:
        table, indices, updates = operands
        if indices.dtype not in ("int32", "int64"):
            raise ShapeError(f"scatter by {indices.dtype} indices", 1)
        if table.rank < 1 or updates != table.with_shape((*indices.shape, *table.shape[1:])):
            raise ShapeError(f"scatter of {updates} into {table}", 2)
        if attrs.op != "set" and (attrs.op not in _COMBINE or table.dtype == "bool"):
            raise ShapeError(f"scatter {attrs.op} of {table.dtype}")
        return [table]

    def evaluate(
        self, context: EvaluationContext, attrs: ScatterAttributes, operands: Sequence[np.ndarray]
    ) -> Sequence[np.ndarray]:
        table, indices, updates = operands
        wrong = indices[(indices < 0) | (indices >= table.shape[0])]
        if wrong.size:
            raise EvaluationError(f"index {wrong.flat[0]} is out of range: there are {table.shape[0]} rows")
        result = table.copy()
        rows = updates.reshape(indices.size, *table.shape[1:])
        if attrs.op == "set":
            for index, row in zip(indices.reshape(-1), rows, strict=True):
                result[index] = row
        else:
            _COMBINE[attrs.op].at(result, indices.reshape(-1), rows)  # type: ignore[attr-defined]
        return [result]

    def without_gradient(self, attrs: ScatterAttributes) -> str | None:
        return None if attrs.op == "set" else f"updates that are combined by {attrs.op} have no gradient"

    def gradient(
        self, context: GradientContext, node: Node, cotangents: Sequence[Value | None]
    ) -> Sequence[Value | None]:
        """If several updates set a row, the last one gets its cotangent."""
        graph, (dy,) = context.graph, cotangents
        if dy is None:
            return [None, None, None]
        assert isinstance(node.attrs, ScatterAttributes)
        if (reason := self.without_gradient(node.attrs)) is not None:
            raise NotDifferentiable(reason)
        _, indices, updates = graph.operands(node)
        covered = graph.apply("scatter", dy, indices, zeros_like(graph, updates), attrs=ScatterAttributes())
        index, type = graph.type(indices), graph.type(updates)
        count = IotaAttributes("int64", (index.size,), 0)
        order = graph.apply("reshape", graph.apply("iota", attrs=count), attrs=ReshapeAttributes(index.shape))
        rows = IotaAttributes("int64", graph.type(dy).shape[:1], 0)
        writer = graph.apply(
            "scatter", graph.apply("iota", attrs=rows), indices, order, attrs=ScatterAttributes()
        )
        last = graph.apply("eq", graph.apply("gather", writer, indices), order)
        if type.rank > index.rank:
            wide = BroadcastAttributes(type.shape, tuple(range(index.rank)))
            last = graph.apply("broadcast", last, attrs=wide)
        read = graph.apply("gather", dy, indices)
        return [covered, None, graph.apply("select", last, read, zeros_like(graph, read))]

    def cost(self, attrs: Any, operands: Sequence[TensorType], results: Sequence[TensorType]) -> Cost:
        return Cost(operands[2].size, moved_bytes(operands, results))

    def lower(
        self,
        builder: Any,
        attrs: ScatterAttributes,
        operands: Sequence[Any],
        results: Sequence[Any],
        lanes: int,
    ) -> None:
        """Threads divide the columns: each applies all updates to its own columns, in order."""
        b, (table, indices, updates), (y,) = builder, operands, results
        with b.nest(y.shape[1:], lanes, kind="parallel") as (cell, width, count):
            with b.loop("r", 0, y.shape[0]) as r:
                b.store(y, (r, *cell), b.load(table, (r, *cell), width, count), count)
            with b.nest(indices.shape) as (index, _, _):
                row = b.let_index("row", b.load(indices, index), 0, y.shape[0], OUT_OF_RANGE)
                new = b.load(updates, (*index, *cell), width, count)
                if attrs.op != "set":
                    new = getattr(b, attrs.op)(b.load(y, (row, *cell), width, count), new)
                b.store(y, (row, *cell), new, count)

    def samples(self) -> Sequence[Sample]:
        def sample(op: str, columns: tuple[int, ...], draw: str = "normal", dtype: str = "float64") -> Sample:
            types = (
                TensorType(dtype, (5, *columns)),
                TensorType("int64", (2, 2)),
                TensorType(dtype, (2, 2, *columns)),
            )
            return Sample(types, ScatterAttributes(op), (draw, "index:5", draw), None if op == "set" else ())

        return [
            sample("set", ()),
            sample("set", (3,), dtype="float32"),
            sample("mul", (3,)),
            sample("max", ()),
            sample("min", (2, 3), "index:7", "int64"),
        ]
