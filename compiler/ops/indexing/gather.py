"""``gather`` and ``scatter_add``: rows of a table by index, and its adjoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from netwright.specs.dims import DimLike, evaluate
from netwright.specs.manifest import INDEX_OUT_OF_RANGE

from ...graph.graph import Graph
from ...graph.node import Attributes, Node, Value
from ...graph.rules import ShapeError
from ...graph.types import TensorType
from ..base import Cost, EvaluationError, Sample, moved_bytes
from ..contexts import EvaluationContext, GradientContext
from ..protocols import Opaque

#: The error code that native code returns for an index outside the table.
OUT_OF_RANGE = INDEX_OUT_OF_RANGE

_INDEX = ("int32", "int64")


@dataclass(frozen=True, slots=True)
class ScatterAddAttributes(Attributes):
    """The number of ``rows`` of the result."""

    rows: DimLike


def check_range(indices: np.ndarray, rows: int) -> None:
    """Raises EvaluationError for an index outside 0 ≤ i < ``rows``."""
    wrong = indices[(indices < 0) | (indices >= rows)]
    if wrong.size:
        raise EvaluationError(f"index {wrong.flat[0]} is out of range: there are {rows} rows", OUT_OF_RANGE)


class Gather(Opaque):
    """table [V, *D] and indices [*I] give [*I, *D]. An index outside 0 ≤ i < V is an error."""

    name = "gather"
    stacks_gradient = True
    unchanged = "some"

    def infer(self, attrs: Any, operands: Sequence[TensorType]) -> Sequence[TensorType]:
        table, indices = operands
        if table.rank < 1:
            raise ShapeError(f"gather from {table}", 0)
        if indices.dtype not in _INDEX:
            raise ShapeError(f"gather by {indices.dtype} indices", 1)
        return [table.with_shape((*indices.shape, *table.shape[1:]))]

    def evaluate(
        self, context: EvaluationContext, attrs: Any, operands: Sequence[np.ndarray]
    ) -> Sequence[np.ndarray]:
        table, indices = operands
        check_range(indices, table.shape[0])
        return [table[indices]]

    def gradient(
        self, context: GradientContext, node: Node, cotangents: Sequence[Value | None]
    ) -> Sequence[Value | None]:
        graph, (dy,) = context.graph, cotangents
        if dy is None:
            return [None, None]
        table, indices = graph.operands(node)
        attrs = ScatterAddAttributes(graph.type(table).shape[0])
        return [graph.apply("scatter_add", indices, dy, attrs=attrs), None]

    def vectorize(
        self, graph: Graph, attrs: Any, operands: Sequence[Value], stacked: Sequence[bool], length: DimLike
    ) -> Value | None:
        return None if stacked[0] else graph.apply("gather", *operands)

    def lower(
        self, builder: Any, attrs: Any, operands: Sequence[Any], results: Sequence[Any], lanes: int
    ) -> None:
        b, (table, indices), (y,) = builder, operands, results
        with b.nest(indices.shape, kind="parallel") as (index, _, _):
            row = b.let_index("row", b.load(indices, index), 0, table.shape[0], OUT_OF_RANGE)
            with b.nest(table.shape[1:], lanes) as (cell, width, count):
                b.store(y, (*index, *cell), b.load(table, (row, *cell), width, count), count)

    def samples(self) -> Sequence[Sample]:
        return [
            Sample((TensorType("float64", (5, 3)), TensorType("int64", (2, 4))), draw=("normal", "index:5")),
            Sample((TensorType("float64", (5,)), TensorType("int32", ())), draw=("normal", "index:5")),
        ]


class ScatterAdd(Opaque):
    """indices [*I] and updates [*I, *D] give [rows, *D]: row r is the sum of the updates whose index is r."""

    name = "scatter_add"
    attributes = ScatterAddAttributes

    def infer(self, attrs: ScatterAddAttributes, operands: Sequence[TensorType]) -> Sequence[TensorType]:
        indices, updates = operands
        if indices.dtype not in _INDEX:
            raise ShapeError(f"scatter_add by {indices.dtype} indices", 0)
        if updates.shape[: indices.rank] != indices.shape or updates.dtype == "bool":
            raise ShapeError(f"scatter_add of {updates} by {indices}", 1)
        return [updates.with_shape((attrs.rows, *updates.shape[indices.rank :]))]

    def evaluate(
        self, context: EvaluationContext, attrs: ScatterAddAttributes, operands: Sequence[np.ndarray]
    ) -> Sequence[np.ndarray]:
        indices, updates = operands
        rows = evaluate(attrs.rows, context.dims)
        check_range(indices, rows)
        result = np.zeros((rows, *updates.shape[indices.ndim :]), updates.dtype)
        np.add.at(result, indices, updates)
        return [result]

    def gradient(
        self, context: GradientContext, node: Node, cotangents: Sequence[Value | None]
    ) -> Sequence[Value | None]:
        graph, (dy,) = context.graph, cotangents
        if dy is None:
            return [None, None]
        indices, _ = graph.operands(node)
        return [None, graph.apply("gather", dy, indices)]

    def cost(self, attrs: Any, operands: Sequence[TensorType], results: Sequence[TensorType]) -> Cost:
        return Cost(operands[1].size, moved_bytes(operands, results))

    def lower(
        self, builder: Any, attrs: Any, operands: Sequence[Any], results: Sequence[Any], lanes: int
    ) -> None:
        """Threads divide the columns: each adds all updates to its own columns, in order."""
        b, (indices, updates), (y,) = builder, operands, results
        with b.nest(y.shape[1:], lanes, kind="parallel") as (cell, width, count):
            with b.loop("r", 0, y.shape[0]) as r:
                b.store(y, (r, *cell), b.const(0, y.dtype, width), count)
            with b.nest(indices.shape) as (index, _, _):
                row = b.let_index("row", b.load(indices, index), 0, y.shape[0], OUT_OF_RANGE)
                total = b.load(y, (row, *cell), width, count)
                b.store(y, (row, *cell), b.add(total, b.load(updates, (*index, *cell), width, count)), count)

    def samples(self) -> Sequence[Sample]:
        return [
            Sample(
                (TensorType("int64", (2, 4)), TensorType("float64", (2, 4, 3))),
                ScatterAddAttributes(5),
                ("index:5", "normal"),
            )
        ]
