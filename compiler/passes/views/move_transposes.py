"""Moves transposes to where they move fewer elements.

An image that comes with channels first is transposed, resized along its axes, and transposed back. Neither a repeat
nor a weighted sum along one axis depends on the order of the other axes. So the transposes may meet and cancel, or
one may go to where the image is smaller: before an operation that enlarges it, after one that shrinks it.

Sums along the axis that would become the last one stay, since vectors run along the axes behind the summed one. If
there are only a few channels behind it, the summed axis is moved to the front, with all others behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from netwright.specs.dims import DimLike, Shape, dim_symbols, evaluate, product

from ...graph.graph import Graph
from ...graph.node import Node, Value
from ...ops.base import BroadcastAttributes, primitive
from ...ops.protocols import Elementwise
from ...ops.views.layout import ReshapeAttributes, TransposeAttributes
from ..base import Pass, PassContext
from .reshapes import merged_axes
from .transposed_rows import after_product

#: Sums along an axis with fewer elements behind it fill no vectors.
LEAST_BEHIND = 8
#: The value assumed for an open size when sizes are compared.
TYPICAL = 64

Emit = Callable[[Graph, Mapping[Value, Value], Value], Value]


@dataclass(frozen=True)
class _Ordered:
    """``value`` seen in ``shape``, with its axes permuted: result axis i is axis ``order[i]``."""

    value: Value
    shape: Shape
    order: tuple[int, ...]

    @property
    def moves_nothing(self) -> bool:
        """Whether all axes with more than one element keep their order."""
        kept = [axis for axis in self.order if self.shape[axis] != 1]
        return kept == sorted(kept)

    @property
    def result(self) -> Shape:
        return tuple(self.shape[axis] for axis in self.order)

    def cost(self) -> int:
        """How many elements are moved, roughly."""
        return 0 if self.moves_nothing else _typical(self.shape)

    def emit(self, graph: Graph, value: Value) -> Value:
        """Adds the permutation to ``graph``, applied to ``value``."""
        if self.moves_nothing:
            return _reshaped(graph, value, self.result)
        shaped = _reshaped(graph, value, self.shape)
        return graph.apply("transpose", shaped, attrs=TransposeAttributes(self.order))


@dataclass(frozen=True)
class MoveTransposes(Pass):
    """Moves transposes past resampling, elementwise operations and products, where they get cheaper or vanish."""

    name: ClassVar[str] = "move_transposes"

    def run(self, graph: Graph, context: PassContext) -> Graph:
        if not any(node.op == "transpose" for node in graph):
            return graph
        became: dict[Value, Value] = {}

        def rule(new: Graph, node: Node, operands: tuple[Value, ...]) -> Sequence[Value] | None:
            became.update(zip(graph.operands(node), operands, strict=True))
            if isinstance(node.attrs, TransposeAttributes):
                value = _earlier(graph, new, node, became)
            elif node.op == "dot":
                value = after_product(graph, new, node, operands, _typical)
            elif node.op == "resample":
                value = _later(graph, new, node, operands)
            else:
                value = None
            return None if value is None else [value]

        return graph.rewrite(context.limit(rule))


def _earlier(graph: Graph, new: Graph, node: Node, became: Mapping[Value, Value]) -> Value | None:
    """The result of a transpose, computed with the transpose moved up to where it is cheapest; None if it is cheapest
    here."""
    assert isinstance(node.attrs, TransposeAttributes)
    (operand,) = graph.operands(node)
    at = _Ordered(operand, graph.type(operand).shape, node.attrs.permutation)
    least, best = at.cost(), 0
    places, emits = [at], list[Emit]()
    outputs = set(graph.outputs.values())
    while len(graph.uses(at.value)) == 1 and at.value not in outputs:
        step = _above(graph, at)
        if step is None:
            break
        at, emit = step
        places.append(at)
        emits.append(emit)
        if at.cost() < least:
            least, best = at.cost(), len(emits)
    if (least and node.values[0] not in outputs) or not _computes(graph, places[:best]):
        return None
    value = places[best].emit(new, became[places[best].value])
    for emit in reversed(emits[:best]):
        value = emit(new, became, value)
    return value


def _computes(graph: Graph, places: Sequence[_Ordered]) -> bool:
    """Whether any operation among ``places`` computes: views of views are simplified by another pass."""
    return any(graph.producer(place.value).op not in ("transpose", "reshape") for place in places)


def _above(graph: Graph, at: _Ordered) -> tuple[_Ordered, Emit] | None:
    """The permuted operand of ``at``'s producer, and a function that adds the producer after it; None if it cannot be
    passed."""
    node = graph.producer(at.value)
    shape, operands = node.types[0].shape, graph.operands(node)
    if node.op == "reshape":
        return _Ordered(operands[0], at.shape, at.order), lambda g, became, x: x
    if node.op == "resample":
        return _above_resample(graph, node, at)
    if len(operands) == 1 and isinstance(primitive(node.op), Elementwise):

        def emit(g: Graph, became: Mapping[Value, Value], x: Value) -> Value:
            return g.add(node.op, [x], node.attrs).values[0]

        return _Ordered(operands[0], at.shape, at.order), emit
    merged = merged_axes(shape, at.shape)
    if merged is None:
        return None
    order = tuple(axis for position in at.order for axis in merged[position])
    if isinstance(node.attrs, TransposeAttributes):
        inner = tuple(node.attrs.permutation[axis] for axis in order)
        return _Ordered(operands[0], graph.type(operands[0]).shape, inner), _shaped(at.result)
    if not isinstance(node.attrs, BroadcastAttributes):
        return None
    axes, place = node.attrs.axes, {axis: position for position, axis in enumerate(order)}
    inner = tuple(sorted(range(len(axes)), key=lambda i: place[axes[i]]))
    attrs = BroadcastAttributes(tuple(shape[axis] for axis in order), tuple(place[axes[i]] for i in inner))

    def wide(g: Graph, became: Mapping[Value, Value], x: Value) -> Value:
        return _reshaped(g, g.apply("broadcast", x, attrs=attrs), at.result)

    return _Ordered(operands[0], graph.type(operands[0]).shape, inner), wide


def _shaped(shape: Shape) -> Emit:
    return lambda g, became, x: _reshaped(g, x, shape)


def _above_resample(graph: Graph, node: Node, at: _Ordered) -> tuple[_Ordered, Emit] | None:
    x, cells, weights = graph.operands(node)
    axis = _axis(at.shape, node.types[0].shape)
    if axis is None:
        return None
    position = at.order.index(axis)
    if _typical(at.result[position + 1 :]) < LEAST_BEHIND:
        return None
    shape = (*at.shape[:axis], graph.type(x).shape[1], *at.shape[axis + 1 :])
    inner = _Ordered(x, shape, at.order)

    def emit(g: Graph, became: Mapping[Value, Value], value: Value) -> Value:
        return _resampled(g, value, position, became[cells], became[weights])

    return inner, emit


def _later(graph: Graph, new: Graph, node: Node, operands: tuple[Value, ...]) -> Value | None:
    """Resamples before a transpose of the operand instead of after it, if that moves less or gives wider vectors;
    else None."""
    old = graph.operands(node)[0]
    if not _is_read_once(graph, old):
        return None
    producer = new.producer(_unshaped(new, operands[0]))
    attrs = producer.attrs
    if not isinstance(attrs, TransposeAttributes):
        return None
    axis = _axis(producer.types[0].shape, graph.type(old).shape)
    if axis is None:
        return None
    (x,) = new.operands(producer)
    shape, position = new.type(x).shape, attrs.permutation[axis]
    narrow = _typical(producer.types[0].shape[-1:]) < LEAST_BEHIND
    order = tuple(range(len(shape)))
    if _typical(shape[position + 1 :]) < LEAST_BEHIND:
        if not narrow or _typical((*shape[:position], *shape[position + 1 :])) < LEAST_BEHIND:
            return None
        order = (position, *order[:position], *order[position + 1 :])  # the summed axis first
    elif not narrow and _typical(node.types[0].shape) >= _typical(graph.type(old).shape):
        return None
    x = _Ordered(x, shape, order).emit(new, x)
    result = _resampled(new, x, order.index(position), *operands[1:])
    back = tuple(order.index(axis) for axis in attrs.permutation)
    moved = _Ordered(result, new.type(result).shape, back).emit(new, result)
    return _reshaped(new, moved, node.types[0].shape)


def _is_read_once(graph: Graph, value: Value) -> bool:
    """Whether ``value``, and every value that it is a reshape of, has only one reader."""
    outputs = set(graph.outputs.values())
    while len(graph.uses(value)) == 1 and value not in outputs:
        producer = graph.producer(value)
        if producer.op != "reshape":
            return True
        (value,) = graph.operands(producer)
    return False


def _unshaped(graph: Graph, value: Value) -> Value:
    while (node := graph.producer(value)).op == "reshape":
        (value,) = graph.operands(node)
    return value


def _axis(shape: Shape, seen: Shape) -> int | None:
    """The axis of ``shape`` that is the middle axis of ``seen`` = [before, axis, behind], of as many elements."""
    for axis, size in enumerate(shape):
        if size == seen[1] and product(shape[:axis]) == seen[0]:
            return axis
    return None


def _resampled(graph: Graph, x: Value, axis: int, cells: Value, weights: Value) -> Value:
    shape = graph.type(x).shape
    flat = _reshaped(graph, x, (product(shape[:axis]), shape[axis], product(shape[axis + 1 :])))
    result = graph.apply("resample", flat, cells, weights)
    return _reshaped(graph, result, (*shape[:axis], graph.type(result).shape[1], *shape[axis + 1 :]))


def _reshaped(graph: Graph, x: Value, shape: Shape) -> Value:
    return x if graph.type(x).shape == shape else graph.apply("reshape", x, attrs=ReshapeAttributes(shape))


def _typical(shape: Sequence[DimLike]) -> int:
    """How many elements ``shape`` has, with ``TYPICAL`` for open sizes."""
    size = product(tuple(shape))
    return evaluate(size, dict.fromkeys(dim_symbols(size), TYPICAL))
