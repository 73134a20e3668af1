"""Splits a network that writes sequences into two entries: one that reads what there is, and one for a further step.

``begin`` is the network itself, on all tokens so far; besides its scores it gives the last states of the recurrences
over the tokens, and everything that a step reads and that does not depend on tokens, such as what an encoder made of
its input. ``step`` takes these and one token, and gives its scores and the next states. So the encoder runs once, and
a further token costs one step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from netwright.specs.dims import DimLike

from ...graph.analysis import ancestors, dependents
from ...graph.graph import Graph
from ...graph.node import InputAttributes, Value
from ...graph.substitution import with_sizes
from ...graph.types import TensorType
from ...ops.scans.scan_attributes import ScanAttributes
from .steps import NotStepwise, follow_steps

#: The entries, and how the names begin of what passes from one call to the next: states before and after a step, and
#: what stays the same.
BEGIN, STEP = "begin", "step"
STATE, NEXT, KEPT, MADE = "state.", "next.", "kept.", "made."
#: The token that a step takes, and the scores that it gives.
TOKEN, SCORES = "step.token", "step.scores"
#: Roles of graph inputs that hold no sample's data.
_WEIGHTS = ("parameter", "statistic", "constant")


@dataclass(frozen=True)
class Split:
    """Both graphs. What both give is called `next.0`, `next.1`, …, and ``step`` takes it as `state.0`, …. What all
    steps read is called `made.0`, … where ``begin`` gives it, and `kept.0`, … where ``step`` takes it.

    ``rows`` says for each of these names which axis counts the samples; None if it is the same for all samples.
    """

    begin: Graph
    step: Graph
    rows: Mapping[str, int | None]


def needed_part(graph: Graph, outputs: Sequence[str]) -> Graph:
    """The part of a graph that these outputs need, with the inputs that they read."""
    needed = ancestors(graph, [graph.outputs[name] for name in outputs])
    new = Graph(graph.name)
    moved: dict[Value, Value] = {}
    for node in graph:
        if not any(value in needed for value in node.values):
            continue
        if isinstance(node.attrs, InputAttributes):
            moved[node.values[0]] = new.input(node.attrs.name, node.attrs.type, node.attrs.role)
            continue
        new.layer = node.layer
        copy = new.add(node.op, [moved[value] for value in graph.operands(node)], node.attrs)
        moved.update(zip(node.values, copy.values, strict=True))
    new.layer = ""
    for name in outputs:
        new.set_output(name, moved[graph.outputs[name]])
    return new


def split_steps(graph: Graph, input: str, output: str) -> Split:
    """The two entries of a graph that gives the scores ``output`` `[N, T, V]` of what follows the tokens ``input``
    `[N, T]`. Raises NotStepwise if a step can't be computed by itself.
    """
    graph = needed_part(graph, [output])
    graph.name = BEGIN
    steps = follow_steps(graph, input, output)
    given = [value for value in graph.inputs.values() if _role(graph, value) not in _WEIGHTS]
    varying = dependents(graph, given)
    time = graph.type(graph.inputs[input]).shape[1]
    step = Graph(STEP)
    moved: dict[Value, Value] = {}
    kept: list[Value] = []
    carried: list[Value] = []

    def brought(value: Value) -> Value:
        """A value from outside the steps: computed again of weights, or given."""
        if value in moved:
            return moved[value]
        node = graph.producer(value)
        if value in varying:
            moved[value] = step.input(f"{KEPT}{len(kept)}", graph.type(value))
            kept.append(value)
        elif isinstance(node.attrs, InputAttributes):
            moved[value] = step.input(node.attrs.name, node.attrs.type, node.attrs.role)
        else:
            operands = [brought(operand) for operand in graph.operands(node)]
            moved.update(zip(node.values, step.add(node.op, operands, node.attrs).values, strict=True))
        return moved[value]

    for node in graph:
        if not any(value in steps.axes for value in node.values):
            continue
        step.layer = node.layer
        if isinstance(node.attrs, InputAttributes):
            moved[node.values[0]] = step.input(TOKEN, node.attrs.type)
            continue
        operands = graph.operands(node)
        first = last = 0
        if isinstance(node.attrs, ScanAttributes):
            first, last = node.attrs.n_consts, node.attrs.n_consts + node.attrs.n_carries
        given = [
            step.input(f"{STATE}{len(carried) + at - first}", graph.type(value))
            if first <= at < last
            else brought(value)
            for at, value in enumerate(operands)
        ]
        copy = step.add(node.op, given, node.attrs)
        moved.update(zip(node.values, copy.values, strict=True))
        for value, own in zip(node.values[: last - first], copy.values, strict=False):
            step.set_output(f"{NEXT}{len(carried)}", own)
            graph.set_output(f"{NEXT}{len(carried)}", value)
            carried.append(value)
    step.layer = ""
    step.set_output(SCORES, moved[graph.outputs[output]])
    for number, value in enumerate(kept):
        graph.set_output(f"{MADE}{number}", value)
    samples = graph.type(graph.inputs[input]).shape[0]
    rows = {
        name: _row_axis(step.type(value), samples)
        for name, value in step.inputs.items()
        if name.startswith((STATE, KEPT))
    }
    if any(name.startswith(STATE) and axis is None for name, axis in rows.items()):
        raise NotStepwise("a state is not kept for each sample")
    rows |= {name.replace(STATE, NEXT, 1).replace(KEPT, MADE, 1): axis for name, axis in rows.items()}
    return Split(graph, with_sizes(step, {str(time): 1}), rows)


def _row_axis(type: TensorType, samples: DimLike) -> int | None:
    """The axis that counts the samples. Raises NotStepwise if it can't be told."""
    axes = [axis for axis, size in enumerate(type.shape) if size == samples]
    if len(axes) > 1 and axes[0] != 0:
        raise NotStepwise("samples can't be told apart from another axis of the same size")
    return axes[0] if axes else None


def _role(graph: Graph, value: Value) -> str:
    attrs = graph.producer(value).attrs
    assert isinstance(attrs, InputAttributes)
    return attrs.role
