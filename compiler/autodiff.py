"""Reverse-mode differentiation: appends to a graph the nodes that compute gradients.

Each primitive has a rule that turns cotangents of its results into cotangents of its operands; this module
walks the graph backwards and calls them. An operation that needs a tape (``scan``) is first replaced by its
taped form, so gradients are taken in a copy of the graph: forward nodes, then backward ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

from .graph.analysis import ancestors, dependents
from .graph.graph import Graph
from .graph.node import Node, Value
from .graph.rules import ShapeError
from .graph.types import FLOATS
from .ops.base import primitive
from .ops.contexts import Continued, Intercept, Intercepted, Joint
from .ops.values.constant import splat, zeros_like


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
    continued: Mapping[tuple[int, int], Continued] | None = None,
) -> list[Value | None]:
    """Appends the cotangents of ``wrt`` to ``graph``, from ``seeds``: pairs of a value and its cotangent.

    Walks only nodes from ``first`` on. Where ``intercept(graph, node, position)`` holds, the operand's contribution
    is added to the list ``intercepted`` instead of its cotangent. ``continued`` has the sums that go on from a start,
    by the id of a node and the position of its operand. The result has None for a value without a cotangent.
    """
    context = _GradientContext(graph, memos or {}, dict(continued or {}))
    chains = _Chains(context)
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
        chains.begin(node)
        contributions = chains.end(node, primitive(node.op).gradient(context, node, own))
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
    continued: dict[tuple[int, int], Continued]

    def memo(self, node: Node) -> Any:
        return self.memos[node.id]

    def continuing(self, node: Node, position: int) -> Continued | None:
        return self.continued.get((node.id, position))

    def backpropagate(
        self, graph: Graph, seeds: Sequence[tuple[Value, Value]], wrt: Sequence[Value]
    ) -> list[Value | None]:
        return backpropagate(graph, seeds, wrt)


@dataclass(frozen=True, slots=True)
class _Chains:
    """Sums that go on from the gradient of one operation to that of another (see ``Primitive.goes_on_from``)."""

    context: _GradientContext
    ends: dict[int, dict[int, list[Value]]] = field(default_factory=dict)
    """By the id of an operation that is still to come, and the position of its operand: what its sums go on from."""

    def begin(self, node: Node) -> None:
        """Has the sums of ``node``'s gradient start where those before ended."""
        graph, op, continued = self.context.graph, primitive(node.op), self.context.continued
        if node.id not in self.ends and op.goes_on_from(graph, node) is None:
            return
        ends, memo = self.ends.setdefault(node.id, {}), self.context.memos.get(node.id)
        for position in range(len(graph.operands(node))):
            if number := op.separate_sums(memo, position):
                starts = ends.get(position, [None] * number)
                assert len(starts) == number, "the parts of one loop have the same sums"
                continued[node.id, position] = Continued(starts)

    def end(self, node: Node, contributions: Sequence[Value | None]) -> list[Value | None]:
        """The cotangents of the operands: without sums that go on, with the totals of those that end here."""
        graph, totals = self.context.graph, list(contributions)
        if node.id not in self.ends:
            return totals
        before = primitive(node.op).goes_on_from(graph, node)
        results = {
            position: self.context.continued[node.id, position].results
            for position in range(len(totals))
            if (node.id, position) in self.context.continued
        }
        del self.ends[node.id]
        if before is not None:
            self.ends[before.id] = results
            return totals
        for position, sums in results.items():
            totals[position] = reduce(lambda a, b: graph.apply("add", a, b), sums)
        return totals


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
        self,
        body: Graph,
        active: Sequence[bool],
        seeded: Sequence[bool],
        intercept: Intercept | None,
        continues: int = 0,
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
        continued: dict[int, Continued] = {}
        by_use: dict[tuple[int, int], Continued] = {}
        for i, value in enumerate(inputs[:continues]):
            uses = graph.uses(value)
            if active[i] and len(uses) == 1 and value not in outputs:
                ((node, position),) = uses
                sums = primitive(node.op).separate_sums(taped.memos.get(node.id), position)
                starts = [graph.input(f"total{i}.{n}", graph.type(value)) for n in range(sums)]
                if starts:
                    continued[i] = by_use[node.id, position] = Continued(starts)
        active_cotangents = iter(
            backpropagate(
                graph,
                [(value, seed) for value, seed in zip(outputs, seeds, strict=True) if seed is not None],
                [value for value, flag in zip(inputs, active, strict=True) if flag],
                memos=taped.memos,
                intercept=intercept,
                intercepted=intercepted,
                continued=by_use,
            )
        )
        cotangents = [next(active_cotangents) if flag else None for flag in active]
        return Joint(graph, inputs, outputs, seeds, cotangents, intercepted, continued, first)
