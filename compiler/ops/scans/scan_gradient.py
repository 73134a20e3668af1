"""Backpropagation through time, second half: the gradient of a taped scan is a scan in the opposite direction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ...graph.graph import Graph
from ...graph.node import Node, Value
from ..base import primitive
from ..contexts import GradientContext
from ..products.sums import summed_in_order
from ..protocols import Order
from ..values.constant import zeros_like
from ..views.concat import ConcatAttributes
from ..views.layout import ReshapeAttributes
from ..views.slice_pad import SliceAttributes
from .scan_attributes import ScanAttributes
from .scan_tape import Plan, Product, Stack


def gradient_of_scan(
    context: GradientContext, node: Node, cotangents: Sequence[Value | None]
) -> Sequence[Value | None]:
    """The rule of ``Primitive.gradient``, from the plan that taping made."""
    graph = context.graph
    attrs: Any = node.attrs
    operands = graph.operands(node)
    contributions: list[Value | None] = [None] * len(operands)
    plan: Plan | None = context.memo(node)
    if plan is None:
        return contributions
    builder = _Backward(context, node, attrs, plan, cotangents)
    results = builder.scan()
    first_y = len(plan.carries) + len(plan.totals)
    builder.emitted = results[first_y:]
    for i, value in zip(plan.carries, results, strict=False):
        contributions[attrs.n_consts + i] = value
    sums = list(zip(plan.totals, results[len(plan.carries) : first_y], strict=True))
    for position, stack in plan.x_cotangents:
        contributions[position] = builder.stack(stack)
    for product in plan.products:
        value = builder.product(product, builder.start(product.const))
        assert value is not None, f"{product.node.op} gives its operand a cotangent"
        sums.append((product.const, value))
    for const, value in sums:
        continued, known = context.continuing(node, const), contributions[const]
        if continued is not None:
            continued.results.append(value)
        else:
            contributions[const] = value if known is None else graph.apply("add", known, value)
    return contributions


@dataclass
class _Backward:
    """Builds the backward scan and the operations after it."""

    context: GradientContext
    node: Node
    attrs: ScanAttributes
    plan: Plan
    cotangents: Sequence[Value | None]
    emitted: Sequence[Value] = ()
    stacks: dict[Stack, Value] = field(default_factory=dict)
    started: dict[int, int] = field(default_factory=dict)  # by const: how many of its sums have their starts

    def start(self, const: int) -> Value | None:
        """Where the next sum of a const's cotangent goes on; None if it has no start."""
        continued = self.context.continuing(self.node, const)
        if continued is None:
            return None
        number = self.started.get(const, 0)
        self.started[const] = number + 1
        return continued.starts[number]

    def scan(self) -> Sequence[Value]:
        graph, attrs, plan = self.context.graph, self.attrs, self.plan
        operands = graph.operands(self.node)
        values = [
            *(operands[i] for i in plan.consts),
            *(self._cotangent(i) for i in plan.carries),
            *(self.start(i) or zeros_like(graph, operands[i]) for i in plan.totals),
            *(self.stack(stack) for stack in plan.xs),
        ]
        backward = replace(
            attrs,
            body=plan.backward,
            n_consts=len(plan.consts),
            n_carries=len(plan.carries) + len(plan.totals),
            reverse=not attrs.reverse,
            name=f"{attrs.name}.backward" if attrs.name else "",
        )
        return graph.add("scan", values, backward).values

    def stack(self, stack: Stack) -> Value:
        """The sequence that ``stack`` describes."""
        if stack not in self.stacks:
            self.stacks[stack] = self._find(stack)
        return self.stacks[stack]

    def _find(self, stack: Stack) -> Value:
        position = stack.position
        match stack.kind:
            case "operand":
                return self.context.graph.operands(self.node)[position]
            case "result":
                return self.node.values[position]
            case "seed":
                return self._cotangent(position)
            case "emitted":
                return self.emitted[position]
            case _:
                return self._previous(position)

    def _cotangent(self, port: int) -> Value:
        return self.cotangents[port] or zeros_like(self.context.graph, self.node.values[port])

    def _previous(self, carry: int) -> Value:
        """The sequence of carries at the start of each step: the first one, then those at the end of the previous
        steps."""
        graph, length = self.context.graph, self.attrs.length
        initial = graph.operands(self.node)[self.attrs.n_consts + carry]
        shape = graph.type(initial).shape
        first = graph.apply("reshape", initial, attrs=ReshapeAttributes((1, *shape)))
        after = self.stack(self.plan.carry_stacks[carry])
        start, limit = (1, length) if self.attrs.reverse else (0, length - 1)
        steps = SliceAttributes.along((length, *shape), 0, start, limit)
        rest = graph.apply("slice", after, attrs=steps)
        order = (rest, first) if self.attrs.reverse else (first, rest)
        return graph.apply("concat", *order, attrs=ConcatAttributes(0))

    def product(self, product: Product, start: Value | None) -> Value | None:
        """The cotangent of a const: the gradient of the operation on all steps at once, summed in the order of the
        backward scan, and going on from ``start``."""
        const = self.context.graph.operands(self.node)[product.const]
        values = [const if stack is None else self.stack(stack) for stack in product.operands]
        stacked = [stack is not None for stack in product.operands]
        order: Order = "ascending" if self.attrs.reverse else "descending"
        node, cotangent = product.node, self.stack(product.cotangent)

        graph = self.context.graph
        alone = Graph("gradient")
        alone.layer = graph.layer
        inputs = [alone.input(str(position), graph.type(value)) for position, value in enumerate(values)]
        result = primitive(node.op).vectorize(alone, node.attrs, inputs, stacked, self.attrs.length)
        assert result is not None, f"{node.op} stacks gradients, so it vectorizes"
        seed = alone.input("cotangent", alone.type(result))
        (gradient,) = self.context.backpropagate(alone, [(result, seed)], [inputs[product.position]])
        if gradient is None:
            return None
        return summed_in_order(graph, alone, gradient, [*values, cotangent], order, start)
