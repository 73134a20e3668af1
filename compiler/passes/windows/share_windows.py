"""Shares work between overlapping windows: layers on every window become layers on the whole signal.

A network with ``scan_window`` reads each window as a separate sample. Operations on the cells of a window – a
convolution, a pool, a product with each cell's channels, an activation – can run once on the signal, and the windows
are cut from the result. A product that sums over a whole window is a convolution with the matrix as its kernel; what
follows it is already one product over all windows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import prod
from typing import ClassVar

from netwright.specs.dims import Shape, product

from ...graph.graph import Graph
from ...graph.node import Node, Value
from ...ops.base import BroadcastAttributes, primitive
from ...ops.products.dot import DotAttributes
from ...ops.protocols import Elementwise
from ...ops.values.constant import ConstantAttributes
from ...ops.views.layout import ReshapeAttributes
from ...ops.views.slice_pad import SliceAttributes
from ...ops.windows.conv import ConvAttributes
from ...ops.windows.geometry import window_cells
from ...ops.windows.reduce_window import ReduceWindowAttributes
from ...ops.windows.scan_window import WindowsAttributes
from ..base import Pass, PassContext


@dataclass(frozen=True)
class ShareWindows(Pass):
    """Rewrites f(windows(x)) as windows(f(x)), and dot(windows(x), W) as conv(x, W)."""

    name: ClassVar[str] = "share_windows"

    def run(self, graph: Graph, context: PassContext) -> Graph:
        if not any(node.op == "windows" for node in graph):
            return graph
        return graph.rewrite(context.limit(_rule))


@dataclass(frozen=True, slots=True)
class _Scanned:
    """A value of windows `[rows, *window, C]`, as the signal `x [N, *S, C]` that they were cut from and how."""

    x: Value
    attrs: WindowsAttributes

    @property
    def overlap(self) -> Fraction:
        """How many windows contain a cell, on average."""
        return Fraction(prod(self.attrs.window), prod(self.attrs.stride))


def _rule(graph: Graph, node: Node, operands: tuple[Value, ...]) -> Sequence[Value] | None:
    result = None
    match node.attrs:
        case DotAttributes() as attrs if len(operands) == 2:
            result = _cell_product(graph, attrs, operands) or _window_product(graph, attrs, operands)
        case ConvAttributes() as attrs:
            result = _convolution(graph, attrs, operands)
        case ReduceWindowAttributes() as attrs:
            result = _pool(graph, attrs, operands)
        case _ if isinstance(primitive(node.op), Elementwise):
            result = _elementwise(graph, node, operands)
    return None if result is None else [result]


# Recognizing windows.


def _source(graph: Graph, value: Value) -> _Scanned | None:
    """The windows that ``value`` holds in their original order, in any shape."""
    while graph.producer(value).op == "reshape":
        (value,) = graph.operands(graph.producer(value))
    windows = graph.producer(value)
    attrs = windows.attrs
    if not isinstance(attrs, WindowsAttributes) or attrs.first != 1 or len(attrs.window) > 3:
        return None
    (x,) = graph.operands(windows)
    shape = graph.type(x).shape
    return _Scanned(x, attrs) if len(shape) == len(attrs.window) + 2 and isinstance(shape[-1], int) else None


def _scanned(graph: Graph, value: Value) -> _Scanned | None:
    """The windows of ``value``, if it has one window per row."""
    windows = _source(graph, value)
    if windows is None:
        return None
    shape = graph.type(windows.x).shape
    rows = product((shape[0], *windows.attrs.counts(shape)))
    return windows if graph.type(value).shape == (rows, *windows.attrs.window, shape[-1]) else None


def _cut(graph: Graph, x: Value, attrs: WindowsAttributes) -> Value:
    """The windows of a signal, one per row. Windows of one cell with stride 1 are only a reshape."""
    shape = graph.type(x).shape
    rows = product((shape[0], *attrs.counts(shape)))
    if any(size != 1 for size in (*attrs.window, *attrs.stride)):
        x = graph.apply("windows", x, attrs=attrs)
    return graph.apply("reshape", x, attrs=ReshapeAttributes((rows, *attrs.window, shape[-1])))


# Layers on the cells of windows.


def _elementwise(graph: Graph, node: Node, operands: tuple[Value, ...]) -> Value | None:
    scanned = [_scanned(graph, value) for value in operands]
    first = next((windows for windows in scanned if windows is not None), None)
    if first is None or first.overlap < 1:
        return None
    shape = graph.type(first.x).shape
    moved: list[Value] = []
    for value, windows in zip(operands, scanned, strict=True):
        if windows is not None and (windows.attrs != first.attrs or graph.type(windows.x).shape != shape):
            return None
        signal = windows.x if windows is not None else _everywhere(graph, value, shape)
        if signal is None:
            return None
        moved.append(signal)
    return _cut(graph, graph.apply(node.op, *moved, attrs=node.attrs), first.attrs)


def _everywhere(graph: Graph, value: Value, shape: Shape) -> Value | None:
    """An operand that is the same in every cell of every window (a scalar, or one number per channel), in another
    shape."""
    node = graph.producer(value)
    last = len(shape) - 1
    match node.attrs:
        case ConstantAttributes() as attrs if attrs.scalar is not None:
            return graph.apply("constant", attrs=replace(attrs, shape=shape))
        case BroadcastAttributes() as attrs if set(attrs.axes) <= {last}:
            return graph.apply(
                "broadcast", *graph.operands(node), attrs=BroadcastAttributes(shape, attrs.axes)
            )
    return None


def _cell_product(graph: Graph, attrs: DotAttributes, operands: tuple[Value, ...]) -> Value | None:
    """Each cell's channels times a matrix."""
    windows = _scanned(graph, operands[0])
    if windows is None or windows.overlap < 1 or graph.type(operands[1]).rank != 2:
        return None
    if attrs != DotAttributes((len(windows.attrs.window) + 1,), (0,)):
        return None
    return _cut(graph, graph.apply("dot", windows.x, operands[1], attrs=attrs), windows.attrs)


def _convolution(graph: Graph, attrs: ConvAttributes, operands: tuple[Value, ...]) -> Value | None:
    windows = _scanned(graph, operands[0])
    if windows is None:
        return None
    taps = [tap for tap in graph.type(operands[1]).shape[:-2] if isinstance(tap, int)]
    spans = [(tap - 1) * step + 1 for tap, step in zip(taps, attrs.dilation, strict=True)]
    plan = _plan(graph, windows, spans, attrs.stride)
    if plan is None:
        return None
    strides, rest = plan
    y = graph.apply("conv", windows.x, operands[1], attrs=replace(attrs, stride=strides))
    return _as_many(graph, windows, y, rest)


def _pool(graph: Graph, attrs: ReduceWindowAttributes, operands: tuple[Value, ...]) -> Value | None:
    windows = _scanned(graph, operands[0])
    if windows is None or {attrs.window[0], attrs.window[-1], attrs.stride[0], attrs.stride[-1]} != {1}:
        return None
    plan = _plan(graph, windows, attrs.window[1:-1], attrs.stride[1:-1])
    if plan is None:
        return None
    strides, rest = plan
    whole = ReduceWindowAttributes(attrs.op, attrs.window, (1, *strides, 1))
    return _as_many(graph, windows, graph.apply("reduce_window", windows.x, attrs=whole), rest)


def _plan(
    graph: Graph, windows: _Scanned, spans: Sequence[int], strides: Sequence[int]
) -> tuple[tuple[int, ...], WindowsAttributes] | None:
    """The strides with which a layer inside windows runs over the signal, and the windows of its result there.

    None if that is impossible or would be more work. Cell a of window i is at i·s + a·t, for windows with stride
    s and a stride t inside them: it is a cell of the strided signal where t divides s.
    """
    axes: list[tuple[int, int, int]] = []
    gain = Fraction(1)
    attrs = windows.attrs
    for size, step, span, stride in zip(attrs.window, attrs.stride, spans, strides, strict=True):
        inside = (size - span) // stride + 1
        if inside == 1:
            axes.append((step, 1, 1))
        elif step % stride == 0:
            axes.append((stride, inside, step // stride))
            gain *= Fraction(inside * stride, step)
        else:
            return None
    if gain < 1:
        return None
    inner, left, apart = zip(*axes, strict=True)
    shape = graph.type(windows.x).shape
    layer = map(window_cells, shape[1:-1], spans, inner)
    for count, cells, window, stride in zip(attrs.counts(shape), layer, left, apart, strict=True):
        if window_cells(cells, window, stride) != count and not isinstance(count, int):
            return None  # how many of them are more than before is not known
    return inner, WindowsAttributes(left, apart)


def _as_many(graph: Graph, windows: _Scanned, y: Value, attrs: WindowsAttributes) -> Value:
    """The windows of a layer's result on the signal, cut to as many as there were before."""
    cells = windows.attrs.counts(graph.type(windows.x).shape)
    for axis, count in enumerate(cells, 1):
        shape = graph.type(y).shape
        window, stride = attrs.window[axis - 1], attrs.stride[axis - 1]
        if window_cells(shape[axis], window, stride) == count:
            continue
        assert isinstance(count, int)
        end = (count - 1) * stride + window
        y = graph.apply("slice", y, attrs=SliceAttributes.along(shape, axis, 0, end))
    return _cut(graph, y, attrs)


# Layers on whole windows.


def _window_product(graph: Graph, attrs: DotAttributes, operands: tuple[Value, ...]) -> Value | None:
    rows, matrix = operands
    shape = graph.type(rows).shape
    if attrs != DotAttributes((len(shape) - 1,), (0,)) or graph.type(matrix).rank != 2:
        return None
    windows = _source(graph, rows)
    if windows is None:
        return None
    channels, units = graph.type(windows.x).shape[-1], graph.type(matrix).shape[1]
    # The product sums over exactly one window: the last axis holds whole windows, in their original order.
    if shape[-1] != product((*windows.attrs.window, channels)):
        return None
    kernel_shape = ReshapeAttributes((*windows.attrs.window, channels, units))
    kernel = graph.apply("reshape", matrix, attrs=kernel_shape)
    conv = ConvAttributes(windows.attrs.stride, (1,) * len(windows.attrs.window))
    result = graph.apply("conv", windows.x, kernel, attrs=conv)
    return graph.apply("reshape", result, attrs=ReshapeAttributes((*shape[:-1], units)))
