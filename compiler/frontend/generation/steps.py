"""Follows the axis of steps of one input through a graph, and finds out whether every step is computed by itself.

A network that writes a sequence can be run step by step if a step's scores depend on earlier steps through the states
of recurrences alone. Each primitive says which elements an element of its result is made from (``ops/protocols.py``),
so this module knows no layers: along the axis of steps, an operation has to read its operands at the very step of its
result. A recurrence over the steps may read its own states.

A value that depends neither on the input nor on its number of steps is *outside*: it is computed once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from netwright.specs.dims import Dim, DimLike, dim, dim_symbols, product

from ...graph.analysis import ancestors, open_sizes
from ...graph.graph import Graph
from ...graph.node import Node, Value
from ...graph.types import TensorType
from ...ops.base import primitive
from ...ops.protocols import Contraction, Elementwise, Generator, NotAffine, View
from ...ops.scans.scan_attributes import ScanAttributes
from ...ops.values.constant import IotaAttributes
from ...ops.values.reduce import ArgmaxAttributes
from ...ops.views.layout import ReshapeAttributes

#: Variables for the index of a result and for the axes summed over; no dim's name contains a blank.
_RESULT, _SUMMED = "result ", "summed "


class NotStepwise(ValueError):
    """A network that can't be run step by step; the message says which layer prevents it, and why."""


@dataclass(frozen=True)
class Steps:
    """``axes``: for each value that depends on the steps its axis of steps. ``scans``: the recurrences over them, in
    the graph's order.
    """

    axes: Mapping[Value, int]
    scans: tuple[Node, ...]


def follow_steps(graph: Graph, input: str, output: str) -> Steps:
    """The axis of steps of every value between an ``input`` `[N, T]` and an ``output`` `[N, T, …]`. Raises
    NotStepwise.
    """
    value = graph.inputs[input]
    time = graph.type(value).shape[1]
    if not isinstance(time, Dim) or time != dim(time.text):
        raise NotStepwise(f"the number of steps of {input} is {time}: it has to be an open dim of its own")
    walk = _Walk(graph, time, value)
    needed = ancestors(graph, [graph.outputs[output]])
    for node in graph:
        if any(result in needed for result in node.values):
            walk.node(node, needed)
    if walk.axes.get(graph.outputs[output]) != 1:
        raise NotStepwise(f"the output {output} does not have the steps of {input} as its second axis")
    return Steps(walk.axes, tuple(walk.scans))


class _Walk:
    def __init__(self, graph: Graph, time: Dim, begun: Value):
        self.graph, self.time, self.begun = graph, time, begun
        self.axes: dict[Value, int] = {}
        self.scans: list[Node] = []

    def node(self, node: Node, needed: set[Value]) -> None:
        """Takes a node into account. Raises NotStepwise."""
        if node.op == "input":
            self._input(node)
            return
        operands = self.graph.operands(node)
        if not any(value in self.axes for value in operands) and not open_sizes(node) & self.time.symbols:
            return
        try:
            axes = self._axes(node, operands, needed)
        except NotAffine:
            raise self._refusal(node, "it puts steps elsewhere") from None
        for value, axis in zip(node.values, axes, strict=True):
            if axis is None:
                continue
            shape = self.graph.type(value).shape
            if shape[axis] != self.time or any(
                dim_symbols(size) & self.time.symbols for at, size in enumerate(shape) if at != axis
            ):
                raise self._refusal(node, "it compares steps with each other")
            self.axes[value] = axis

    def _input(self, node: Node) -> None:
        (value,) = node.values
        shape = self.graph.type(value).shape
        if value == self.begun:
            self.axes[value] = 1
        elif any(dim_symbols(size) & self.time.symbols for size in shape):
            name = next(name for name, own in self.graph.inputs.items() if own == value)
            raise NotStepwise(f"the input {name} has the same steps")

    def _axes(self, node: Node, operands: Sequence[Value], needed: set[Value]) -> Sequence[int | None]:
        """The axis of steps of each result; None for a result that nobody reads."""
        types = [self.graph.type(value) for value in operands]
        op = primitive(node.op)
        if isinstance(node.attrs, ScanAttributes):
            return self._scan(node, node.attrs, operands, needed)
        if isinstance(node.attrs, ReshapeAttributes):
            return [self._reshaped(node, types[0], operands)]
        if isinstance(op, Elementwise) or node.op == "within":
            return [self._agreed(node, [self.axes[value] for value in operands if value in self.axes])]
        if isinstance(op, Generator):
            return [self._generated(node)]
        if isinstance(op, View | Contraction):
            return [self._indexed(node, op, operands, types)]
        if node.op == "gather":
            if operands[0] in self.axes:
                raise self._refusal(node, "it picks steps by their position")
            return [self.axes[operands[1]]]
        if isinstance(node.attrs, ArgmaxAttributes):
            axis = self.axes[operands[0]]
            if node.attrs.axis == axis:
                raise self._refusal(node, "it compares steps with each other")
            return [axis - (node.attrs.axis < axis)]
        raise self._refusal(node, f"{node.op} may read several steps")

    def _agreed(self, node: Node, axes: Sequence[int]) -> int:
        """The one axis that is meant. Raises NotStepwise if there are several."""
        if len(set(axes)) != 1:
            raise self._refusal(node, "it compares steps with each other")
        return axes[0]

    def _generated(self, node: Node) -> int:
        """The axis of what depends on its index alone: it has to be the same in every step."""
        (type,) = node.types
        axes = [axis for axis, size in enumerate(type.shape) if size == self.time]
        splat = node.op == "constant"
        if not (splat or isinstance(node.attrs, IotaAttributes)) or len(axes) != 1:
            raise self._refusal(node, "it depends on the number of steps")
        if isinstance(node.attrs, IotaAttributes) and node.attrs.axis == axes[0]:
            raise self._refusal(node, "it depends on the position of a step")
        return axes[0]

    def _indexed(
        self, node: Node, op: View | Contraction, operands: Sequence[Value], types: Sequence[TensorType]
    ) -> int:
        """The axis of an operation that says where its elements come from."""
        index = [dim(f"{_RESULT}{axis}") for axis in range(node.types[0].rank)]
        reads: list[tuple[Value, Sequence[DimLike]]] = []
        conditions: list[DimLike] = []
        if isinstance(op, View):
            for source in op.read(node.attrs, types, index):
                conditions += source.conditions
                if source.operand is not None:
                    reads.append((operands[source.operand], source.index))
        else:
            sizes = op.reduction_shape(node.attrs, types)
            summed = [dim(f"{_SUMMED}{position}") for position in range(len(sizes))]
            reads = [(operands[at], place) for at, place in op.factors(node.attrs, types, index, summed)]
        axes = [
            next((axis for axis, own in enumerate(index) if own == place[self.axes[value]]), None)
            for value, place in reads
            if value in self.axes
        ]
        if None in axes:
            raise self._refusal(node, "it reads other steps")
        if not axes:  # repeated along the steps
            axes = [axis for axis, size in enumerate(node.types[0].shape) if size == self.time]
        axis = self._agreed(node, [axis for axis in axes if axis is not None])
        others = [
            size for value, place in reads for at, size in enumerate(place) if at != self.axes.get(value)
        ]
        if any(index[axis].text in dim_symbols(size) for size in (*others, *conditions)):
            raise self._refusal(node, "it depends on the position of a step")
        return axis

    def _reshaped(self, node: Node, type: TensorType, operands: Sequence[Value]) -> int:
        assert isinstance(node.attrs, ReshapeAttributes)
        axis, shape = self.axes[operands[0]], node.attrs.shape
        before = product(type.shape[:axis])
        for at, size in enumerate(shape):
            if size == self.time and product(shape[:at]) == before:
                return at
        raise self._refusal(node, "it joins steps with another axis")

    def _scan(
        self, node: Node, attrs: ScanAttributes, operands: Sequence[Value], needed: set[Value]
    ) -> Sequence[int | None]:
        """A recurrence over the steps, from the first to the last, whose states nothing else reads."""
        first = attrs.n_consts + attrs.n_carries
        if attrs.length != self.time or any(
            self.axes.get(value) != 0 for value in operands[first:] if value in self.axes
        ):
            raise self._refusal(node, "it is a loop over something else than the steps")
        if any(value in self.axes for value in operands[:first]):
            raise self._refusal(node, "it begins with something that depends on the steps")
        if not all(value in self.axes for value in operands[first:]):
            raise self._refusal(node, "it reads another sequence along the steps")
        if attrs.reverse:
            raise self._refusal(node, "it runs from the last step to the first")
        if any(self.time.symbols & open_sizes(inner) for inner in attrs.body):
            raise self._refusal(node, "it depends on the number of steps")
        if any(value in needed for value in node.values[: attrs.n_carries]):
            raise self._refusal(node, "its last state is read")
        self.scans.append(node)
        return [None] * attrs.n_carries + [0] * (len(node.values) - attrs.n_carries)

    def _refusal(self, node: Node, reason: str) -> NotStepwise:
        layer = f"the layer {node.layer}" if node.layer else f"an operation ({node.op})"
        return NotStepwise(f"{layer} can't be computed for one step: {reason}")
