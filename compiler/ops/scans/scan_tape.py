"""Backpropagation through time, first half: the taped form of a scan, and the plan of its gradient.

Taping differentiates the body once. The forward values that the backward half reads become a tape: further ys of the
forward scan. A value is taped only if it has to be: not if it is an operand or result of the scan already (consts,
xs, ys), if it is a carry (the sequence of final carries, shifted by a step), or if it is cheap to compute from these.

The cotangent of a const is a sum over steps. If the body multiplies by the const (``stacks_gradient``), that sum is
one operation after the loop, on stacked cotangents: for weights, one matrix product with T·N rows. Otherwise the loop
accumulates it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from netwright.specs.dims import bounds

from ...graph.analysis import ancestors, dependents
from ...graph.graph import Graph
from ...graph.node import Attributes, Node, Value
from ..base import primitive
from ..contexts import Intercepted, Joint, TapingContext
from ..values.constant import zeros_like
from .scan_attributes import ScanAttributes


@dataclass(frozen=True, slots=True)
class Stack:
    """Where the gradient finds a sequence of per-step values.

    ``kind`` and ``position``: an "operand" or a "result" of the taped scan, a carry at the start of each step
    ("previous"), the cotangent of a result ("seed"), or a y of the backward scan ("emitted").
    """

    kind: str
    position: int


@dataclass(frozen=True, slots=True)
class Product:
    """An operation of the body whose const operand gets its cotangent after the loop."""

    node: Node
    position: int
    const: int
    operands: tuple[Stack | None, ...]  # None: the const
    cotangent: Stack


@dataclass(frozen=True, slots=True)
class Plan:
    """How to build the backward scan: its body, where its operands come from, and what its results are."""

    backward: Graph
    consts: tuple[int, ...]
    carries: tuple[int, ...]
    totals: tuple[int, ...]  # consts whose cotangents the loop accumulates, once for each sum
    xs: tuple[Stack, ...]
    x_cotangents: tuple[tuple[int, Stack], ...]
    products: tuple[Product, ...]
    carry_stacks: dict[int, Stack]

    def separate_sums(self, const: int) -> int:
        """Of how many sums the cotangent of a const consists."""
        return self.totals.count(const) + sum(product.const == const for product in self.products)


def tape_scan(
    context: TapingContext, node: Node, active: Sequence[bool], wanted: Sequence[bool]
) -> tuple[Attributes, Plan | None]:
    """The rule of ``Primitive.taped``."""
    attrs: Any = node.attrs
    flags, seeded = _activity(attrs, active, wanted)
    if not any(seeded):
        return attrs, None
    if attrs.recompute:
        joint = context.differentiate(attrs.body, flags, seeded, None, attrs.n_consts)
    else:
        joint = context.differentiate(attrs.body, flags, seeded, _leaves_the_loop(attrs.n_consts))
    return _Taping(attrs, joint, flags).run()


def _activity(
    attrs: ScanAttributes, active: Sequence[bool], wanted: Sequence[bool]
) -> tuple[list[bool], list[bool]]:
    """Which body inputs need a cotangent, and which body outputs have one: fixed points over the carries."""
    body, carries = attrs.body, range(attrs.n_carries)
    inputs, outputs = list(body.inputs.values()), list(body.outputs.values())
    flags, before = list(active), -1
    reached: set[Value] = set()
    while sum(flags) != before:
        before = sum(flags)
        roots = [value for value, flag in zip(inputs, flags, strict=True) if flag]
        reached = dependents(body, roots, floats_only=True)
        for i in carries:
            flags[attrs.n_consts + i] |= outputs[i] in reached
    seeded, before = [w and v in reached for w, v in zip(wanted, outputs, strict=True)], -1
    while sum(seeded) != before:
        before = sum(seeded)
        useful = ancestors(body, [value for value, flag in zip(outputs, seeded, strict=True) if flag])
        for i in carries:
            seeded[i] |= outputs[i] in reached and inputs[attrs.n_consts + i] in useful
    return flags, seeded


def _leaves_the_loop(n_consts: int) -> Any:
    def intercept(graph: Graph, node: Node, position: int) -> bool:
        if not primitive(node.op).stacks_gradient:
            return False
        operands, consts = graph.operands(node), list(graph.inputs.values())[:n_consts]
        return operands[position] in consts and sum(value in consts for value in operands) == 1

    return intercept


@dataclass
class _Taping:
    """Divides a differentiated body for ``tape_scan``: what is taped, and the two bodies."""

    attrs: ScanAttributes
    joint: Joint
    flags: Sequence[bool]
    sources: dict[Value, Stack] = field(default_factory=dict)  # forward values for the backward body
    tape: list[Value] = field(default_factory=list)
    carry_stacks: dict[int, Stack] = field(default_factory=dict)
    emitted: list[Value] = field(default_factory=list)

    def run(self) -> tuple[Attributes, Plan]:
        attrs, joint = self.attrs, self.joint
        graph, k, c = joint.graph, attrs.n_consts, attrs.n_carries
        carried = [i for i in range(c) if self.flags[k + i]]
        products, in_loop = self._divide()
        carry_cotangents = [
            joint.cotangents[k + i] or zeros_like(graph, joint.inputs[k + i]) for i in carried
        ]
        carry_seeds = [
            joint.seeds[i] or graph.input(f"unused{i}", graph.type(joint.inputs[k + i])) for i in carried
        ]
        total_inputs = [graph.input(f"total{i}", graph.type(joint.inputs[i])) for i in in_loop]
        totals = [
            graph.apply("add", total, cotangent)
            for total, cotangent in zip(total_inputs, in_loop.values(), strict=True)
        ]
        summed = list(in_loop)
        for i, continued in joint.continued.items():
            for start, total in zip(continued.starts, continued.results, strict=False):
                assert start is not None
                summed.append(i)
                total_inputs.append(start)
                totals.append(total)
        x_cotangents = [
            (position, cotangent)
            for position, cotangent in enumerate(joint.cotangents)
            if position >= k + c and cotangent is not None
        ]
        roots = [
            *carry_cotangents,
            *totals,
            *(value for _, value in x_cotangents),
            *(product.cotangent for product in products),
        ]
        if attrs.recompute:
            self._tape_states(roots)
        else:
            self._choose_tape(roots, products)
        seeds = {seed: Stack("seed", i) for i, seed in enumerate(joint.seeds) if i >= c and seed is not None}
        plan_x = [(position, self._stack(value, seeds)) for position, value in x_cotangents]
        plan_products = [self._product(product, seeds) for product in products]

        results = [*carry_cotangents, *totals, *self.emitted]
        stacks = {**self.sources, **seeds}
        consts = dict(zip(joint.inputs[:k], range(k), strict=True))
        read = ancestors(graph, results, stacks.keys() | consts.keys())
        used_consts = [(value, i) for value, i in consts.items() if value in read]
        used_stacks = [(value, stack) for value, stack in stacks.items() if value in read]
        backward = graph.extract(
            f"{attrs.body.name}.backward",
            [
                *((f"const{i}", value) for value, i in used_consts),
                *((f"carry{i}", seed) for i, seed in zip(carried, carry_seeds, strict=True)),
                *((f"total{n}", value) for n, value in enumerate(total_inputs)),
                *((f"{stack.kind}{stack.position}", value) for value, stack in used_stacks),
            ],
            [(f"result{i}", value) for i, value in enumerate(results)],
        )
        forward = self._forward()
        plan = Plan(
            backward,
            tuple(i for _, i in used_consts),
            tuple(carried),
            tuple(summed),
            tuple(stack for _, stack in used_stacks),
            tuple(plan_x),
            tuple(plan_products),
            self.carry_stacks,
        )
        return replace(attrs, body=forward), plan

    def _forward(self) -> Graph:
        """The body with the tape."""
        body, joint = self.attrs.body, self.joint
        graph, inputs, outputs = joint.graph, joint.inputs, joint.outputs
        tape = self.tape
        if self.attrs.recompute:  # the scans inside keep nothing here, so they are those of the body
            graph, inputs, outputs = body, list(body.inputs.values()), list(body.outputs.values())
            tape = [inputs[joint.inputs.index(value)] for value in tape]
        return graph.extract(
            body.name,
            list(zip(body.inputs, inputs, strict=True)),
            [
                *zip(body.outputs, outputs, strict=True),
                *((f"tape{i}", value) for i, value in enumerate(tape)),
            ],
        )

    def _divide(self) -> tuple[list[Intercepted], dict[int, Value]]:
        """Products whose const gets its cotangent after the loop; and the cotangents of consts inside the loop, by
        position.

        The cotangent of a repeated const (a bias) leaves the loop only if it is stored for another product anyway.
        """
        joint, k = self.joint, self.attrs.n_consts
        intercepted = joint.intercepted
        stacked = {value for value in joint.cotangents[k + self.attrs.n_carries :] if value is not None}
        stacked |= {value for value in joint.seeds[self.attrs.n_carries :] if value is not None}
        stacked |= {use.cotangent for use in intercepted if use.node.op != "broadcast"}
        in_loop = {i: v for i, v in enumerate(joint.cotangents[:k]) if v is not None}
        products: list[Intercepted] = []
        for use in intercepted:
            if use.cotangent in stacked:
                products.append(use)
            else:
                i = joint.inputs.index(joint.graph.operands(use.node)[use.position])
                known = in_loop.get(i)
                total = (
                    use.contribution if known is None else joint.graph.apply("add", known, use.contribution)
                )
                in_loop[i] = total
        return products, in_loop

    def _choose_tape(self, roots: Iterable[Value], products: Sequence[Intercepted]) -> None:
        """Finds a source for every forward value that the backward body reads, and tapes those without one."""
        attrs, joint = self.attrs, self.joint
        graph, k, c = joint.graph, attrs.n_consts, attrs.n_carries
        late_roots = [value for name, value in graph.inputs.items() if value not in joint.inputs]
        late = dependents(graph, late_roots)
        needed: set[Value] = set()
        for value in ancestors(graph, roots, {v for v in self._values() if v not in late}):
            if value not in late:
                needed.add(value)
        consts = set(joint.inputs[:k])
        for position, value in enumerate(joint.inputs[k + c :], k + c):
            self.sources[value] = Stack("operand", position)
        for position, value in enumerate(joint.outputs[c:], c):
            if value not in consts:
                self.sources.setdefault(value, Stack("result", position))
        factors = {
            operand
            for product in products
            for position, operand in enumerate(graph.operands(product.node))
            if position != product.position
        }
        order = sorted((needed | factors) - consts, key=lambda value: (value.node, value.port))
        carries = {value: i for i, value in enumerate(joint.inputs[k : k + c])}
        for value in order:
            if value in carries and value not in self.sources:
                self._source_of_carry(carries[value], value)
        for value in order:
            if value not in self.sources and (
                value in factors or not primitive(graph.producer(value).op).cheap
            ):
                self._tape(value)
        known: dict[Value, bool] = {}
        for value in order:
            if not self._derivable(value, consts, known):
                self._tape(value)

    def _tape_states(self, roots: Iterable[Value]) -> None:
        """Tapes the states at the start of each step: all else is computed again."""
        joint, first = self.joint, self.attrs.n_consts + self.attrs.n_carries
        for position, value in enumerate(joint.inputs[first:], first):
            self.sources[value] = Stack("operand", position)
        read = ancestors(joint.graph, roots)
        for value in joint.inputs[self.attrs.n_consts : first]:
            if value in read:
                self._tape(value)

    def _values(self) -> Iterable[Value]:
        for node in self.joint.graph:
            yield from node.values

    def _tape(self, value: Value) -> Stack:
        if value not in self.sources:
            self.sources[value] = Stack("result", len(self.joint.outputs) + len(self.tape))
            self.tape.append(value)
        return self.sources[value]

    def _source_of_carry(self, carry: int, value: Value) -> None:
        """The carries at the start are those at the end, shifted by a step; this needs a sequence with at least one
        step."""
        least = bounds(self.attrs.length, {})[0]
        if least is not None and least >= 1:
            self.carry_stacks[carry] = self._tape(self.joint.outputs[carry])
            self.sources[value] = Stack("previous", carry)
        else:
            self._tape(value)

    def _derivable(self, value: Value, consts: set[Value], known: dict[Value, bool]) -> bool:
        """Whether ``value`` can be computed from sources by cheap operations."""

        def settled(operand: Value) -> bool | None:
            return True if operand in self.sources or operand in consts else known.get(operand)

        stack = [value]
        while stack:
            node = self.joint.graph.producer(stack[-1])
            operands = self.joint.graph.operands(node)
            waiting = [operand for operand in operands if settled(operand) is None]
            if settled(stack[-1]) is not None:
                stack.pop()
            elif node.op == "input" or not primitive(node.op).cheap:
                known[stack.pop()] = False
            elif waiting:
                stack += waiting
            else:
                known[stack.pop()] = all(settled(operand) for operand in operands)
        return bool(settled(value))

    def _stack(self, value: Value, seeds: dict[Value, Stack]) -> Stack:
        """The sequence of ``value``: already known outside the loop, or emitted by the backward scan."""
        if value in seeds:
            return seeds[value]
        if value in self.sources:
            return self.sources[value]
        if value not in self.emitted:
            self.emitted.append(value)
        return Stack("emitted", self.emitted.index(value))

    def _product(self, intercepted: Intercepted, seeds: dict[Value, Stack]) -> Product:
        operands = self.joint.graph.operands(intercepted.node)
        return Product(
            intercepted.node,
            intercepted.position,
            self.joint.inputs.index(operands[intercepted.position]),
            tuple(
                None if position == intercepted.position else self._stack(value, seeds)
                for position, value in enumerate(operands)
            ),
            self._stack(intercepted.cotangent, seeds),
        )
