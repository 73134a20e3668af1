"""``windows``: every window of a signal or image, for ``scan_window``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from netwright.specs.dims import DimLike, Shape

from ...graph.graph import Graph
from ...graph.node import Attributes, Node, Value
from ...graph.rules import ShapeError
from ...graph.types import FLOATS, TensorType
from ..base import Sample
from ..contexts import EvaluationContext, GradientContext
from ..protocols import Source, View
from ..values.reduce import ReduceAttributes
from ..views.layout import ReshapeAttributes, TransposeAttributes
from ..views.slice_pad import PadAttributes, SliceAttributes
from .geometry import window_cells


@dataclass(frozen=True, slots=True)
class WindowsAttributes(Attributes):
    """Cells of a window and the stride between windows, for the axes from ``first`` on."""

    window: tuple[int, ...]
    stride: tuple[int, ...]
    first: int = 1

    def counts(self, shape: Shape) -> Shape:
        """How many windows there are along each axis. Raises ShapeError if provably none fits."""
        sizes = shape[self.first : self.first + len(self.window)]
        return tuple(window_cells(*axis) for axis in zip(sizes, self.window, self.stride, strict=True))


class Windows(View):
    """[*B, *S, *R] gives [*B, *cells, *window, *R]: element (b, i, a, r) is element (b, i·stride + a, r)."""

    name = "windows"
    attributes = WindowsAttributes
    unchanged = "some"

    def infer(self, attrs: WindowsAttributes, operands: Sequence[TensorType]) -> Sequence[TensorType]:
        (x,) = operands
        end = attrs.first + len(attrs.window)
        smallest = min((*attrs.window, *attrs.stride), default=0)
        if smallest < 1 or len(attrs.stride) != len(attrs.window) or not 0 <= attrs.first <= end <= x.rank:
            raise ShapeError(f"windows {attrs.window} of {x} with stride {attrs.stride}", 0)
        return [
            x.with_shape((*x.shape[: attrs.first], *attrs.counts(x.shape), *attrs.window, *x.shape[end:]))
        ]

    def evaluate(
        self, context: EvaluationContext, attrs: WindowsAttributes, operands: Sequence[np.ndarray]
    ) -> Sequence[np.ndarray]:
        (x,) = operands
        first, rank = attrs.first, len(attrs.window)
        axes = tuple(range(first, first + rank))
        all_windows = np.lib.stride_tricks.sliding_window_view(x, attrs.window, axes)
        strided = all_windows[(slice(None),) * first + tuple(slice(None, None, s) for s in attrs.stride)]
        return [
            np.moveaxis(strided, range(x.ndim, x.ndim + rank), range(first + rank, first + 2 * rank)).copy()
        ]

    def gradient(
        self, context: GradientContext, node: Node, cotangents: Sequence[Value | None]
    ) -> Sequence[Value | None]:
        graph, (dy,) = context.graph, cotangents
        attrs = node.attrs
        assert isinstance(attrs, WindowsAttributes)
        if dy is None or node.types[0].dtype not in FLOATS:
            return [None]
        shape = graph.type(graph.operands(node)[0]).shape
        for axis in reversed(range(len(attrs.window))):
            # The taps of this axis are the last remaining window axis.
            cells, taps = attrs.first + axis, attrs.first + len(attrs.window) + axis
            dy = _overlap_add(graph, dy, cells, taps, attrs.stride[axis], shape[attrs.first + axis])
        return [dy]

    def vectorize(
        self,
        graph: Graph,
        attrs: WindowsAttributes,
        operands: Sequence[Value],
        stacked: Sequence[bool],
        length: DimLike,
    ) -> Value | None:
        return graph.apply(
            "windows", *operands, attrs=WindowsAttributes(attrs.window, attrs.stride, attrs.first + 1)
        )

    def read(
        self, attrs: WindowsAttributes, operands: Sequence[TensorType], index: Sequence[Any]
    ) -> Sequence[Source]:
        first, rank = attrs.first, len(attrs.window)
        cells, taps = index[first : first + rank], index[first + rank : first + 2 * rank]
        met = (cell * stride + tap for cell, tap, stride in zip(cells, taps, attrs.stride, strict=True))
        return [Source(0, (*index[:first], *met, *index[first + 2 * rank :]))]

    def samples(self) -> Sequence[Sample]:
        signal, image = TensorType("float64", (2, 7, 3)), TensorType("float64", (2, 5, 6, 2))
        return [
            Sample((signal,), WindowsAttributes((3,), (1,))),
            Sample((signal,), WindowsAttributes((2,), (3,))),
            Sample((image,), WindowsAttributes((2, 3), (1, 2))),
            Sample((image,), WindowsAttributes((5, 6), (1, 1))),
            Sample((image,), WindowsAttributes((3,), (2,), 2)),
        ]


def _overlap_add(graph: Graph, dy: Value, cells: int, taps: int, stride: int, size: DimLike) -> Value:
    """Adds all windows back at the positions where they were cut: the axis ``cells`` gets ``size``, the axis ``taps``
    is summed.

    Row k of the taps has to move by k places. That is done by padding every row to one more than the final length,
    joining the rows, and cutting the result into rows of the final length.
    """
    rank = graph.type(dy).rank
    order = [axis for axis in range(rank) if axis != taps]
    order.insert(cells, taps)
    dy = graph.apply("transpose", dy, attrs=TransposeAttributes(tuple(order)))
    shape = graph.type(dy).shape
    window, count = shape[cells], shape[cells + 1]
    assert isinstance(window, int)
    spread = (count - 1) * stride + 1
    length = spread + window - 1  # from the first to the last cell of all windows

    def pad(value: Value, axis: int, high: DimLike, interior: int = 0) -> Value:
        rank = graph.type(value).rank
        highs, interiors = [0] * rank, [0] * rank
        highs[axis], interiors[axis] = high, interior  # type: ignore[call-overload]
        attrs = PadAttributes((0,) * rank, tuple(highs), tuple(interiors))
        return graph.apply("pad", value, attrs=attrs)

    before, after = shape[:cells], shape[cells + 2 :]
    dy = pad(dy, cells + 1, window, stride - 1)
    dy = graph.apply("reshape", dy, attrs=ReshapeAttributes((*before, window * (length + 1), *after)))
    cut = SliceAttributes.along(graph.type(dy).shape, cells, 0, window * length)
    dy = graph.apply("slice", dy, attrs=cut)
    dy = graph.apply("reshape", dy, attrs=ReshapeAttributes((*before, window, length, *after)))
    dy = graph.apply("reduce", dy, attrs=ReduceAttributes("sum", (cells,)))
    return dy if length == size else pad(dy, cells, size - length)
