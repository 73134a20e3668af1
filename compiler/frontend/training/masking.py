"""Clears the steps that a loss ignores, where nothing else depends on them, so that they may even hold NaN.

A masked step has a cotangent of zero, and zero times NaN is NaN. So its values are cleared where they are made,
forward and backward: in every input and layer whose value only reaches the loss, and only step by step. The
primitives' index maps tell which these are, from the loss backwards.
"""

from __future__ import annotations

from dataclasses import dataclass

from netwright.specs.checks.wiring import Ref
from netwright.specs.dims import dim, product

from ...graph.analysis import ancestors
from ...graph.graph import Graph
from ...graph.node import Node, Value
from ...graph.types import TensorType
from ...ops.base import primitive
from ...ops.protocols import Contraction, Elementwise, NotAffine, View
from ..expander import Expander
from .objective import Objective


@dataclass(frozen=True, slots=True)
class MaskedSteps:
    """The signals to clear, and the type of the mask."""

    refs: frozenset[Ref]
    type: TensorType


def masked_steps(expander: Expander, objective: Objective) -> MaskedSteps | None:
    """The signals that can be cleared in an expanded network in training mode; None if its loss has no mask."""
    loss = objective.train.loss
    ref = expander.load.wiring.outputs[loss.output]
    if loss.mask is None:
        return None
    results = [*objective.build().values(), *expander.updates.values()]
    graph, end = expander.graph, expander.signals[ref].tensor.value
    alone = _alone(graph, end, ancestors(graph, [result.value for result in results]))
    given = expander.signals.get(Ref(loss.mask))
    type = given.tensor.type if given else objective.targets[loss.mask]
    refs = {
        ref
        for ref, signal in expander.signals.items()
        if signal.tensor.value in alone and signal.shape[:2] == type.shape
    }
    return MaskedSteps(frozenset(refs - {Ref(loss.mask)}), type)


def _alone(graph: Graph, end: Value, needed: set[Value]) -> set[Value]:
    """The values `[N, T, …]` that only ``end`` depends on, and only step by step."""
    users: dict[Value, list[tuple[Node, int]]] = {}
    for node in graph:
        if any(value in needed for value in node.values):
            for position, value in enumerate(graph.operands(node)):
                users.setdefault(value, []).append((node, position))
    axes = {end: 2}
    """How many leading axes are the steps: two, or one `[N·T, …]`."""
    for node in reversed(list(graph)):
        for value in node.values:
            if value == end or value not in users:
                continue
            leading = {
                _leading(graph, user, position, axes.get(user.values[0])) for user, position in users[value]
            }
            if len(leading) == 1 and (count := leading.pop()) is not None:
                axes[value] = count
    return {value for value, count in axes.items() if count == 2}


def _leading(graph: Graph, node: Node, position: int, after: int | None) -> int | None:
    """How many leading axes of an operand are the steps, if the first ``after`` axes of the result are. None unless
    the result at each step depends on the operand at that step only."""
    if after is None or len(node.values) != 1:
        return None
    types = [graph.type(value) for value in graph.operands(node)]
    own, result, op = types[position].shape, node.types[0].shape, primitive(node.op)
    if node.op == "reshape":
        rows = product(result[:after])
        return next(
            (count for count in (after, 3 - after) if len(own) >= count and product(own[:count]) == rows),
            None,
        )
    if own[:after] != result[:after] or len(own) < after:
        return None
    if isinstance(op, Elementwise):
        return after
    if node.op == "gather":
        return after if position == 1 else None
    index = [dim(f"at{axis}") for axis in range(len(result))]
    if isinstance(op, View):
        try:
            places = [s.index for s in op.read(node.attrs, types, index) if s.operand == position]
        except NotAffine:
            return None
    elif isinstance(op, Contraction):
        over = [dim(f"over{axis}") for axis, _ in enumerate(op.reduction_shape(node.attrs, types))]
        places = [at for i, at in op.factors(node.attrs, types, index, over) if i == position]
    else:
        return None
    return after if all(list(at[:after]) == index[:after] for at in places) else None
