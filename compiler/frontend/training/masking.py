"""Clears the steps that losses ignore, where nothing else depends on them, so that they may even hold NaN.

A masked step has a cotangent of zero, and zero times NaN is NaN. So its values are cleared where they are made,
forward and backward: in every input and layer whose value only reaches the loss, and only step by step. The
primitives' index maps tell which these are, from the loss backwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from netwright.specs.checks.wiring import Ref
from netwright.specs.dims import dim, product
from netwright.specs.equations.expressions import Name, walk
from netwright.specs.load import LoadResult
from netwright.specs.models.losses import Comparison
from netwright.specs.models.train import TrainSpec

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
    """The signals to clear, each by the name of its mask, and the types of the masks."""

    refs: Mapping[Ref, str]
    types: Mapping[str, TensorType]


def masked_steps(expander: Expander, objective: Objective) -> MaskedSteps | None:
    """The signals that can be cleared in an expanded network in training mode; None if no loss has a mask."""
    masks = _masks(objective.train, expander.load)
    if not any(loss.mask for loss in objective.train.losses):
        return None
    graph = expander.graph
    network = len(graph)
    results = [*objective.build().values(), *expander.updates.values()]
    needed = ancestors(graph, [result.value for result in results])
    refs: dict[Ref, str] = {}
    types: dict[str, TensorType] = {}
    for mask in dict.fromkeys(masks.values()):
        type = objective.targets.known(mask)
        if type is None:
            continue
        types[mask] = type
        ends = {
            expander.signals[expander.load.wiring.outputs[output]].tensor.value
            for output, own in masks.items()
            if own == mask
        }
        alone = _alone(graph, ends, needed, network)
        for ref, signal in expander.signals.items():
            if (
                signal.tensor.value in alone
                and signal.shape[:2] == type.shape
                and ref.name not in masks.values()
            ):
                refs[ref] = mask
    return MaskedSteps(refs, types)


def _masks(train: TrainSpec, load: LoadResult) -> dict[str, str]:
    """The masks of the outputs that all losses and metrics read through one and the same."""
    read: dict[str, set[str | None]] = {}
    for position, loss in enumerate(train.losses):
        equation = load.loss_expressions.get(position)
        names = [part.id for part in walk(equation) if isinstance(part, Name)] if equation else []
        for name in [loss.output] if isinstance(loss, Comparison) else names:
            read.setdefault(name, set()).add(loss.mask)
    for metric in train.metrics:
        base = train.compared(metric.output)
        output = metric.output or (base.output if base else "")
        read.setdefault(output, set()).add((base or train.losses[0]).mask)
    common: dict[str, str] = {}
    for output, masks in read.items():
        (mask, *others) = masks
        if mask is not None and not others and output in load.wiring.outputs:
            common[output] = mask
    return common


def _alone(graph: Graph, ends: set[Value], needed: set[Value], network: int) -> set[Value]:
    """The values `[N, T, …]` among the first ``network`` nodes that only ``ends`` depend on, and only step by step.
    What follows these nodes are the losses, which do not read the steps of ``ends`` that are to be cleared."""
    users: dict[Value, list[tuple[Node, int]]] = {}
    compared: set[Value] = set()
    for node in graph:
        if any(value in needed for value in node.values):
            for position, value in enumerate(graph.operands(node)):
                if node.values[0].node < network:
                    users.setdefault(value, []).append((node, position))
                else:
                    compared.add(value)
    axes: dict[Value, int] = {}
    """How many leading axes are the steps: two, or one `[N·T, …]`."""
    for index in reversed(range(network)):
        for value in graph.node(index).values:
            leading = {
                _leading(graph, user, position, axes.get(user.values[0]))
                for user, position in users.get(value, ())
            }
            leading |= {2} if value in ends else {None} if value in compared else set()
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
