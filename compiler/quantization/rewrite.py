"""Rewrites a graph: products with weights as products of bytes, and what comes before and after them.

The data of a product become bytes where they are made: quantization moves through views, padding, and maxima over
overlapping windows, which leave the order of numbers as it is, towards their kernel, and memory holds bytes. Sums
become floats again in the kernel of the product, where bias, activation, and the quantization for the next product
follow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from netwright.specs.dims import DimLike, product

from ..graph.graph import Graph
from ..graph.node import InputAttributes, Node, Value
from ..graph.types import TensorType
from ..ops.base import BroadcastAttributes, primitive
from ..ops.cast import CastAttributes
from ..ops.constant import constant
from ..ops.dot import DotAttributes
from ..ops.layout import ReshapeAttributes, TransposeAttributes
from ..ops.protocols import Contraction, View
from ..ops.quantize import QuantizeAttributes
from ..ops.quantized_conv import QuantizedConvAttributes
from ..ops.slice_pad import PadAttributes
from ..ops.windows import ConvAttributes
from ..passes.base import PassContext
from ..passes.dead_code import RemoveDeadCode
from .scales import Quantized, quantized_weights
from .sites import Key, Site


@dataclass(frozen=True, slots=True)
class Bytes:
    """The weights of a product: the input that holds them, int8 in the order that ``quantized_conv`` reads, and the
    scale of each output channel; ``sums`` are those of each channel's weights."""

    name: str
    array: NDArray[np.int8]
    scales: NDArray[np.float32]
    sums: NDArray[np.int32]


def quantize(
    graph: Graph,
    sites: Sequence[Site],
    weights: Mapping[Key, NDArray],
    data: Mapping[Key, Quantized],
) -> tuple[Graph, dict[Key, Bytes]]:
    """The graph with bytes in the products that ``data`` describes, and their weights, which it reads as inputs of
    role parameter. Parameters that nothing reads any more are no inputs of it."""
    at = {site.node.id: site for site in sites if site.key in data}
    rewriter = _Rewriter(weights, data)

    def rule(new: Graph, node: Node, operands: tuple[Value, ...]) -> Sequence[Value] | None:
        site = at.get(node.id)
        return None if site is None else [rewriter.product(new, site, operands)]

    rewritten = RemoveDeadCode().run(graph.rewrite(rule), PassContext("quantize"))
    return _without_idle(rewritten), rewriter.made


class _Rewriter:
    def __init__(self, weights: Mapping[Key, NDArray], data: Mapping[Key, Quantized]):
        self.weights, self.data = weights, data
        self.made: dict[Key, Bytes] = {}
        self.known: dict[tuple[Value, Quantized], Value] = {}

    def product(self, g: Graph, site: Site, operands: tuple[Value, ...]) -> Value:
        how = self.data[site.key]
        x = self.quantized(g, operands[1 - site.position], how)
        if isinstance(site.node.attrs, ConvAttributes):
            return self._conv(g, site, site.node.attrs, x, how)
        assert isinstance(site.node.attrs, DotAttributes)
        return self._dot(g, site, site.node.attrs, x, how)

    def _conv(self, g: Graph, site: Site, attrs: ConvAttributes, x: Value, how: Quantized) -> Value:
        weights = self.weights[site.key]
        (result,) = site.node.types
        channels, width = weights.shape[-2], weights.shape[-3]
        outer = QuantizedConvAttributes(attrs.stride[:-1], attrs.dilation[:-1], attrs.stride[-1] * channels)
        if attrs.dilation[-1] == 1 and width > 1:
            # The cells of a row of the kernel lie one after the other, and so do their channels.
            row = weights.reshape(*weights.shape[:-3], width * channels, weights.shape[-1])
            # Cells after the last one, for which weights are 0, fill up the last group of four.
            more = -(row.shape[-2] // -4) * 4 - row.shape[-2]
            cells = _filled(g, x, -(more // -channels), how.zero, axis=-2)
            shape = g.type(cells).shape
            flat = g.apply("reshape", cells, attrs=ReshapeAttributes((*shape[:-2], shape[-2] * channels)))
            made = self._weights(g, site.key, row)
            sums = g.apply("quantized_conv", flat, made[1], attrs=outer)
            if g.type(sums).shape == result.shape:
                return self._floats(g, sums, made[0], how)
        x = _filled(g, x, -channels % 4, how.zero)
        whole = QuantizedConvAttributes(attrs.stride, attrs.dilation)
        made = self._weights(g, site.key, weights)
        return self._floats(g, g.apply("quantized_conv", x, made[1], attrs=whole), made[0], how)

    def _dot(self, g: Graph, site: Site, attrs: DotAttributes, x: Value, how: Quantized) -> Value:
        weights, type = self.weights[site.key], g.type(x)
        contracts = [attrs.lhs_contract, attrs.rhs_contract]
        own, summed = contracts[site.position], contracts[1 - site.position]
        free_w, free_x = attrs.free(weights.ndim, own), attrs.free(type.rank, summed)
        x = _transposed(g, x, (*free_x, *summed))
        rows: tuple[DimLike, ...] = tuple(type.shape[axis] for axis in free_x)
        columns = tuple(weights.shape[axis] for axis in free_w)
        matrix = weights.transpose(*own, *free_w).reshape(-1, int(np.prod(columns)))
        x = g.apply("reshape", x, attrs=ReshapeAttributes((product(rows), matrix.shape[0])))
        x = _filled(g, x, -matrix.shape[0] % 4, how.zero)
        made, value = self._weights(g, site.key, matrix)
        y = self._floats(g, g.apply("quantized_conv", x, value, attrs=QuantizedConvAttributes()), made, how)
        y = g.apply("reshape", y, attrs=ReshapeAttributes((*rows, *columns)))
        if site.position == 0:  # the free axes of the weights come first
            k = len(rows)
            y = _transposed(g, y, (*range(k, k + len(columns)), *range(k)))
        return y

    def _weights(self, g: Graph, key: Key, weights: NDArray) -> tuple[Bytes, Value]:
        """Weights [*K, C, F] as the graph's input."""
        array, scales = quantized_weights(weights)
        sums = array.sum(tuple(range(array.ndim - 1)), dtype=np.int32)
        *taps, depth, columns = array.shape
        array = np.pad(array, [(0, 0)] * len(taps) + [(0, -depth % 4), (0, 0)])
        array = array.reshape(*taps, -1, 4, columns).swapaxes(-1, -2).reshape(*taps, -1, 4 * columns)
        name = f"{key.layer or 'network'}.{key.op}{key.number or ''}.int8"
        made = self.made[key] = Bytes(name, np.ascontiguousarray(array), scales, sums)
        if name not in g.inputs:
            g.input(name, TensorType("int8", array.shape), "parameter")
        elif g.type(g.inputs[name]).shape != array.shape:  # rows of the kernel did not fit
            name = f"{name}.cells"
            made = self.made[key] = replace(made, name=name)
            g.input(name, TensorType("int8", array.shape), "parameter")
        return made, g.inputs[name]

    def _floats(self, g: Graph, sums: Value, made: Bytes, how: Quantized) -> Value:
        """What sums of bytes stand for: scale·(sum − zero·Σ weights), per output channel."""
        shift = (-how.zero * made.sums.astype(np.int64)).astype(np.int32)
        if shift.any():
            sums = g.apply("add", sums, _columns(g, shift, sums))
        floats = g.apply("cast", sums, attrs=CastAttributes("float32"))
        return g.apply("mul", floats, _columns(g, made.scales * np.float32(how.scale), floats))

    def quantized(self, g: Graph, x: Value, how: Quantized) -> Value:
        """``x`` as bytes, made as early as possible."""
        if (x, how) not in self.known:
            self.known[x, how] = self._quantized(g, x, how)
        return self.known[x, how]

    def _quantized(self, g: Graph, x: Value, how: Quantized) -> Value:
        node = g.producer(x)
        op = None if isinstance(node.attrs, InputAttributes) else primitive(node.op)
        operands = g.operands(node)
        if isinstance(node.attrs, PadAttributes):
            fill = how.number(float(node.attrs.fill))
            inner = self.quantized(g, operands[0], how)
            return g.apply(node.op, inner, attrs=replace(node.attrs, fill=fill))
        if isinstance(op, View) and len(operands) == 1 and op.fill(node.attrs) is None:
            return g.apply(node.op, self.quantized(g, operands[0], how), attrs=node.attrs)
        window = isinstance(op, Contraction) and op.is_window and op.combine(node.attrs) == "max"
        if window and op.overlaps(node.attrs):  # other windows are part of their operand's kernel
            return g.apply(node.op, self.quantized(g, operands[0], how), attrs=node.attrs)
        return g.apply("quantize", x, attrs=QuantizeAttributes(float(how.factor), how.zero, how.dtype))


def _columns(g: Graph, numbers: NDArray, like: Value) -> Value:
    """Numbers along the last axis, in the shape of ``like``."""
    shape = g.type(like).shape
    return g.apply("broadcast", constant(g, numbers), attrs=BroadcastAttributes(shape, (len(shape) - 1,)))


def _filled(g: Graph, x: Value, more: int, zero: int, axis: int = -1) -> Value:
    """``x`` with so many elements more at the end of an axis."""
    if not more:
        return x
    node, rank = g.producer(x), g.type(x).rank
    high: list[DimLike] = [0] * rank
    high[axis] = more
    attrs = PadAttributes((0,) * rank, tuple(high), (0,) * rank, zero)
    if isinstance(node.attrs, PadAttributes) and node.attrs.fill == zero:  # one padding instead of two
        (x,) = g.operands(node)
        high = [a + b for a, b in zip(node.attrs.high, high, strict=True)]
        attrs = replace(node.attrs, high=tuple(high))
    return g.apply("pad", x, attrs=attrs)


def _transposed(g: Graph, x: Value, axes: Sequence[int]) -> Value:
    axes = tuple(axes)
    return x if axes == tuple(range(len(axes))) else g.apply("transpose", x, attrs=TransposeAttributes(axes))


def _without_idle(graph: Graph) -> Graph:
    """The graph without parameters and statistics that nothing reads."""
    outputs = set(graph.outputs.values())
    new = Graph(graph.name)
    moved: dict[Value, Value] = {}
    for node in graph:
        if isinstance(node.attrs, InputAttributes):
            (value,) = node.values
            owned = node.attrs.role in ("parameter", "statistic")
            if owned and value not in outputs and not graph.uses(value):
                continue
            moved[value] = new.input(node.attrs.name, node.types[0], node.attrs.role)
            continue
        values = new.add(
            node.op, [moved[v] for v in graph.operands(node)], node.attrs, layer=node.layer
        ).values
        moved.update(zip(node.values, values, strict=True))
    for name, value in graph.outputs.items():
        new.set_output(name, moved[value])
    return new
