"""Unrolls scans as their ``unroll`` says: not at all, k steps at a time, or fully."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from netwright.specs.dims import Dim

from ...graph.graph import Graph
from ...graph.node import Node, Value
from ...ops.scans.scan_attributes import ScanAttributes
from ...ops.values.constant import splat
from ...ops.views.concat import ConcatAttributes
from ...ops.views.layout import ReshapeAttributes
from ...ops.views.slice_pad import SliceAttributes
from ..base import Pass, PassContext
from ..ordered import products_in_order
from .blocks import block_inputs, in_blocks


class UnrollError(ValueError):
    """A recurrence that cannot be unrolled: its length is open, or too many operations would result."""


@dataclass(frozen=True)
class UnrollScans(Pass):
    """Unrolls scans. Raises UnrollError if ``full`` meets an open length, or would make more than ``limit``
    operations.

    ``k`` makes a scan of ⌊T/k⌋ steps with k copies of the body each, and a scan of single steps for the other T mod k
    steps, which are computed last. ``auto`` unrolls only a scan of a single step: cells are fused without unrolling.
    A part of a scan in blocks is not unrolled for having a single step.

    Checkpoints say which steps are copies and which are single, and the bits are the same: in training the products of
    copies have an order, and copies of all steps are the only step of a loop, so that no kernel computes a part of them
    with what is around. See ``ordered`` for what has an order without copies.
    """

    name: ClassVar[str] = "unroll_scans"

    limit: int = 20_000

    def run(self, graph: Graph, context: PassContext) -> Graph:
        def rule(new: Graph, node: Node, operands: tuple[Value, ...]) -> Sequence[Value] | None:
            attrs = node.attrs
            if not isinstance(attrs, ScanAttributes):
                return None
            unroll, body = attrs.unroll, attrs.body
            copies = unroll == "full" or (isinstance(unroll, int) and unroll > 1)
            if context.trains:
                attrs = replace(attrs, body=products_in_order(attrs.body, copies))
            if isinstance(unroll, int) and copies and not _has_at_most(attrs, unroll):
                return _Steps(new, attrs, operands).partly(unroll)
            if copies:
                return _Steps(new, attrs, operands).full(self.limit, in_loop=context.trains)
            if attrs.length == 1 and not attrs.part:
                return _Steps(new, attrs, operands).full(self.limit)
            return None if attrs.body is body else new.add("scan", operands, attrs).values

        return graph.rewrite(rule)


def _has_at_most(attrs: ScanAttributes, steps: int) -> bool:
    return isinstance(attrs.length, int) and attrs.length <= steps


@dataclass
class _Steps:
    """A scan to be unrolled in ``graph``."""

    graph: Graph
    attrs: ScanAttributes
    operands: Sequence[Value]

    def __post_init__(self) -> None:
        k, c = self.attrs.n_consts, self.attrs.n_carries
        self.consts = list(self.operands[:k])
        self.carries = list(self.operands[k : k + c])
        self.xs = list(self.operands[k + c :])

    def full(self, limit: int, in_loop: bool = False) -> Sequence[Value]:
        """The carries and ys of all steps; ``in_loop``: of a loop that has all of them in its only step. Raises
        UnrollError if the length is open or the result would exceed ``limit`` operations."""
        attrs, length = self.attrs, self.attrs.length
        name = attrs.name or attrs.body.name
        if isinstance(length, Dim):
            raise UnrollError(f"{name}: unroll: full needs a fixed number of steps, but there are {length}")
        if (size := length * len(attrs.body)) > limit:
            raise UnrollError(
                f"{name}: unroll: full makes {size} operations of {length} steps, more than {limit}"
            )
        if in_loop and length:
            return self.partly(length)
        carries, ys = _write_out(self.graph, attrs, length, self.consts, self.carries, self.xs)
        return [*carries, *ys]

    def partly(self, copies: int) -> Sequence[Value]:
        """``copies`` steps at a time, then the remaining steps one by one."""
        once = replace(self.attrs, unroll="none")
        blocks = replace(once, body=self._block(copies))
        operands = [*self.consts, *self.carries, *self.xs]
        return in_blocks(self.graph, self.attrs, operands, copies, blocks, once)

    def _block(self, copies: int) -> Graph:
        """A body of ``copies`` steps, whose xs and ys are sequences of that length."""
        attrs, inner = self.attrs, self.attrs.body
        block = Graph(inner.name)
        values = block_inputs(block, attrs, copies)
        k, c = attrs.n_consts, attrs.n_carries
        carries, ys = _write_out(block, attrs, copies, values[:k], values[k : k + c], values[k + c :])
        for name, value in zip(inner.outputs, [*carries, *ys], strict=True):
            block.set_output(name, value)
        return block


def _write_out(
    graph: Graph,
    attrs: ScanAttributes,
    steps: int,
    consts: Sequence[Value],
    carries: Sequence[Value],
    xs: Sequence[Value],
) -> tuple[Sequence[Value], list[Value]]:
    """Copies the body once per step; returns the last carries, and the ys as sequences."""
    ys: dict[int, Sequence[Value]] = {}
    for step in reversed(range(steps)) if attrs.reverse else range(steps):
        elements = []
        for x in xs:
            shape = graph.type(x).shape
            element = graph.apply("slice", x, attrs=SliceAttributes.along(shape, 0, step, step + 1))
            elements.append(graph.apply("reshape", element, attrs=ReshapeAttributes(shape[1:])))
        results = graph.inline(attrs.body, [*consts, *carries, *elements])
        carries, ys[step] = results[: attrs.n_carries], results[attrs.n_carries :]
    stacked = []
    for position, output in enumerate(list(attrs.body.outputs.values())[attrs.n_carries :]):
        if steps == 0:
            stacked.append(splat(graph, 0, attrs.stacked(attrs.body.type(output))))
            continue
        rows = []
        for step in range(steps):
            value = ys[step][position]
            row = ReshapeAttributes((1, *graph.type(value).shape))
            rows.append(graph.apply("reshape", value, attrs=row))
        stacked.append(graph.apply("concat", *rows, attrs=ConcatAttributes(0)))
    return carries, stacked
