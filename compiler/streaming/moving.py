"""Operations on values with a time axis, other than loops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from netwright.specs.dims import DimLike, Shape, exact_div, product

from ..graph.graph import Graph
from ..graph.node import Attributes, Node, Value
from ..graph.types import TensorType
from ..ops.base import BroadcastAttributes, primitive
from ..ops.protocols import Elementwise
from ..ops.views.concat import ConcatAttributes
from ..ops.views.layout import ReshapeAttributes
from ..ops.views.slice_pad import PadAttributes, SliceAttributes
from .memory import Memory
from .reach import NoReach, Reach, reach
from .values import CannotStream, Clock, Flow, Item, Latest, Still


def moved(
    graph: Graph, memory: Memory, node: Node, items: Sequence[Item], types: Sequence[TensorType]
) -> Item:
    """The result of ``node``, which reads at least one flow; ``types`` are its operands' of whole sequences. Raises
    CannotStream.
    """
    clock, attrs = memory.clock, node.attrs
    if isinstance(attrs, PadAttributes) and isinstance(flow := items[0], Flow):
        return _padded(graph, memory, attrs, flow)
    if isinstance(attrs, ReshapeAttributes) and isinstance(flow := items[0], Flow):
        return _reshaped(graph, clock, attrs, flow, types[0])
    if len(node.types) != 1:
        raise CannotStream("needs all steps at once")
    if isinstance(attrs, SliceAttributes) and isinstance(flow := items[0], Flow):
        start, size = attrs.start[flow.axis], types[0].shape[flow.axis]
        if clock.mentions(start) and clock.at(start - size) == -1:
            return _last(graph, attrs, flow)
    reaches = _reaches(node, items, types)
    if any(way != Reach(way.axis) for way in reaches.values()):  # several cells per frame are so many frames
        items = [item.single() if isinstance(item, Flow) else item for item in items]
    way = next(iter(reaches.values()))
    flow = next(item for item in items if isinstance(item, Flow))
    if any(each.axis != way.axis for each in reaches.values()):
        raise CannotStream("brings different steps together")
    if any(each.stride != way.stride for each in reaches.values()):
        raise CannotStream("reads its inputs at different steps")
    outer, inner = flow.outer, flow.inner
    course = clock.course(node.types[0].shape[way.axis], outer, inner)
    if course is None:
        raise CannotStream(
            f"makes {node.types[0].shape[way.axis]} steps, which are not so many per step before"
        )
    result = Flow(flow.value, way.axis, *course, outer, inner, _common_fill(node, items))
    if result.delay < 0 and result.fill is None:
        raise CannotStream(f"begins {_steps(-result.delay)} before its input, with padding that it changes")
    operands = [
        _window(memory, item, reaches[position], result) if isinstance(item, Flow) else _still(item)
        for position, item in enumerate(items)
    ]
    frames = clock.frames(result.rate)
    size = outer * frames * inner
    value = graph.apply(
        node.op, *operands, attrs=_local(clock, attrs, way, size, graph.type(operands[0]).shape)
    )
    expected = (*node.types[0].shape[: way.axis], size, *node.types[0].shape[way.axis + 1 :])
    if graph.type(value).shape != expected:
        raise CannotStream("has sizes that depend on how many steps there are")
    return replace(result, value=value)


def _still(item: Item) -> Value:
    assert isinstance(item, Still | Latest)
    return item.value


def _reaches(node: Node, items: Sequence[Item], types: Sequence[TensorType]) -> dict[int, Reach]:
    reaches: dict[int, Reach] = {}
    if isinstance(node.attrs, ConcatAttributes) and any(
        isinstance(item, Flow) and item.axis == node.attrs.axis for item in items
    ):
        raise CannotStream("joins sequences one after the other")
    for position, item in enumerate(items):
        if not isinstance(item, Flow):
            continue
        try:
            way = reach(node, types, position, item.axis)
        except NoReach as reason:
            raise CannotStream(str(reason)) from None
        if not item.single().alone and way != Reach(way.axis):
            raise CannotStream("reads steps and other cells along one axis")
        reaches[position] = way
    return reaches


def _common_fill(node: Node, items: Sequence[Item]) -> float | int | bool | None:
    """The number that the padding before the first frame holds after ``node``, if it leaves numbers as they are."""
    if isinstance(primitive(node.op), Elementwise) or len(items) != 1 or not primitive(node.op).unchanged:
        return None
    return items[0].fill if isinstance(items[0], Flow) else None


def _window(memory: Memory, flow: Flow, way: Reach, result: Flow) -> Value:
    """The frames of ``flow`` that new frames of the result read."""
    if flow.rate != way.stride * result.rate or (flow.outer, flow.inner) != (result.outer, result.inner):
        raise CannotStream("reads its inputs at different steps")
    before = way.stride * result.delay - flow.delay - way.low
    cut = way.stride * (result.delay + 1) - way.high - 1 - flow.delay
    if cut < 0:
        raise CannotStream(f"looks {_steps(-cut)} ahead")
    return memory.frames(flow, before, cut)


def _steps(count: DimLike) -> str:
    return f"{count} step{'s' * (count != 1)}"


def _local(clock: Clock, attrs: Attributes, way: Reach, size: DimLike, first: Shape) -> Attributes:
    """Attributes with the sizes of a chunk. ``first`` is the shape of the first operand."""
    if isinstance(attrs, BroadcastAttributes):
        attrs = replace(attrs, shape=(*attrs.shape[: way.axis], size, *attrs.shape[way.axis + 1 :]))
    elif isinstance(attrs, SliceAttributes):
        axis = way.axis
        attrs = replace(
            attrs,
            start=(*attrs.start[:axis], 0, *attrs.start[axis + 1 :]),
            limit=(*attrs.limit[:axis], first[axis], *attrs.limit[axis + 1 :]),
        )
    if any(map(clock.mentions, attrs.fields().values())):
        raise CannotStream("depends on how many steps there are")
    return attrs


def _last(graph: Graph, attrs: SliceAttributes, flow: Flow) -> Item:
    """A slice of the last step alone: the answer so far."""
    shape = graph.type(flow.value).shape
    axis, size = flow.axis, shape[flow.axis]
    start = (*attrs.start[:axis], size - 1, *attrs.start[axis + 1 :])
    limit = (*attrs.limit[:axis], size, *attrs.limit[axis + 1 :])
    return Latest(graph.apply("slice", flow.value, attrs=replace(attrs, start=start, limit=limit)))


def _padded(graph: Graph, memory: Memory, attrs: PadAttributes, flow: Flow) -> Flow:
    """Padding before the first step is what the memory holds at first; other axes are padded as they are."""
    clock, axis = memory.clock, flow.axis
    flow = flow.single() if attrs.low[axis] != 0 else flow
    low, high = attrs.low[axis], clock.at(attrs.high[axis])
    if high != 0:
        raise CannotStream(f"adds {_steps(high)} after the last one")
    if attrs.interior[axis]:
        raise CannotStream("puts steps between the steps")
    if not isinstance(low, int):
        raise CannotStream("pads by as much as depends on how many steps there are")
    if not flow.alone and low:
        raise CannotStream("pads steps and other cells along one axis")
    if low:
        if flow.delay < 0 and flow.fill != attrs.fill:
            raise CannotStream("pads steps that are padded with other numbers")
        flow = memory.only_frames(flow, attrs.fill)
    rest = tuple(0 if place == axis else amount for place, amount in enumerate(attrs.low))
    after = tuple(0 if place == axis else amount for place, amount in enumerate(attrs.high))
    value = flow.value
    if any(amount != 0 for amount in (*rest, *after)) or any(attrs.interior):
        if clock.mentions((*rest, *after)):
            raise CannotStream("depends on how many steps there are")
        if flow.delay - low < 0 and flow.fill not in (None, attrs.fill):
            raise CannotStream("pads steps that are padded with other numbers")
        value = graph.apply("pad", value, attrs=PadAttributes(rest, after, attrs.interior, attrs.fill))
    fill = attrs.fill if low else flow.fill
    return replace(flow, value=value, delay=flow.delay - low, fill=fill)


def _reshaped(graph: Graph, clock: Clock, attrs: ReshapeAttributes, flow: Flow, type: TensorType) -> Flow:
    """Another shape in which the frames are still one after the other along some axis."""
    shape, size = attrs.shape, type.shape[flow.axis]
    before = product(type.shape[: flow.axis]) * flow.outer
    frames = exact_div(size, flow.outer)
    frames = None if frames is None else exact_div(frames, flow.inner)
    for axis, whole in enumerate(shape):
        outer = exact_div(before, product(shape[:axis]))
        if outer is None or frames is None:
            continue
        part = exact_div(whole, outer)
        inner = None if part is None else exact_div(part, frames)
        if inner is None or clock.mentions((outer, inner)):
            continue
        own = outer * clock.frames(flow.rate) * inner
        local = (*shape[:axis], own, *shape[axis + 1 :])
        if clock.mentions(local):
            continue
        value = graph.apply("reshape", flow.value, attrs=ReshapeAttributes(local))
        return replace(flow, value=value, axis=axis, outer=outer, inner=inner)
    raise CannotStream("lays steps and other cells out anew")
