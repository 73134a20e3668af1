"""Computes 3×3 convolutions by Winograd's fast algorithm where that is faster and the rounding errors are small enough.

F(4, 3) needs 36 products for 4×4 results where a direct convolution needs 144, F(2, 3) 16 for 2×2 instead of 36. What
that saves has to pay for the transforms, for more bytes of weights, and for products in memory between the stages.
The weights are transformed and packed in ``prepare``; in training, at each step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from ...graph.graph import Graph
from ...graph.node import Node, Value
from ...machine import Machine
from ...observers import Choice
from ...ops.products.dot import MATMUL, DotAttributes
from ...ops.values.constant import constant
from ...ops.views.layout import ReshapeAttributes
from ...ops.views.panels import fills_panels, in_panels
from ...ops.views.slice_pad import PadAttributes
from ...ops.windows.geometry import ConvAttributes
from ...ops.windows.winograd import TAPS, filter_matrix, in_floats, tile_count
from ...ops.windows.winograd_data import WinogradDataAttributes
from ...ops.windows.winograd_result import WinogradResultAttributes
from ...tuning import Algorithm, TuningError
from ..base import Pass, PassContext
from ..ordered import is_ordered
from ..split_prepare import fixed_values
from .winograd_costs import Images, best_tile, obstacle

#: The tiles' sizes by the names of algorithms in a tuning; None: directly.
TILES: dict[Algorithm, int | None] = {"direct": None, "F(2, 3)": 2, "F(4, 3)": 4}


@dataclass(frozen=True)
class Winograd(Pass):
    """Rewrites convolutions with 3×3 taps in ``predict`` and where a network is trained, unless math is strict."""

    name: ClassVar[str] = "winograd"
    bodies: ClassVar[bool] = False  # steps are computed alike, however many there are

    def run(self, graph: Graph, context: PassContext) -> Graph:
        training = context.trains  # gradients are convolutions, too
        if context.entry != "predict" and not training:
            return graph
        fixed = fixed_values(graph)

        def rule(new: Graph, node: Node, operands: tuple[Value, ...]) -> Sequence[Value] | None:
            if node.op != "conv":
                return None
            assert isinstance(node.attrs, ConvAttributes)
            if graph.type(graph.operands(node)[1]).shape[:-2] != (TAPS, TAPS):
                return None
            refusal = _refusal(graph, node, node.attrs, fixed, context)
            if refusal is not None:
                context.observer.chose(Choice(node, "direct", refusal))
                return None
            x, w = operands
            images = _images(new, x, w)
            name = signature(new, x, w)
            tile, reason = _tile(name, images, context.machine, training)
            if tile is None:
                context.observer.chose(Choice(node, "direct", reason, name))
                return None
            context.observer.chose(Choice(node, f"Winograd's F({tile}, 3)", reason, name))
            return [_fast(new, x, w, tile, context.machine)]

        return graph.rewrite(context.limit(rule))


def signature(graph: Graph, x: Value, w: Value) -> str:
    """What a tuned choice is found by: the convolution's operands."""
    return " ".join(["conv", *(str(graph.type(value)).replace(", ", ",") for value in (x, w))])


def _tile(name: str, images: Images, machine: Machine, training: bool) -> tuple[int | None, str]:
    """The size of the tiles, None for directly, and why: as it was measured for ``predict``, else by cost. Raises
    TuningError."""
    tuned = None if training else machine.tuning.algorithm(name)
    if tuned is None:
        return best_tile(images, machine, training=training)
    tile = TILES[tuned]
    reason = None if tile is None else obstacle(images, machine)
    if reason is not None:
        raise TuningError("NW0708", f"{name} can't be computed by {tuned}: {reason}")
    return tile, "it was measured to be the fastest"


def _refusal(
    graph: Graph, node: Node, attrs: ConvAttributes, fixed: set[Value], context: PassContext
) -> str | None:
    """Why the convolution has to be direct, whatever it costs; None if it need not be."""
    x, w = graph.operands(node)
    if attrs.stride != (1, 1):
        return "its stride is not 1"
    if attrs.dilation != (1, 1):
        return "its taps are dilated"
    if attrs.groups != 1:
        return f"it has {attrs.groups} groups"
    if context.math == "strict":
        return "math is strict"
    if graph.type(x).dtype != "float32":
        return f"{graph.type(x).dtype} is for results that are more exact"
    if context.steady or is_ordered(attrs):
        return "the results of sequences must not depend on how many steps are computed at once"
    if w not in fixed:
        return "its weights are no parameters"
    if _is_widened(graph, w):
        return "its weights take 16 bits, and transformed ones would take 32"
    return None


def _is_widened(graph: Graph, value: Value) -> bool:
    """Whether ``value`` is made, through views, of fewer bits."""
    dtype, node = graph.type(value).dtype, graph.producer(value)
    while graph.operands(node):
        value = graph.operands(node)[0]
        if np.dtype(graph.type(value).dtype).itemsize < np.dtype(dtype).itemsize:
            return True
        node = graph.producer(value)
    return False


def _images(graph: Graph, x: Value, w: Value) -> Images:
    """What the convolution computes, as numbers."""
    samples, rows, columns, c_in = graph.type(x).shape
    c_out = graph.type(w).shape[-1]
    assert isinstance(c_in, int)
    assert isinstance(c_out, int)
    return Images.of(samples, rows - (TAPS - 1), columns - (TAPS - 1), c_in, c_out)


def _fast(g: Graph, x: Value, w: Value, tile: int, machine: Machine) -> Value:
    """The convolution of ``x`` and ``w`` by tiles."""
    samples, height, width, _ = g.type(x).shape
    size = (height - (TAPS - 1), width - (TAPS - 1))
    data = g.apply("winograd_data", _whole_tiles(g, x, tile), attrs=WinogradDataAttributes(tile))
    cells, _, rows, columns, c_in = g.type(data).shape
    # A product takes its rows from one axis: the tiles of all images, unless their number is open.
    images, tiles = (1, samples * rows * columns) if isinstance(samples, int) else (samples, rows * columns)
    flat = g.apply("reshape", data, attrs=ReshapeAttributes((cells, images, tiles, c_in)))
    weights = _weights(g, w, tile, machine)
    products = g.apply("dot", flat, weights, attrs=DotAttributes((3,), (1,), batch=1))
    shape = (cells, samples, rows, columns, g.type(weights).shape[-1])
    apart = g.apply("reshape", products, attrs=ReshapeAttributes(shape))
    return g.apply("winograd_result", apart, attrs=WinogradResultAttributes(tile, size))


def _whole_tiles(g: Graph, x: Value, tile: int) -> Value:
    """``x``; if it is padded anyway, padded further to whole tiles, so that no load needs a condition."""
    attrs = g.producer(x).attrs
    if not isinstance(attrs, PadAttributes) or attrs.fill != 0 or any(attrs.interior):
        return x
    high = list(attrs.high)
    for axis in (1, 2):
        size = g.type(x).shape[axis]
        high[axis] = high[axis] + tile_count(size, tile) * tile + (TAPS - 1) - size
    if tuple(high) == attrs.high:
        return x
    return g.apply("pad", *g.operands(g.producer(x)), attrs=replace(attrs, high=tuple(high)))


def _weights(g: Graph, w: Value, tile: int, machine: Machine) -> Value:
    """The weights [3, 3, C, F] transformed to [α², C, F], as panels of columns if these are whole."""
    *_, c_in, c_out = g.type(w).shape
    assert isinstance(c_in, int)
    assert isinstance(c_out, int)
    along = in_floats(filter_matrix(tile))
    both = constant(g, np.kron(along, along).astype(g.type(w).dtype))
    flat = g.apply("reshape", w, attrs=ReshapeAttributes((TAPS**2, c_in * c_out)))
    moved = g.apply("dot", both, flat, attrs=MATMUL)
    split = g.apply("reshape", moved, attrs=ReshapeAttributes((len(along) ** 2, c_in, c_out)))
    lanes = machine.lanes(g.type(w).dtype)
    return in_panels(g, split, lanes) if fills_panels(g.type(split), lanes) else split
