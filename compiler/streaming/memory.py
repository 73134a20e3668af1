"""What the graph of a chunk keeps for the next one: frames that windows reach back to, states of loops, and a count."""

from __future__ import annotations

from dataclasses import replace

from netwright.specs.dims import exact_div

from ..graph.graph import Graph
from ..graph.node import Value
from ..graph.types import TensorType
from ..ops.base import BroadcastAttributes
from ..ops.values.cast import CastAttributes
from ..ops.values.constant import DimValueAttributes, IotaAttributes, splat
from ..ops.views.concat import ConcatAttributes
from ..ops.views.slice_pad import SliceAttributes
from .values import CannotStream, Clock, Flow

#: The state that counts groups of steps.
COUNT = "stream.count"


class Memory:
    """The states of a step graph. All are zeros before the first chunk."""

    def __init__(self, graph: Graph, clock: Clock):
        self.graph, self.clock = graph, clock
        self._names: set[str] = set()
        self._count: Value | None = None
        self._first: Value | None = None

    @property
    def count(self) -> Value:
        """The number of groups of steps before this chunk, int64 []."""
        if self._count is None:
            self._count = self.graph.input(COUNT, TensorType("int64", ()), "state")
        return self._count

    def finish(self) -> None:
        """Counts the steps of this chunk, if anything asked for their number."""
        if self._count is None:
            return
        groups = exact_div(self.clock.steps, self.clock.group)
        assert groups is not None
        self.graph.layer = ""
        more = self.graph.apply("dim_value", attrs=DimValueAttributes(groups, "int64"))
        self.graph.set_output(COUNT, self.graph.apply("add", self._count, more))

    def state(self, what: str, type: TensorType) -> tuple[str, Value]:
        """A new state, named after the layer: (its name, its contents before this chunk)."""
        base = f"stream.{self.graph.layer}.{what}" if self.graph.layer else f"stream.{what}"
        name, number = base, 2
        while name in self._names:
            name, number = f"{base}.{number}", number + 1
        self._names.add(name)
        return name, self.graph.input(name, type, "state")

    def at_first(self, initial: Value, later: Value) -> Value:
        """``initial`` in the first chunk, and ``later``, of the same type, in all others."""
        graph = self.graph
        if self._first is None:
            zero = splat(graph, 0, TensorType("int64", ()))
            self._first = graph.apply("eq", self.count, zero)
        type = graph.type(later)
        first = graph.apply("broadcast", self._first, attrs=BroadcastAttributes(type.shape, ()))
        return graph.apply("select", first, initial, later)

    def frames(self, flow: Flow, before: int, cut: int) -> Value:
        """The frames of a chunk behind the last ``before`` of the chunks so far, without its own last ``cut``.
        Of a negative number ``before``, so many are left out at the start.
        """
        graph, axis = self.graph, flow.axis
        value, type = flow.value, graph.type(flow.value)
        new = type.shape[axis]
        if before > 0:
            kept = type.with_shape((*type.shape[:axis], before, *type.shape[axis + 1 :]))
            name, state = self.state("frames", kept)
            if flow.delay < 0:
                if flow.fill is None:
                    raise CannotStream("reads padding that was changed on the way")
                if flow.fill:
                    state = self.at_first(splat(graph, flow.fill, kept), state)
            value = graph.apply("concat", state, value, attrs=ConcatAttributes(axis))
            shape = graph.type(value).shape
            last = graph.apply("slice", value, attrs=SliceAttributes.along(shape, axis, new, shape[axis]))
            graph.set_output(name, last)
        shape, start = graph.type(value).shape, max(0, -before)
        if not start and not cut:
            return value
        return graph.apply("slice", value, attrs=SliceAttributes.along(shape, axis, start, shape[axis] - cut))

    def positions(self, flow: Flow, type: TensorType) -> Value:
        """The numbers of a chunk's frames in the sequence, along the flow's axis of ``type``: negative for those that
        are no part of it."""
        graph, scalar = self.graph, TensorType("int64", ())
        start = graph.apply("mul", self.count, splat(graph, flow.rate, scalar))
        start = graph.apply("sub", start, splat(graph, flow.delay, scalar))
        if type.dtype != "int64":
            start = graph.apply("cast", start, attrs=CastAttributes(type.dtype))
        starts = graph.apply("broadcast", start, attrs=BroadcastAttributes(type.shape, ()))
        return graph.apply(
            "add", starts, graph.apply("iota", attrs=IotaAttributes(type.dtype, type.shape, flow.axis))
        )

    def counting(self, flow: Flow, type: TensorType, axis: int) -> Value:
        """Whether frames are part of the sequence: true from frame 0 on, bool of the shape of ``type``."""
        graph = self.graph
        frames = TensorType("int64", (self.clock.frames(flow.rate),))
        known = graph.apply("ge", self.positions(replace(flow, axis=0), frames), splat(graph, 0, frames))
        if type.rank == 1:
            return known
        return graph.apply("broadcast", known, attrs=BroadcastAttributes(type.shape, (axis,)))

    def only_frames(self, flow: Flow, fill: float | int | bool) -> Flow:
        """The same frames, with ``fill`` in place of those that are no part of the sequence."""
        if flow.delay <= 0:
            return flow
        graph, type = self.graph, self.graph.type(flow.value)
        counts = self.counting(flow, type, flow.axis)
        return replace(flow, value=graph.apply("select", counts, flow.value, splat(graph, fill, type)))
