"""Recurrences over the steps: their states go on from chunk to chunk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..graph.graph import Graph
from ..graph.node import Node, Value
from ..graph.types import TensorType
from ..ops.base import BroadcastAttributes
from ..ops.scans.scan_attributes import ScanAttributes
from ..ops.values.constant import ConstantAttributes
from .memory import Memory
from .values import CannotStream, Clock, Flow, Item, Latest, Still, Uniform


def loop(graph: Graph, memory: Memory, node: Node, items: Sequence[Item]) -> list[Item]:
    """A scan over the steps of a chunk. Its results are the states so far, and sequences. Raises CannotStream."""
    attrs, clock = node.attrs, memory.clock
    assert isinstance(attrs, ScanAttributes)
    if attrs.reverse:
        raise CannotStream("runs from the last step to the first")
    first_x = attrs.n_consts + attrs.n_carries
    course = clock.course(attrs.length)
    if course is None:
        raise CannotStream(f"runs {attrs.length} steps, which are not so many per step")
    if any(isinstance(item, Flow | Uniform) for item in items[:first_x]) or _mentions_time(clock, attrs.body):
        raise CannotStream("runs a loop over something else than the steps")
    like = Flow(Value(-1), 0, *course)
    frames = clock.frames(like.rate)
    xs = [
        _sequence(graph, clock, item, like, type)
        for item, type in zip(items[first_x:], _types(attrs), strict=True)
    ]
    operands = [item.value for item in items[: attrs.n_consts] if isinstance(item, Still)]
    if len(operands) != attrs.n_consts:
        raise CannotStream("gives every step something that is known after the last one")
    names = list(attrs.body.outputs)
    states: list[tuple[str, Value]] = []
    for position, item in enumerate(items[attrs.n_consts : first_x]):
        if not isinstance(item, Still):
            raise CannotStream("begins with the last state of another loop over the steps")
        name, state = memory.state(names[position], graph.type(item.value))
        states.append((name, _begun(graph, memory, item.value, state)))
    body = attrs.body
    if like.delay > 0 and states:
        counts = memory.counting(like, TensorType("bool", (frames,)), 0)
        body, xs = _guarded(attrs), [*xs, counts]
    elif like.delay < 0:
        raise CannotStream("begins before the first step")
    local = replace(attrs, body=body, length=frames)
    results = graph.add("scan", [*operands, *(state for _, state in states), *xs], local).values
    for (name, _), value in zip(states, results, strict=False):
        graph.set_output(name, value)
    sequences = [replace(like, value=value) for value in results[attrs.n_carries :]]
    return [*(Latest(value) for value in results[: attrs.n_carries]), *sequences]


def _types(attrs: ScanAttributes) -> list[TensorType]:
    """The types of the sequences' steps."""
    inputs = [attrs.body.type(value) for value in attrs.body.inputs.values()]
    return inputs[attrs.n_consts + attrs.n_carries :]


def _sequence(graph: Graph, clock: Clock, item: Item, like: Flow, step: TensorType) -> Value:
    if isinstance(item, Uniform):
        return item.make((clock.frames(like.rate), *step.shape))
    if not isinstance(item, Flow):
        raise CannotStream("runs a loop over something else than the steps")
    item = item.single()
    if (item.axis, item.rate, item.delay) != (0, like.rate, like.delay) or not item.alone:
        raise CannotStream("reads its inputs at different steps")
    return item.value


def _begun(graph: Graph, memory: Memory, initial: Value, state: Value) -> Value:
    """The state from the chunk before, or ``initial`` in the first one."""
    attrs = graph.producer(initial).attrs
    if isinstance(attrs, ConstantAttributes) and attrs.scalar == 0:
        return state
    return memory.at_first(initial, state)


def _guarded(attrs: ScanAttributes) -> Graph:
    """The body with one more sequence, which tells whether a step counts: in others the states stay as they are."""
    body = attrs.body.copy()
    counts = body.input("counts", TensorType("bool", ()), "body")
    before = list(body.inputs.values())[attrs.n_consts : attrs.n_consts + attrs.n_carries]
    for name, state in zip(list(body.outputs)[: attrs.n_carries], before, strict=True):
        type = body.type(state)
        here = (
            body.apply("broadcast", counts, attrs=BroadcastAttributes(type.shape, ()))
            if type.rank
            else counts
        )
        body.set_output(name, body.apply("select", here, body.outputs[name], state))
    return body


def _mentions_time(clock: Clock, body: Graph) -> bool:
    return any(clock.mentions(type.shape) for node in body for type in node.types) or any(
        clock.mentions(value) for node in body for value in node.attrs.fields().values()
    )
