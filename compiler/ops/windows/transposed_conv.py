"""Transposed convolution: a convolution of an input with ``stride − 1`` zeros between its cells. It is also the
gradient of a strided convolution with respect to its data.

Such a window would mostly read the zeros between cells. But an output cell of phase p (its index modulo the stride)
meets input cells at every stride-th tap of the kernel only, so each phase is a small convolution of the unexpanded
input, and the results of the phases are interleaved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product as combinations
from math import gcd, prod

from netwright.specs.dims import DimLike, bounds

from ...graph.graph import Graph
from ...graph.node import Value
from ..values.constant import splat
from ..views.interleave import InterleaveAttributes
from ..views.slice_pad import PadAttributes, SliceAttributes
from .geometry import ConvAttributes

#: More phases than this take longer to compile than they save.
MOST_PHASES = 64


@dataclass(frozen=True, slots=True)
class _Phase:
    """One phase of one axis: it has ``cells``, and ``count`` taps ``first``, ``first + step``, … that meet input
    cells; the first tap meets cell ``shift`` in the first output cell, each further tap ``dilation`` cells later."""

    cells: DimLike
    first: int
    step: int
    count: int
    shift: int
    dilation: int

    def end(self, size: DimLike) -> int:
        """How far the last window reaches beyond the ``size`` input cells; negative if it ends before."""
        beyond = self.shift + self.cells + (self.count - 1) * self.dilation - size
        assert isinstance(beyond, int)
        return beyond


def transposed_conv(
    graph: Graph,
    x: Value,
    w: Value,
    stride: Sequence[int],
    dilation: Sequence[int],
    groups: int,
    low: Sequence[int],
    high: Sequence[int],
) -> Value:
    """The convolution, with stride 1, of ``x`` with stride − 1 zeros between its cells and ``low`` and ``high`` zeros
    around them; negative amounts cut cells off."""
    kernel = [size for size in graph.type(w).shape[:-2] if isinstance(size, int)]
    sizes = graph.type(x).shape[1:-1]
    per_axis = [_phases(*axis) for axis in zip(sizes, kernel, stride, dilation, low, high, strict=True)]
    if prod(stride) == 1 or prod(stride) > MOST_PHASES or None in per_axis:
        return _spread(graph, x, w, stride, dilation, groups, low, high)
    phases = list(combinations(*(axis or () for axis in per_axis)))
    nonzero = [phase for phase in phases if all(axis.count for axis in phase)]
    if not nonzero:
        return _spread(graph, x, w, stride, dilation, groups, low, high)
    before = [max(0, *(-phase[axis].shift for phase in nonzero)) for axis in range(len(kernel))]
    after = [max(0, *(phase[axis].end(size) for phase in nonzero)) for axis, size in enumerate(sizes)]
    padded = x
    if any(before) or any(after):
        around = PadAttributes((0, *before, 0), (0, *after, 0), (0,) * graph.type(x).rank)
        padded = graph.apply("pad", x, attrs=around)
    if len(nonzero) == 1:  # zeros between results cost less than zeros between cells
        result = _phase_result(graph, padded, w, nonzero[0], before, groups)
        return _apart(graph, result, per_axis, nonzero[0], stride)
    results = [_phase_result(graph, padded, w, phase, before, groups) for phase in phases]
    return graph.apply("interleave", *results, attrs=InterleaveAttributes((1, *stride, 1)))


def _phases(
    size: DimLike, kernel: int, stride: int, dilation: int, low: int, high: int
) -> list[_Phase] | None:
    """The phases of one axis; None if one of them may have no cells."""
    beyond = 1 + low + high - (kernel - 1) * dilation  # cells of the result besides (size − 1)·stride
    common = gcd(dilation, stride)
    phases = []
    for phase in range(stride):
        cells = size - 1 + (beyond - phase + stride - 1) // stride
        least, _ = bounds(cells, {})
        if least is None or least < 1:
            return None
        taps = [tap for tap in range(kernel) if (phase + tap * dilation - low) % stride == 0]
        first = taps[0] if taps else 0
        shift = (phase + first * dilation - low) // stride
        phases.append(_Phase(cells, first, stride // common, len(taps), shift, dilation // common))
    return phases


def _phase_result(
    graph: Graph, padded: Value, w: Value, phase: Sequence[_Phase], before: Sequence[int], groups: int
) -> Value:
    """The output cells of one phase: a convolution with the phase's taps, or zeros if it has none."""
    type, rank = graph.type(padded), len(phase)
    *_, c_in, c_out = graph.type(w).shape
    if not all(axis.count for axis in phase):
        shape = (type.shape[0], *(axis.cells for axis in phase), c_out)
        return splat(graph, 0, type.with_shape(shape))
    starts = [axis.shift + skipped for axis, skipped in zip(phase, before, strict=True)]
    ends = [
        start + axis.cells + (axis.count - 1) * axis.dilation
        for start, axis in zip(starts, phase, strict=True)
    ]
    if any(starts) or tuple(ends) != type.shape[1:-1]:
        cells = SliceAttributes((0, *starts, 0), (type.shape[0], *ends, type.shape[-1]), (1,) * (rank + 2))
        padded = graph.apply("slice", padded, attrs=cells)
    if any(axis.step > 1 for axis in phase):
        limits = [axis.first + (axis.count - 1) * axis.step + 1 for axis in phase]
        firsts, steps = [axis.first for axis in phase], [axis.step for axis in phase]
        taps = SliceAttributes((*firsts, 0, 0), (*limits, c_in, c_out), (*steps, 1, 1))
        w = graph.apply("slice", w, attrs=taps)
    attrs = ConvAttributes((1,) * rank, tuple(axis.dilation for axis in phase), groups)
    return graph.apply("conv", padded, w, attrs=attrs)


def _apart(
    graph: Graph,
    result: Value,
    per_axis: Sequence[Sequence[_Phase] | None],
    phase: Sequence[_Phase],
    stride: Sequence[int],
) -> Value:
    """The result of the only phase that is not zero, with zeros for the other phases."""
    low: list[int] = []
    high: list[DimLike] = []
    for phases, axis, step in zip(per_axis, phase, stride, strict=True):
        assert phases is not None
        low.append(phases.index(axis))
        total: DimLike = 0
        for other in phases:
            total = total + other.cells
        high.append(total - (axis.cells - 1) * step - 1 - low[-1])
    around = PadAttributes((0, *low, 0), (0, *high, 0), (0, *(step - 1 for step in stride), 0))
    return graph.apply("pad", result, attrs=around)


def _spread(
    graph: Graph,
    x: Value,
    w: Value,
    stride: Sequence[int],
    dilation: Sequence[int],
    groups: int,
    low: Sequence[int],
    high: Sequence[int],
) -> Value:
    """The same with explicit zeros between the cells, for sizes that may be smaller than a stride."""
    around = [[max(amount, 0) for amount in side] for side in (low, high)]
    interior = [step - 1 for step in stride]
    if any((*around[0], *around[1], *interior)):
        attrs = PadAttributes((0, *around[0], 0), (0, *around[1], 0), (0, *interior, 0))
        x = graph.apply("pad", x, attrs=attrs)
    if min(*low, *high) < 0:
        shape = graph.type(x).shape
        starts = [max(-amount, 0) for amount in low]
        ends = [size - max(-amount, 0) for size, amount in zip(shape[1:-1], high, strict=True)]
        cells = SliceAttributes((0, *starts, 0), (shape[0], *ends, shape[-1]), (1,) * len(shape))
        x = graph.apply("slice", x, attrs=cells)
    attrs = ConvAttributes((1,) * len(stride), tuple(dilation), groups)
    return graph.apply("conv", x, w, attrs=attrs)
