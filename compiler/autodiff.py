"""Reverse-mode differentiation: appends to a graph the nodes that compute gradients.

Each primitive has a rule that turns cotangents of its results into cotangents of its operands; this module
walks the graph backwards and calls them. An operation that needs a tape (``scan``) is first replaced by its
taped form, so gradients are taken in a copy of the graph: forward nodes, then backward ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .graph.analysis import ancestors, dependents
from .graph.graph import Graph
from .graph.node import Node, Value
from .graph.rules import ShapeError
from .graph.types import FLOATS
from .ops.base import primitive
from .ops.constant import splat, zeros_like
from .ops.contexts import Intercept, Intercepted, Joint


def gradients(graph: Graph, loss: str, wrt: Sequence[str]) -> tuple[Graph, dict[str, Value]]:
    """A copy of ``graph`` with the gradients of its scalar output ``loss`` appended.

    Returns the new graph, whose outputs are those of ``graph``, and for each input named in ``wrt`` the value of its
    gradient there (zeros where the loss does not depend on it). Raises ShapeError if the loss is not a float scalar
    and NotDifferentiable where an operation on the way has no gradient.
    """
    type = graph.type(graph.outputs[loss])
    if type.shape != () or type.dtype not in FLOATS:
        raise ShapeError(f"the gradient of {loss!r}, which is {type} and not a float scalar")
    taped = _tape(graph, [graph.inputs[name] for name in wrt], [graph.outputs[loss]])
    graph = taped.graph
    parameters = [graph.inputs[name] for name in wrt]
    seeds = [(graph.outputs[loss], splat(graph, 1, type))]
    cotangents = backpropagate(graph, seeds, parameters, memos=taped.memos)
    graph.layer = ""
    return graph, {
        name: zeros_like(graph, value) if gradient is None else gradient
        for name, value, gradient in zip(wrt, parameters, cotangents, strict=True)
    }


def backpropagate(
    graph: Graph,
    seeds: Iterable[tuple[Value, Value]],
    wrt: Sequence[Value],
    *,
    first: int = 0,
    memos: Mapping[int, Any] | None = None,
    intercept: Intercept | None = None,
    intercepted: list[Intercepted] | None = None,
) -> list[Value | None]:
    """Appends the cotangents of ``wrt`` to ``graph``, from ``seeds``: pairs of a value and its cotangent.

    Walks only nodes from ``first`` on. Where ``intercept(graph, node, position)`` holds, the operand's contribution
    is added to the list ``intercepted`` instead of its cotangent. The result has None for a value without a
    cotangent.
    """
    context = _GradientContext(graph, memos or {})
    active = dependents(graph, wrt, first, floats_only=True)
    cotangents: dict[Value, Value] = {}

    def accumulate(value: Value, cotangent: Value) -> None:
        known = cotangents.get(value)
        cotangents[value] = cotangent if known is None else graph.apply("add", known, cotangent)

    last = len(graph)
    for value, seed in seeds:
        accumulate(value, seed)
    for id in reversed(range(first, last)):
        node = graph.node(id)
        own = [cotangents.get(value) if value in active else None for value in node.values]
        operands = graph.operands(node)
        if node.op == "input" or all(c is None for c in own) or not any(v in active for v in operands):
            continue
        graph.layer = node.layer
        contributions = primitive(node.op).gradient(context, node, own)
        for position, (operand, contribution) in enumerate(zip(operands, contributions, strict=True)):
            if contribution is None or operand not in active:
                continue
            if intercept is not None and intercepted is not None and intercept(graph, node, position):
                (cotangent,) = (c for c in own if c is not None)
                intercepted.append(Intercepted(node, position, cotangent, contribution))
            else:
                accumulate(operand, contribution)
    return [cotangents.get(value) for value in wrt]


@dataclass(frozen=True, slots=True)
class _GradientContext:
    graph: Graph
    memos: Mapping[int, Any]

    def memo(self, node: Node) -> Any:
        return self.memos[node.id]

    def backpropagate(
        self, seeds: Sequence[tuple[Value, Value]], wrt: Sequence[Value], first: int
    ) -> list[Value | None]:
        return backpropagate(self.graph, seeds, wrt, first=first, memos=self.memos)


@dataclass(frozen=True, slots=True)
class _Taped:
    """A copy of ``graph`` whose operations have their taped forms, and their memos by node id."""

    graph: Graph
    moved: Mapping[Value, Value]
    memos: dict[int, Any] = field(default_factory=dict)


def _tape(graph: Graph, wrt: Sequence[Value], results: Sequence[Value]) -> _Taped:
    active = dependents(graph, wrt, floats_only=True)
    wanted = ancestors(graph, results) & active
    memos: dict[int, Any] = {}

    def rule(new: Graph, node: Node, operands: tuple[Value, ...]) -> Sequence[Value] | None:
        needs = [value in active for value in graph.operands(node)]
        has = [value in wanted for value in node.values]
        if node.op == "input" or not any(needs) or not any(has):
            return None
        form = primitive(node.op).taped(_TapingContext(), node, needs, has)
        if form is None:
            return None
        attrs, memo = form
        copy = new.add(node.op, operands, attrs, layer=node.layer)
        memos[copy.id] = memo
        return copy.values[: len(node.types)]

    new, moved = graph.rewrite_with_values(rule)
    return _Taped(graph.copy() if new is graph else new, moved, memos)


class _TapingContext:
    def differentiate(
        self, body: Graph, active: Sequence[bool], seeded: Sequence[bool], intercept: Intercept
    ) -> Joint:
        wrt = [value for value, flag in zip(body.inputs.values(), active, strict=True) if flag]
        results = [value for value, flag in zip(body.outputs.values(), seeded, strict=True) if flag]
        taped = _tape(body, wrt, results)
        graph, first = taped.graph, len(taped.graph)
        inputs, outputs = list(graph.inputs.values()), list(graph.outputs.values())
        seeds = [
            graph.input(f"cotangent{i}", graph.type(value)) if flag else None
            for i, (value, flag) in enumerate(zip(outputs, seeded, strict=True))
        ]
        intercepted: list[Intercepted] = []
        active_cotangents = iter(
            backpropagate(
                graph,
                [(value, seed) for value, seed in zip(outputs, seeds, strict=True) if seed is not None],
                [value for value, flag in zip(inputs, active, strict=True) if flag],
                memos=taped.memos,
                intercept=intercept,
                intercepted=intercepted,
            )
        )
        cotangents = [next(active_cotangents) if flag else None for flag in active]
        return Joint(graph, inputs, outputs, seeds, cotangents, intercepted, first)
