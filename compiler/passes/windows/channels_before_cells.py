"""Stores images that convolutions with few features read with channels before the last spatial axis.

Three features fill only three lanes of a vector, but the image's last spatial axis has enough cells to fill all lanes
(``lowering/kernels/transposed.py``), if these cells are contiguous in memory. So the image is stored that way: where it
is padded, which stores it anyway, or else in a copy, if the convolutions do enough work per element. Channels do not go
before all spatial axes: then the cells that one row of windows reads would be spread over the whole image.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import ClassVar

from netwright.specs.dims import DimLike

from ...graph.graph import Graph
from ...graph.node import Node, Value
from ...machine import Machine
from ...ops.base import primitive
from ...ops.protocols import Elementwise
from ...ops.views.layout import TransposeAttributes
from ...ops.views.slice_pad import PadAttributes
from ...ops.windows.geometry import ConvAttributes
from ..base import Pass, PassContext

#: With this many multiplications per element of an image, moving it pays.
LEAST_PRODUCTS = 8
#: Windows with a larger stride are not loaded as vectors.
MOST_STRIDE = 4


@dataclass(frozen=True)
class ChannelsBeforeCells(Pass):
    """Chooses images that convolutions with few features read, directly or as slices."""

    name: ClassVar[str] = "channels_before_cells"

    def run(self, graph: Graph, context: PassContext) -> Graph:
        chosen = {value for value in _images(graph, context.machine) if _pays(graph, value, context.machine)}
        if not chosen:
            return graph
        moved: dict[Value, Value] = {}

        def rule(new: Graph, node: Node, operands: tuple[Value, ...]) -> Sequence[Value] | None:
            old = graph.operands(node)
            if node.values[0] in chosen and isinstance(node.attrs, PadAttributes):
                return [_padded(new, node.attrs, operands[0])]
            if node.op != "slice" and not isinstance(node.attrs, ConvAttributes):
                return None
            changed = list(operands)
            for position, value in enumerate(old):
                if value in chosen and graph.producer(value).op != "pad":
                    if value not in moved:
                        moved[value] = _copied(new, operands[position])
                    changed[position] = moved[value]
            if tuple(changed) == operands:
                return None
            return new.add(node.op, changed, node.attrs, layer=node.layer).values

        return graph.rewrite(context.limit(rule))


def _images(graph: Graph, machine: Machine) -> list[Value]:
    """The images that convolutions with few features read; for slices, the image that they were cut from."""
    images: dict[Value, None] = {}
    for node in graph:
        if _has_few_features(graph, node, machine):
            images[_image(graph, graph.operands(node)[0])] = None
    return list(images)


def _image(graph: Graph, value: Value) -> Value:
    while (node := graph.producer(value)).op == "slice":
        (value,) = graph.operands(node)
    return value


def _has_few_features(graph: Graph, node: Node, machine: Machine) -> bool:
    attrs = node.attrs
    if not isinstance(attrs, ConvAttributes):
        return False
    (type,) = node.types
    cells, features = type.shape[-2:]
    assert isinstance(features, int)
    if attrs.groups > 1 or attrs.stride[-1] > MOST_STRIDE:
        return False
    return machine.prefers_cells(features, cells, type.dtype, _is_pooled(graph, node))


def _is_pooled(graph: Graph, node: Node) -> bool:
    """Whether a window is the only reader of what ``node`` computes, or of what is computed from that alone, element by
    element."""
    (value,) = node.values
    while len(readers := graph.uses(value)) == 1:
        (reader, _), shape = readers[0], graph.type(value).shape
        if reader.op == "reduce_window":
            return True
        if not isinstance(primitive(reader.op), Elementwise) or reader.types[0].shape != shape:
            return False
        (value,) = reader.values
    return False


def _pays(graph: Graph, image: Value, machine: Machine) -> bool:
    """Whether these convolutions do enough work to move the image, and it is neither transposed already nor a pad
    with other readers."""
    producer = graph.producer(image)
    if producer.op == "transpose":
        return False  # it is read in the order in which it is stored
    readers = list(_readers(graph, image))
    few = [node for node in readers if _has_few_features(graph, node, machine)]
    if producer.op == "pad" and (len(few) < len(readers) or image in graph.outputs.values()):
        return False
    products = 0
    for node in few:
        kernel = [size for size in graph.type(graph.operands(node)[1]).shape if isinstance(size, int)]
        products += prod(kernel[:-2]) * kernel[-1]
    return products >= LEAST_PRODUCTS


def _readers(graph: Graph, value: Value) -> Iterator[Node]:
    pending = [value]
    while pending:
        for node, _ in graph.uses(pending.pop()):
            if node.op == "slice":
                pending += node.values
            else:
                yield node


def _padded(graph: Graph, attrs: PadAttributes, x: Value) -> Value:
    swapped = _swapped(graph.type(x).rank)

    def ordered(sizes: Sequence[DimLike]) -> tuple[DimLike, ...]:
        return tuple(sizes[axis] for axis in swapped.permutation)

    interior = tuple(attrs.interior[axis] for axis in swapped.permutation)
    moved = PadAttributes(ordered(attrs.low), ordered(attrs.high), interior, attrs.fill)
    padded = graph.apply("pad", graph.apply("transpose", x, attrs=swapped), attrs=moved)
    return graph.apply("transpose", padded, attrs=swapped)


def _copied(graph: Graph, x: Value) -> Value:
    swapped = _swapped(graph.type(x).rank)
    copy = graph.apply("copy", graph.apply("transpose", x, attrs=swapped))
    return graph.apply("transpose", copy, attrs=swapped)


def _swapped(rank: int) -> TransposeAttributes:
    """The permutation that swaps the last two axes; it is its own inverse."""
    return TransposeAttributes((*range(rank - 2), rank - 1, rank - 2))
