"""``reduce_window`` (sum, max, min over windows) and ``max_window_gradient``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from netwright.specs.dims import DimLike, product

from ...graph.graph import Graph
from ...graph.node import Attributes, Node, Value
from ...graph.rules import ShapeError
from ...graph.types import FLOATS, TensorType
from ..base import Cost, NotDifferentiable, Sample, moved_bytes
from ..contexts import EvaluationContext, GradientContext
from ..protocols import Contraction, Opaque
from ..values.reduce import COMBINE
from ..values.widen import emit_widened, widened
from ..views.slice_pad import PadAttributes
from .geometry import window_cells

_REDUCE = {"sum": np.add, "max": np.maximum, "min": np.minimum}


@dataclass(frozen=True, slots=True)
class WindowAttributes(Attributes):
    """Cells of a window and the stride between windows, for every axis of the operand (both 1 where nothing
    slides)."""

    window: tuple[int, ...]
    stride: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ReduceWindowAttributes(Attributes):
    """``op`` is sum, max or min (NaN wins); ``window`` and ``stride`` for every axis of the operand."""

    op: str
    window: tuple[int, ...]
    stride: tuple[int, ...]


def _infer(name: str, attrs: WindowAttributes | ReduceWindowAttributes, x: TensorType) -> tuple[DimLike, ...]:
    smallest = min((*attrs.window, *attrs.stride), default=1)
    if len(attrs.window) != x.rank or len(attrs.stride) != x.rank or smallest < 1:
        raise ShapeError(f"{name} of {x} with window {attrs.window} and stride {attrs.stride}", 0)
    per_axis = zip(x.shape, attrs.window, attrs.stride, strict=True)
    return tuple(window_cells(size, window, stride) for size, window, stride in per_axis)


def _offsets(
    attrs: WindowAttributes | ReduceWindowAttributes, cells: Sequence[int]
) -> Iterator[tuple[slice, ...]]:
    """For every cell of the window in row-major order, the operand cells at that position of all windows."""
    for offset in np.ndindex(*attrs.window):
        per_axis = zip(offset, cells, attrs.stride, strict=True)
        yield tuple(slice(o, o + (n - 1) * s + 1, s) for o, n, s in per_axis)


class ReduceWindow(Contraction):
    """Combines the cells of windows that all lie inside the operand; padding is a separate ``pad`` before it."""

    name = "reduce_window"
    attributes = ReduceWindowAttributes
    factor_count = 1
    is_window = True

    def infer(self, attrs: ReduceWindowAttributes, operands: Sequence[TensorType]) -> Sequence[TensorType]:
        (x,) = operands
        if attrs.op not in _REDUCE or x.dtype == "bool":
            raise ShapeError(f"reduce_window cannot take the {attrs.op} of {x.dtype}", 0)
        return [x.with_shape(_infer(self.name, attrs, x))]

    def evaluate(
        self, context: EvaluationContext, attrs: ReduceWindowAttributes, operands: Sequence[np.ndarray]
    ) -> Sequence[np.ndarray]:
        (x,) = operands
        cells = _numbers(attrs, x)
        combine = _REDUCE[attrs.op]
        result: np.ndarray | None = None
        for window in _offsets(attrs, cells):
            result = x[window].copy() if result is None else combine(result, x[window], out=result)
        assert result is not None
        return [result]

    def gradient(
        self, context: GradientContext, node: Node, cotangents: Sequence[Value | None]
    ) -> Sequence[Value | None]:
        graph, (dy,) = context.graph, cotangents
        attrs = node.attrs
        assert isinstance(attrs, ReduceWindowAttributes)
        (x,) = graph.operands(node)
        if dy is None or node.types[0].dtype not in FLOATS:
            return [None]
        window = WindowAttributes(attrs.window, attrs.stride)
        if attrs.op == "sum":
            return [_sum_gradient(graph, dy, window, x)]
        values = x if attrs.op == "max" else graph.apply("neg", x)
        return [graph.apply("max_window_gradient", values, dy, attrs=window)]

    def vectorize(
        self,
        graph: Graph,
        attrs: ReduceWindowAttributes,
        operands: Sequence[Value],
        stacked: Sequence[bool],
        length: DimLike,
    ) -> Value | None:
        shifted = ReduceWindowAttributes(attrs.op, (1, *attrs.window), (1, *attrs.stride))
        return graph.apply("reduce_window", *operands, attrs=shifted)

    def overlaps(self, attrs: ReduceWindowAttributes) -> bool:
        return any(stride < window for stride, window in zip(attrs.stride, attrs.window, strict=True))

    def combine(self, attrs: ReduceWindowAttributes) -> str:
        return COMBINE[attrs.op]

    def reduction_shape(
        self, attrs: ReduceWindowAttributes, operands: Sequence[TensorType]
    ) -> Sequence[DimLike]:
        return attrs.window

    def factors(
        self,
        attrs: ReduceWindowAttributes,
        operands: Sequence[TensorType],
        index: Sequence[Any],
        reduction: Sequence[Any],
    ) -> Sequence[tuple[int, Sequence[Any]]]:
        per_axis = zip(index, reduction, attrs.stride, strict=True)
        return [(0, tuple(cell * stride + offset for cell, offset, stride in per_axis))]

    def cost(
        self, attrs: ReduceWindowAttributes, operands: Sequence[TensorType], results: Sequence[TensorType]
    ) -> Cost:
        return Cost(results[0].size * product(attrs.window), moved_bytes(operands, results))

    def samples(self) -> Sequence[Sample]:
        return [Sample((x,), ReduceWindowAttributes(op, w, s), ("distinct",)) for op, x, w, s in _cases()]


def _cases() -> list[tuple[str, TensorType, tuple[int, ...], tuple[int, ...]]]:
    image = TensorType("float64", (2, 5, 6, 2))
    return [
        (op, x, window, stride)
        for op in ("sum", "max", "min")
        for x, window, stride in [
            (image, (1, 2, 2, 1), (1, 2, 2, 1)),
            (image, (1, 3, 2, 1), (1, 1, 3, 1)),
            (TensorType("float64", (1, 7, 2)), (1, 2, 1), (1, 3, 1)),
            (TensorType("float64", (2, 6, 3)), (1, 2, 1), (1, 2, 1)),
        ]
    ]


def _numbers(attrs: WindowAttributes | ReduceWindowAttributes, x: np.ndarray) -> tuple[int, ...]:
    per_axis = zip(x.shape, attrs.window, attrs.stride, strict=True)
    return tuple((size - window) // stride + 1 for size, window, stride in per_axis)


def _sum_gradient(graph: Graph, dy: Value, attrs: WindowAttributes, x: Value) -> Value:
    """The gradient of a sum: every cell gets the sum of the cotangents of the windows that contain it.

    That is a sum over windows of dy with zeros around it and, where the stride is more than 1, between its cells.
    """
    low, high, interior = [], [], []
    for size, window, stride in zip(graph.type(x).shape, attrs.window, attrs.stride, strict=True):
        low.append(window - 1)
        high.append(window - 1 + (size - window) - (size - window) // stride * stride)
        interior.append(stride - 1)
    if any((*low, *high, *interior)):
        dy = graph.apply("pad", dy, attrs=PadAttributes(tuple(low), tuple(high), tuple(interior)))
    ones = (1,) * len(attrs.window)
    return graph.apply("reduce_window", dy, attrs=ReduceWindowAttributes("sum", attrs.window, ones))


class MaxWindowGradient(Opaque):
    """From x and dy the cotangent of x: each cell gets dy of every window whose first maximum it is (row-major
    order). With dy in float32, x may be bfloat16, held in uint16.

    A NaN counts as the maximum. Linear in dy, but not differentiable a second time.
    """

    name = "max_window_gradient"
    attributes = WindowAttributes

    def infer(self, attrs: WindowAttributes, operands: Sequence[TensorType]) -> Sequence[TensorType]:
        x, dy = operands
        wide = x.with_dtype("float32") if x.dtype == "uint16" else x
        if wide.dtype not in FLOATS or dy != wide.with_shape(_infer(self.name, attrs, x)):
            raise ShapeError(f"max_window_gradient of {x} and {dy}", 1)
        return [wide]

    def evaluate(
        self, context: EvaluationContext, attrs: WindowAttributes, operands: Sequence[np.ndarray]
    ) -> Sequence[np.ndarray]:
        x, dy = operands
        if x.dtype == np.uint16:
            x = widened(x)
        best = np.full(dy.shape, -np.inf, x.dtype)
        chosen = np.zeros(dy.shape, np.int64)
        windows = list(_offsets(attrs, dy.shape))
        for position, window in enumerate(windows):
            value = x[window]
            better = (value > best) | (np.isnan(value) & ~np.isnan(best))
            best = np.where(better, value, best)
            chosen = np.where(better, position, chosen)
        result = np.zeros_like(x)
        for position, window in enumerate(windows):
            result[window] += np.where(chosen == position, dy, dy.dtype.type(0))
        return [result]

    def gradient(
        self, context: GradientContext, node: Node, cotangents: Sequence[Value | None]
    ) -> Sequence[Value | None]:
        raise NotDifferentiable("the gradient of a max pool has no gradient of its own")

    def cost(
        self, attrs: WindowAttributes, operands: Sequence[TensorType], results: Sequence[TensorType]
    ) -> Cost:
        return Cost(operands[1].size * product(attrs.window), moved_bytes(operands, results))

    def lower(
        self,
        builder: Any,
        attrs: WindowAttributes,
        operands: Sequence[Any],
        results: Sequence[Any],
        lanes: int,
    ) -> None:
        """For each sample: zeroes the cells, then lets every window add to its first maximum, with lanes along the
        last axis if windows do not extend along it. Where every cell is of one window, windows store instead."""
        b, (x, dy), (dx,) = builder, operands, results
        if attrs.window[-1] != 1 or attrs.stride[-1] != 1:
            lanes = 1
        elif isinstance(x.shape[-1], int):  # a shorter vector crosses fewer lines of the cache
            lanes = min(lanes, 1 << (x.shape[-1] - 1).bit_length())
        alone = attrs.window[0] == 1 and attrs.stride[0] == 1  # samples do not share windows
        samples = x.shape[0] if alone else 1
        covered = zip(x.shape, dy.shape, attrs.window, attrs.stride, strict=True)
        whole = all(size == count * window and window == stride for size, count, window, stride in covered)
        with b.loop("n", 0, samples, kind="parallel") as n:
            lead = (n,) if alone else ()
            if not whole:
                with b.nest(x.shape[len(lead) :], lanes) as (index, width, count):
                    b.store(dx, (*lead, *index), b.const(0, dy.dtype, width), count)
            with b.nest(dy.shape[len(lead) :], lanes) as (index, width, count):
                self._window(b, attrs, x, dy, dx, (*lead, *index), width, count, adds=not whole)

    def _window(
        self,
        b: Any,
        attrs: WindowAttributes,
        x: Any,
        dy: Any,
        dx: Any,
        index: Sequence[Any],
        lanes: int,
        count: Any,
        *,
        adds: bool,
    ) -> None:
        cells = [
            tuple(i * s + o for i, s, o in zip(index, attrs.stride, offset, strict=True))
            for offset in np.ndindex(*attrs.window)
        ]
        best, better = None, []
        for cell in cells:
            value = b.load(x, cell, lanes, count)
            value = b.let("v", emit_widened(b, value) if x.dtype == "uint16" else value)
            if best is None:
                best = value
                continue
            # Larger, or the first NaN; a value is not at most another one if either is NaN.
            larger = b.logical_not(b.le(value, best))
            better.append(b.let("better", b.logical_and(larger, b.eq(best, best))))
            best = b.let("best", b.select(better[-1], value, best))
        left = b.let("dy", b.load(dy, index, lanes, count))
        zero = b.const(0, dy.dtype, lanes)
        # From the last cell to the first: the last one that was better than those before it is the maximum.
        for cell, chosen in zip(reversed(cells), [*reversed(better), None], strict=True):
            own = left if chosen is None else b.select(chosen, left, zero)
            b.store(dx, cell, b.add(b.load(dx, cell, lanes, count), own) if adds else own, count)
            if chosen is not None:
                left = b.let("left", b.select(chosen, zero, left))

    def samples(self) -> Sequence[Sample]:
        samples: list[Sample] = []
        for op, x, window, stride in _cases():
            if op == "max":
                attrs = WindowAttributes(window, stride)
                y = x.with_shape(_infer(self.name, attrs, x))
                samples.append(Sample((x, y), attrs, ("distinct", "normal"), ()))
        x = TensorType("uint16", (2, 4, 6, 3))
        attrs = WindowAttributes((1, 2, 2, 1), (1, 2, 2, 1))
        y = TensorType("float32", (2, 2, 3, 3))
        samples.append(Sample((x, y), attrs, ("index:31744", "normal"), ()))
        return samples
