"""Builds the graph of a chunk of steps, node by node, from the graph of whole sequences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import lcm

from netwright.specs.dims.fitting import period

from ..graph.graph import Graph
from ..graph.node import InputAttributes, Node, Value
from ..graph.types import TensorType
from ..ops.base import primitive
from ..ops.protocols import Elementwise
from ..ops.scans.scan_attributes import ScanAttributes
from ..ops.values.constant import IotaAttributes
from .loops import loop
from .memory import Memory
from .moving import moved
from .uniform import uniform
from .values import CannotStream, Clock, Flow, Item, Latest, Still, StreamError, Uniform

#: Groups of more steps than this are no streaming any more.
_LARGEST_GROUP = 1 << 16


@dataclass(frozen=True, slots=True)
class StreamOutput:
    """An output of the step graph. With an ``axis`` it gives ``rate`` frames per group of steps, of which the first
    ``delay`` of all are no part of the sequence; without one it is the answer so far.
    """

    axis: int | None
    rate: int = 0
    delay: int = 0


@dataclass(frozen=True)
class StepGraph:
    """``graph`` takes a chunk of steps, a multiple of ``group``: the size ``chunk`` of the inputs' axes ``axes``. Its
    states, all zeros at first, are inputs of role state and outputs of the same names.
    """

    graph: Graph
    chunk: str
    group: int
    axes: Mapping[str, int]
    outputs: Mapping[str, StreamOutput]


def steps_of(graph: Graph, time: str, names: Sequence[str] = (), multiple_of: int = 1) -> StepGraph:
    """The graph of a chunk of the steps ``time`` of a graph in the mode predict.

    ``names`` are the dims in use, and ``multiple_of`` a number of steps that divides every sequence's. Raises
    StreamError, which names every layer that needs steps that have not come yet, or all of them.
    """
    group = multiple_of
    for node in graph:
        for type in node.types:
            for size in type.shape:
                group = lcm(group, period(size) if not isinstance(size, int) and time in size.symbols else 1)
    if group > _LARGEST_GROUP:
        raise StreamError({"the network": f"takes steps in groups of {group}"})
    chunk = "steps"
    while chunk in names:
        chunk += "_"
    return _Stepper(graph, Clock(time, chunk, group)).run()


class _Stepper:
    def __init__(self, graph: Graph, clock: Clock):
        self.whole, self.clock = graph, clock
        self.new = Graph("step")
        self.memory = Memory(self.new, clock)
        self.items: dict[Value, Item] = {}
        self.axes: dict[str, int] = {}
        self.reasons: dict[str, str] = {}

    def run(self) -> StepGraph:
        for node in self.whole:
            self.new.layer = node.layer
            self.items.update(zip(node.values, self._tried(node), strict=True))
        outputs: dict[str, StreamOutput] = {}
        for name, value in self.whole.outputs.items():
            try:
                outputs[name] = self._output(name, self.items[value])
            except CannotStream as reason:
                self._refuse(self.whole.producer(value).layer or name, reason)
        if not self.axes:
            self._refuse("the network", CannotStream(f"has no input with the time axis {self.clock.time}"))
        if self.reasons:
            raise StreamError(self.reasons)
        self.memory.finish()
        clock = self.clock
        return StepGraph(self.new, clock.chunk, clock.group, self.axes, outputs)

    def _tried(self, node: Node) -> list[Item]:
        try:
            return self._input(node) if node.op == "input" else self._node(node)
        except CannotStream as reason:
            attrs = node.attrs
            self._refuse(attrs.name if isinstance(attrs, InputAttributes) else node.layer, reason)
            return [self._stand_in(type) for type in node.types]

    def _refuse(self, layer: str, reason: CannotStream) -> None:
        self.reasons.setdefault(layer, str(reason))

    def _stand_in(self, type: TensorType) -> Item:
        """Something of this type in place of what can't be computed, to find what else can't."""
        clock, name = self.clock, f"stand-in {len(self.new)}"
        axes = [axis for axis, size in enumerate(type.shape) if clock.mentions(size)]
        if not axes:
            return Latest(self.new.input(name, type, "body"))
        rate, delay = clock.course(type.shape[axes[0]]) or (clock.group, 0)
        shape = tuple(clock.frames(rate) if axis in axes else size for axis, size in enumerate(type.shape))
        return Flow(self.new.input(name, type.with_shape(shape), "body"), axes[0], rate, delay)

    def _input(self, node: Node) -> list[Item]:
        attrs, type, clock = node.attrs, node.types[0], self.clock
        assert isinstance(attrs, InputAttributes)
        axes = [axis for axis, size in enumerate(type.shape) if clock.mentions(size)]
        if not axes:
            if not self.whole.uses(node.values[0]) and node.values[0] not in self.whole.outputs.values():
                return [Latest(node.values[0])]  # nobody asks for it
            return [Still(self.new.input(attrs.name, type, attrs.role))]
        if len(axes) > 1 or clock.course(type.shape[axes[0]]) != (clock.group, 0):
            raise CannotStream(f"has no axis of single steps in [{', '.join(map(str, type.shape))}]")
        shape = tuple(clock.steps if axis == axes[0] else size for axis, size in enumerate(type.shape))
        self.axes[attrs.name] = axes[0]
        value = self.new.input(attrs.name, type.with_shape(shape), attrs.role)
        return [Flow(value, axes[0], clock.group, 0)]

    def _node(self, node: Node) -> list[Item]:
        clock = self.clock
        items = [self.items[value] for value in self.whole.operands(node)]
        types = [self.whole.type(value) for value in self.whole.operands(node)]
        flows = any(isinstance(item, Flow) for item in items)
        timed = any(clock.mentions(type.shape) for type in node.types)
        latest = any(isinstance(item, Latest) for item in items)
        if latest and (flows or timed):
            raise CannotStream("gives every step something that is known after the last one")
        if isinstance(node.attrs, ScanAttributes) and (flows or clock.mentions(node.attrs.length)):
            return loop(self.new, self.memory, node, items)
        if not flows and not timed and not any(isinstance(item, Uniform) for item in items):
            if any(map(clock.mentions, node.attrs.fields().values())):
                raise CannotStream("depends on how many steps there are")
            values = self.new.add(node.op, [self._value(item) for item in items], node.attrs).values
            return [Latest(value) if latest else Still(value) for value in values]
        if isinstance(node.attrs, IotaAttributes) and clock.mentions(node.attrs.shape[node.attrs.axis]):
            return [self._positions(node.attrs)]
        if not flows and (made := uniform(self.new, clock, node, items)) is not None:
            return [made]
        if isinstance(primitive(node.op), Elementwise) and flows:
            shape = self._shape_of_flow(items)
            items = [self._filled(item, shape) for item in items]
        else:
            items = [self._flowing(item, type) for item, type in zip(items, types, strict=True)]
        return [moved(self.new, self.memory, node, items, types)]

    @staticmethod
    def _value(item: Item) -> Value:
        assert isinstance(item, Still | Latest)
        return item.value

    def _shape_of_flow(self, items: Sequence[Item]) -> tuple[Flow, TensorType]:
        flow = next(item for item in items if isinstance(item, Flow))
        return flow, self.new.type(flow.value)

    def _filled(self, item: Item, like: tuple[Flow, TensorType]) -> Item:
        if not isinstance(item, Uniform):
            return item
        flow, type = like
        return Flow(
            item.make(type.shape), flow.axis, flow.rate, flow.delay, flow.outer, flow.inner, item.fill
        )

    def _flowing(self, item: Item, type: TensorType) -> Item:
        """A uniform value as one with frames."""
        if not isinstance(item, Uniform):
            return item
        axes = [axis for axis, size in enumerate(type.shape) if self.clock.mentions(size)]
        course = self.clock.course(type.shape[axes[0]]) if len(axes) == 1 else None
        if course is None:
            raise CannotStream(
                f"makes an axis of {type.shape[axes[0]]} cells, which are not so many per step"
            )
        (axis,), (rate, delay) = axes, course
        frames = self.clock.frames(rate)
        shape = tuple(frames if place == axis else size for place, size in enumerate(type.shape))
        return Flow(item.make(shape), axis, rate, delay, fill=item.fill)

    def _positions(self, attrs: IotaAttributes) -> Flow:
        """The numbers of the frames of a chunk."""
        course = self.clock.course(attrs.shape[attrs.axis])
        if course is None or course[1] < 0 or sum(map(self.clock.mentions, attrs.shape)) > 1:
            raise CannotStream(f"counts {attrs.shape[attrs.axis]} cells, which are not so many per step")
        frames = self.clock.frames(course[0])
        shape = (*attrs.shape[: attrs.axis], frames, *attrs.shape[attrs.axis + 1 :])
        flow = Flow(Value(-1), attrs.axis, *course)
        return replace(flow, value=self.memory.positions(flow, TensorType(attrs.dtype, shape)))

    def _output(self, name: str, item: Item) -> StreamOutput:
        if isinstance(item, Uniform):
            raise CannotStream("does not depend on the steps")
        item = item.single() if isinstance(item, Flow) else item
        self.new.set_output(name, item.value)
        if not isinstance(item, Flow):
            return StreamOutput(None)
        if item.delay < 0:
            raise CannotStream("pads the steps of an output")
        if not item.alone:
            raise CannotStream("gives an output with steps and other cells along one axis")
        return StreamOutput(item.axis, item.rate, item.delay)
