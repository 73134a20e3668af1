"""Values along time that do not depend on the input: numbers and weights repeated for every step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from netwright.specs.dims import Shape

from ..graph.graph import Graph
from ..graph.node import Node, Value
from ..ops.base import BroadcastAttributes, primitive
from ..ops.protocols import Elementwise
from ..ops.values.constant import ConstantAttributes, DimValueAttributes, IotaAttributes
from ..ops.views.layout import TransposeAttributes
from .values import CannotStream, Clock, Item, Still, Uniform


def uniform(graph: Graph, clock: Clock, node: Node, items: Sequence[Item]) -> Uniform | None:
    """What ``node`` makes of operands that do not depend on the input; None if its result has to be followed along
    time as the input is. Raises CannotStream.
    """
    attrs, layer = node.attrs, node.layer

    def add(operands: Sequence[Value], attrs: object) -> Value:
        before, graph.layer = graph.layer, layer
        value = graph.apply(node.op, *operands, attrs=attrs)  # type: ignore[arg-type]
        graph.layer = before
        return value

    if isinstance(attrs, ConstantAttributes) and attrs.scalar is not None:
        return Uniform(lambda shape: add((), replace(attrs, shape=shape)), attrs.scalar)
    if isinstance(attrs, DimValueAttributes):
        raise CannotStream("depends on how many steps there are")
    if isinstance(attrs, IotaAttributes):
        if clock.mentions(attrs.shape[attrs.axis]):
            return None
        return Uniform(lambda shape: add((), replace(attrs, shape=shape)))
    if isinstance(attrs, BroadcastAttributes):
        (item,) = items

        def repeated(shape: Shape) -> Value:
            own = tuple(shape[axis] for axis in attrs.axes)
            return add([_made(item, own)], replace(attrs, shape=shape))

        return Uniform(repeated, _fill(items))
    if isinstance(attrs, TransposeAttributes):
        (item,) = items
        order = attrs.inverse.permutation
        return Uniform(lambda shape: add([_made(item, tuple(shape[a] for a in order))], attrs), _fill(items))
    if isinstance(primitive(node.op), Elementwise):
        return Uniform(lambda shape: add([_made(item, shape) for item in items], attrs))
    return None


def _made(item: Item, shape: Shape) -> Value:
    if isinstance(item, Uniform):
        return item.make(shape)
    assert isinstance(item, Still)
    return item.value


def _fill(items: Sequence[Item]) -> float | int | bool | None:
    (item,) = items
    return item.fill if isinstance(item, Uniform) else None
