"""Loop: steps that are counted, as a recurrent layer if they walk along a sequence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from netwright.specs.dims import Dim, DimLike, dim_symbols

from ..agreement import Sizes
from ..arrange import held_of
from ..context import Context
from ..errors import OnnxError, Refusal
from ..listing import stack_of
from ..loops import Given, Iteration, Read, State, Steps, growing, run, whole
from ..operands import Held, Known, Listed, dims_array
from ..order import needed
from ..reading import Body, Node, Subgraph
from .table import op

#: A larger limit means that there is none.
_UNLIMITED = 2**31 - 1


@op("Loop", attributes="body", since=1)
def loop(ctx: Context) -> None:
    """A loop whose number of steps depends only on sizes and constants.

    If each step reads the next part of a sequence, it becomes a recurrent layer with its own cell. Any other body is
    unrolled if the number is known.
    """
    graph = ctx.attribute("body")
    if not isinstance(graph, Subgraph):
        raise Refusal("a graph is expected", "body")
    try:
        body = graph.read(ctx.node.captures)
    except OnnxError as error:
        raise Refusal(str(error), "body") from None
    states = len(ctx.node.inputs) - 2
    if len(body.inputs) != states + 2 or not states + 1 <= len(body.outputs) <= len(ctx.node.outputs) + 1:
        raise Refusal("inputs and outputs are not those of the body", "body")
    with ctx.conversion.scope(body):
        _Loop(ctx, body).convert()


class _Loop:
    def __init__(self, ctx: Context, body: Body):
        self.ctx, self.body, self.conversion = ctx, body, ctx.conversion
        self.starts = dict(
            zip(body.inputs[2:], (ctx.value(i) for i in range(2, len(ctx.node.inputs))), strict=True)
        )
        self.nodes = self._moving()
        self.steps = Steps(self.conversion, body, self.nodes, self.starts)
        self.growing = growing(self.steps, self.nodes, self.starts)
        self.names = list(body.outputs[1:])
        """What each result of the loop is made from."""
        for position, name in enumerate(body.inputs[2:]):
            if name in self.growing:
                self.names[position] = self.growing[name].part

    def _moving(self) -> list[Node]:
        """The nodes that are not the same in each step. All others are computed before the loop."""
        same = {node.outputs[0]: node.inputs[0] for node in self.body.nodes if node.op == "Identity"}
        for name, result in zip(self.body.inputs[2:], self.body.outputs[1:], strict=False):
            while result in same:
                result = same[result]
            if result == name:
                self.conversion.values[name] = self.starts[name]
        nodes = []
        for node in self.body.nodes:
            if all(not name or name in self.conversion.values for name in node.reads):
                self.conversion.visit(node)
            else:
                nodes.append(node)
        return nodes

    def convert(self) -> None:
        """The results, as a recurrence or step by step."""
        count = self.steps.count(self._limit(), self._starts())
        carried, given = self._results(count)
        if count == 0:
            return self._without_steps()
        reads, nodes = self._reads(count)
        outputs = [self.names[result.output] for result in (*carried, *given)]
        inputs = [*(self.body.inputs[state.operand] for state in carried), *reads]
        nodes = needed(nodes, outputs)
        values = self.conversion.values
        captured = {name: values[name] for node in nodes for name in node.reads if name in values}
        captured |= {name: values[name] for name in outputs if name in values}
        body = Body(tuple(inputs), tuple(outputs), tuple(nodes), {})
        run(
            self.ctx,
            Iteration(
                body, tuple(carried), tuple(reads.values()), tuple(given), captured, count, self.steps.at
            ),
        )
        for position, name in enumerate(self.body.inputs[2:]):
            parts = self.ctx.results[position]
            if name in self.growing and parts is not None:
                self.ctx.give(self.growing[name].after(self.ctx, parts), position)

    def _without_steps(self) -> None:
        """The initial states, which are the result of a loop without steps."""
        states = len(self.starts)
        if any(self.ctx.wants(position) for position in range(states, len(self.names))):
            raise Refusal("a loop without steps gives nothing to stack")
        for position, start in enumerate(self.starts.values()):
            self.ctx.give(start, position)

    def _limit(self) -> DimLike | None:
        """The limit for the number of steps."""
        if not self.ctx.has(0):
            return None
        limit = whole(self.ctx.value(0)) if isinstance(self.ctx.value(0), Known) else None
        if limit is None:
            self.ctx.array(0, "the number of steps")
        return None if isinstance(limit, int) and limit >= _UNLIMITED else limit

    def _starts(self) -> bool:
        """Whether there is a first step."""
        return (
            bool(self.ctx.array(1, "whether the loop starts").reshape(()).item()) if self.ctx.has(1) else True
        )

    def _results(self, count: DimLike) -> tuple[list[State], list[Given]]:
        """Sorts the operands and outputs into carries and scan outputs. Values that never change, and counters, are
        known at once.
        """
        ctx, carried = self.ctx, []
        given = [Given(position) for position in range(len(self.starts), len(self.names))]
        for position, name in enumerate(self.body.inputs[2:]):
            if name in self.conversion.values:
                ctx.give(self.starts[name], position)
            elif name in self.steps.counters:
                start, added, dtype = self.steps.counters[name]
                array = dims_array([start + count * added]).reshape((1,) * len(self.starts[name].shape))
                ctx.give(Known(array if array.dtype == object else array.astype(dtype), dtype), position)
            elif name in self.growing:
                given.append(Given(position))
            else:
                carried.append(State(position + 2, position))
        return carried, given

    def _reads(self, count: DimLike) -> tuple[dict[str, Read], list[Node]]:
        """The parts of sequences that steps read, by name, and the remaining nodes."""
        reads: dict[str, Read] = {}
        rest: list[Node] = []
        known = {name for node in self.steps.nodes for name in node.outputs}
        for node in self.nodes:
            if known.issuperset(node.outputs):
                continue
            read = self._read(node, count)
            if read is None:
                rest.append(node)
                continue
            part, kept = read
            name = node.outputs[0] if not kept else f"{node.outputs[0]} of the step"
            reads[name] = part
            if kept:
                rest.append(self._widened(node, name, part))
        return reads, rest

    def _read(self, node: Node, count: DimLike) -> tuple[Read, bool] | None:
        """The sequence whose next part a node reads, and whether the part keeps the axis."""
        value = self.conversion.values.get(node.inputs[0]) if node.inputs else None
        if node.op == "SequenceAt" and isinstance(value, Listed):
            return self._listed(node, value, count)
        if node.op != "Gather" or not isinstance(value, Held) or not value.rank:
            return None
        position = self.steps.position(node.inputs[1])
        if position is None:
            return None
        rank = len(self.steps.at(0)[node.inputs[1]].shape)
        axis = node.attributes.get("axis", 0)
        if not isinstance(axis, int) or not -value.rank <= axis < value.rank or rank > 1:
            return None
        axis %= value.rank
        return Read(self._walked(value, axis, *position, count), axis), rank == 1

    def _listed(self, node: Node, value: Listed, count: DimLike) -> tuple[Read, bool] | None:
        """The sequence of tensors whose next tensor a node reads."""
        position = self.steps.position(node.inputs[1])
        same = value.whole is not None or len({item.shape for item in value.items}) == 1
        if position is None or not same:
            return None
        parts = held_of(self.ctx.writer, stack_of(self.ctx, value))
        return Read(self._walked(parts, 0, *position, count), 0), False

    def _walked(self, value: Held, axis: int, start: DimLike, moved: int, count: DimLike) -> Held:
        """The parts that the steps read, in the order of the steps."""
        size = value.shape[axis]
        if moved == 1:
            if start == 0 and size == count:
                return value
            if start == 0 and isinstance(size, Dim) and not dim_symbols(size) & set(dim_symbols(count)):
                why = f"{count} steps read a sequence of {size}"
                raise Refusal(why, mismatches=[Sizes(count, size)])
            bounds = [start, start + count, axis, 1]
        else:
            past = start - count
            bounds = [start, past if past != -1 else -(2**31), axis, -1]
        operands = [Known(dims_array([bound]), "int64") for bound in bounds]
        sliced = self.conversion.operation("Slice", [value, *operands])
        assert isinstance(sliced, Held)
        return sliced

    def _widened(self, node: Node, name: str, part: Read) -> Node:
        """The part with its axis of size 1."""
        if self.ctx.opset < 13:
            return replace(node, op="Unsqueeze", inputs=(name,), attributes={"axes": (part.time,)})
        axes = f"{name}, its axis"
        self.conversion.values[axes] = Known.of(np.asarray([part.time]))
        return replace(node, op="Unsqueeze", inputs=(name, axes), attributes={})
