"""``resample`` and its adjoint: each cell of an axis is a weighted sum of a few cells of the operand's axis."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from netwright.specs.dims import DimLike, evaluate

from ...graph.graph import Graph
from ...graph.node import Attributes, NoAttributes, Node, Value
from ...graph.rules import ShapeError
from ...graph.types import FLOATS, TensorType
from ..base import Cost, Sample, moved_bytes
from ..contexts import EvaluationContext, GradientContext
from ..indexing.gather import OUT_OF_RANGE, check_range
from ..products.dot import DotAttributes
from ..protocols import Opaque
from ..views.layout import ReshapeAttributes, TransposeAttributes

#: Up to this many taps, cells and weights are held in registers for a whole row.
HELD_TAPS = 8


def _check(name: str, operands: Sequence[TensorType]) -> None:
    x, cells, weights = operands
    if x.rank != 3 or x.dtype not in FLOATS:
        raise ShapeError(f"{name} of {x}", 0)
    if cells.rank != 2 or cells.dtype != "int64" or not isinstance(cells.shape[1], int):
        raise ShapeError(f"{name} by cells {cells}", 1)
    if weights != TensorType(x.dtype, cells.shape):
        raise ShapeError(f"{name} of {x} by cells {cells} and weights {weights}", 2)


class Resample(Opaque):
    """x [A, S, B], cells int64 [O, T] and weights [O, T] give [A, O, B]: the sum over t of weights[o, t] times
    x[a, cells[o, t], b].

    A cell outside 0 ≤ c < S is an error.
    """

    name = "resample"

    def infer(self, attrs: NoAttributes, operands: Sequence[TensorType]) -> Sequence[TensorType]:
        _check(self.name, operands)
        x, cells, _ = operands
        return [x.with_shape((x.shape[0], cells.shape[0], x.shape[2]))]

    def evaluate(
        self, context: EvaluationContext, attrs: NoAttributes, operands: Sequence[np.ndarray]
    ) -> Sequence[np.ndarray]:
        x, cells, weights = operands
        check_range(cells, x.shape[1])
        result = np.zeros((x.shape[0], cells.shape[0], x.shape[2]), x.dtype)
        for tap in range(cells.shape[1]):
            result += x[:, cells[:, tap]] * weights[:, tap, None]
        return [result]

    def gradient(
        self, context: GradientContext, node: Node, cotangents: Sequence[Value | None]
    ) -> Sequence[Value | None]:
        graph, (dy,) = context.graph, cotangents
        if dy is None:
            return [None, None, None]
        x, cells, weights = graph.operands(node)
        attrs = ResampleGradientAttributes(graph.type(x).shape[1])
        dx = graph.apply("resample_gradient", dy, cells, weights, attrs=attrs)
        return [dx, None, weights_gradient(graph, x, dy, cells)]

    def vectorize(
        self, graph: Graph, attrs: Any, operands: Sequence[Value], stacked: Sequence[bool], length: DimLike
    ) -> Value | None:
        return None if any(stacked[1:]) else _stacked(graph, self.name, attrs, operands)

    def cost(self, attrs: Any, operands: Sequence[TensorType], results: Sequence[TensorType]) -> Cost:
        return Cost(2 * results[0].size * operands[1].shape[1], moved_bytes(operands, results))

    def lower(
        self, builder: Any, attrs: NoAttributes, operands: Sequence[Any], results: Sequence[Any], lanes: int
    ) -> None:
        b, (x, cells, weights), (y,) = builder, operands, results
        taps, size = cells.shape[1], x.shape[1]

        def tap(o: Any, t: Any) -> tuple[Any, Any]:
            row = b.let_index("row", b.load(cells, (o, t)), 0, size, OUT_OF_RANGE)
            return row, b.let("weight", b.load(weights, (o, t)))

        with _rows(b, x.shape[0], y.shape[1]) as (a, o):
            held = [tap(o, t) for t in range(taps)] if taps <= HELD_TAPS else []
            with b.nest((x.shape[2],), lanes) as ((cell,), width, count):
                total = b.const(0, y.dtype, width)
                for row, weight in held:
                    total = b.fma(b.broadcast(weight, width), b.load(x, (a, row, cell), width, count), total)
                if not held:
                    total = b.register("total", total)
                    with b.loop("t", 0, taps) as t:
                        row, weight = tap(o, t)
                        term = b.load(x, (a, row, cell), width, count)
                        b.assign(total, b.fma(b.broadcast(weight, width), term, total))
                b.store(y, (a, o, cell), total, count)

    def samples(self) -> Sequence[Sample]:
        return _samples(3, NoAttributes())


@dataclass(frozen=True, slots=True)
class ResampleGradientAttributes(Attributes):
    """The ``size`` of the axis that was resampled."""

    size: DimLike


class ResampleGradient(Opaque):
    """dy [A, O, B], cells int64 [O, T] and weights [O, T] give [A, size, B]: each dy[a, o, b] · weights[o, t] is added
    to cell cells[o, t]."""

    name = "resample_gradient"
    attributes = ResampleGradientAttributes

    def infer(
        self, attrs: ResampleGradientAttributes, operands: Sequence[TensorType]
    ) -> Sequence[TensorType]:
        _check(self.name, operands)
        dy, cells, _ = operands
        if dy.shape[1] != cells.shape[0]:
            raise ShapeError(f"{self.name} of {dy} by cells {cells}", 1)
        return [dy.with_shape((dy.shape[0], attrs.size, dy.shape[2]))]

    def evaluate(
        self, context: EvaluationContext, attrs: ResampleGradientAttributes, operands: Sequence[np.ndarray]
    ) -> Sequence[np.ndarray]:
        dy, cells, weights = operands
        size = evaluate(attrs.size, context.dims)
        check_range(cells, size)
        result = np.zeros((size, dy.shape[0], dy.shape[2]), dy.dtype)
        for tap in range(cells.shape[1]):
            np.add.at(result, cells[:, tap], (dy * weights[:, tap, None]).swapaxes(0, 1))
        return [result.swapaxes(0, 1)]

    def gradient(
        self, context: GradientContext, node: Node, cotangents: Sequence[Value | None]
    ) -> Sequence[Value | None]:
        graph, (dx,) = context.graph, cotangents
        if dx is None:
            return [None, None, None]
        dy, cells, weights = graph.operands(node)
        return [
            graph.apply("resample", dx, cells, weights),
            None,
            weights_gradient(graph, dx, dy, cells),
        ]

    def vectorize(
        self, graph: Graph, attrs: Any, operands: Sequence[Value], stacked: Sequence[bool], length: DimLike
    ) -> Value | None:
        return None if any(stacked[1:]) else _stacked(graph, self.name, attrs, operands)

    def cost(self, attrs: Any, operands: Sequence[TensorType], results: Sequence[TensorType]) -> Cost:
        return Cost(2 * operands[0].size * operands[1].shape[1], moved_bytes(operands, results))

    def lower(
        self,
        builder: Any,
        attrs: ResampleGradientAttributes,
        operands: Sequence[Any],
        results: Sequence[Any],
        lanes: int,
    ) -> None:
        """Threads divide the samples, or the columns if there is one sample; each thread adds in the order of the
        cells."""
        b, (dy, cells, weights), (dx,) = builder, operands, results

        def add(a: Any, columns: Any) -> None:
            """Adds all of the cotangent in the columns that ``columns()`` loops over."""
            with b.loop("s", 0, dx.shape[1]) as s, columns() as ((cell,), width, count):
                b.store(dx, (a, s, cell), b.const(0, dx.dtype, width), count)
            with b.nest(cells.shape) as ((o, t), _, _):
                row = b.let_index("row", b.load(cells, (o, t)), 0, dx.shape[1], OUT_OF_RANGE)
                weight = b.let("weight", b.load(weights, (o, t)))
                with columns() as ((cell,), width, count):
                    part = b.load(dy, (a, o, cell), width, count)
                    total = b.load(dx, (a, row, cell), width, count)
                    b.store(dx, (a, row, cell), b.fma(b.broadcast(weight, width), part, total), count)

        if dx.shape[0] == 1:
            with b.nest((dx.shape[2],), lanes, kind="parallel") as part:
                add(0, lambda: _given(part))
        else:
            with b.loop("a", 0, dx.shape[0], kind="parallel") as a:
                add(a, lambda: b.nest((dx.shape[2],), lanes))

    def samples(self) -> Sequence[Sample]:
        return _samples(4, ResampleGradientAttributes(3))


def weights_gradient(graph: Graph, x: Value, dy: Value, cells: Value) -> Value:
    """The cotangent of the weights: for each output cell and tap, the product of dy and the cell that was read."""
    first = TransposeAttributes((1, 0, 2))
    rows = graph.apply("gather", graph.apply("transpose", x, attrs=first), cells)
    return graph.apply(
        "dot", rows, graph.apply("transpose", dy, attrs=first), attrs=DotAttributes((2, 3), (1, 2), 1)
    )


def _stacked(graph: Graph, name: str, attrs: Any, operands: Sequence[Value]) -> Value:
    """The operation for all steps at once: steps are further samples."""
    x, cells, weights = operands
    steps, samples, *rest = graph.type(x).shape
    flat = graph.apply("reshape", x, attrs=ReshapeAttributes((steps * samples, *rest)))
    result = graph.apply(name, flat, cells, weights, attrs=attrs)
    shape = (steps, samples, *graph.type(result).shape[1:])
    return graph.apply("reshape", result, attrs=ReshapeAttributes(shape))


@contextmanager
def _rows(b: Any, samples: DimLike, cells: DimLike) -> Iterator[tuple[Any, Any]]:
    """Loops over samples and cells; threads divide the outermost loop with more than one iteration."""
    if samples == 1:
        with b.loop("o", 0, cells, kind="parallel") as o:
            yield 0, o
    else:
        with b.nest((samples, cells), kind="parallel") as (index, _, _):
            yield index


@contextmanager
def _given(value: Any) -> Iterator[Any]:
    yield value


def _samples(cells: int, attrs: Attributes) -> list[Sample]:
    """Samples whose resampled operand has ``cells`` cells along its axis, at least 3 of which are read."""
    samples = []
    for rows, columns, taps in ((2, 5, 2), (1, 3, HELD_TAPS + 1)):
        outputs = cells if isinstance(attrs, ResampleGradientAttributes) else 4
        operands = (
            TensorType("float64", (rows, cells, columns)),
            TensorType("int64", (outputs, taps)),
            TensorType("float64", (outputs, taps)),
        )
        samples.append(Sample(operands, attrs, ("normal", "index:3", "normal")))
    return samples
