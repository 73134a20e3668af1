"""Inside scans, computes products of one value with several matrices as one product with all of them.

A cell that is written with a matrix per gate multiplies the state by each. Lowering would compute all gates in one
kernel, whose tiles hold a vector of every gate: it reads as many streams of weights, and can't go through the columns
in turns (``lowering/tiles/turning``). As one product the cell costs what one with a single matrix costs. The biases and
the sums of such products are joined, too, so that the input half leaves the loop as one product with its bias.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import ClassVar

from ...graph.graph import Graph
from ...graph.node import Node, Value
from ...ops.base import BroadcastAttributes
from ...ops.products.dot import MATMUL
from ...ops.scans.scan_attributes import ScanAttributes
from ...ops.views.concat import ConcatAttributes
from ...ops.views.slice_pad import SliceAttributes
from ..base import Pass, PassContext
from ..products.slice_of_dot import SliceOfDot


@dataclass(frozen=True)
class JoinProducts(Pass):
    """Joins products with constant matrices of a scan, and what is added to them, if they have many rows."""

    name: ClassVar[str] = "join_products"

    def run(self, graph: Graph, context: PassContext) -> Graph:
        def rule(new: Graph, node: Node, operands: tuple[Value, ...]) -> Sequence[Value] | None:
            attrs = node.attrs
            if not isinstance(attrs, ScanAttributes):
                return None
            joining = _Joining(attrs)
            if not joining.families:
                return None
            return new.add("scan", operands, replace(attrs, body=joining.run()), layer=node.layer).values

        return graph.rewrite(context.limit(rule))


@dataclass
class _Family:
    """Products of one value, each with a matrix of its own, and the vectors that are added to them, if all have one;
    ``cuts``: where each one's columns begin and end in the whole."""

    products: list[Node]
    matrices: list[Value]
    cuts: list[tuple[int, int]]
    sums: list[Node] = field(default_factory=list)
    vectors: list[Value] = field(default_factory=list)

    @property
    def parts(self) -> list[Value]:
        """The values that are parts of the whole."""
        return [node.values[0] for node in self.sums or self.products]


def _columns(node: Node) -> int:
    columns = node.types[0].shape[-1]
    assert isinstance(columns, int)
    return columns


@dataclass(frozen=True)
class _Part:
    """The columns of ``whole`` that a value consists of."""

    whole: Value
    cut: tuple[int, int]


class _Joining:
    """The rewriting of one body."""

    def __init__(self, attrs: ScanAttributes):
        self.body = attrs.body
        self.outputs = set(self.body.outputs.values())
        self.consts = set(list(self.body.inputs.values())[: attrs.n_consts])
        self.families = self._families()
        self.graph = Graph(self.body.name)
        self.moved: dict[Value, Value] = {}
        self.parts: dict[Value, _Part] = {}
        self.sums: dict[tuple[Value, Value], Value] = {}

    def run(self) -> Graph:
        """The body with its products joined."""
        first = {family.products[0].id: family for family in self.families}
        wholes = {value for family in self.families for value in family.parts}
        skipped = {node.values[0] for family in self.families for node in family.products} | wholes
        for name, value in self.body.inputs.items():
            self.moved[value] = self.graph.input(name, self.body.type(value), "body")
        for node in self.body:
            (value, *_) = node.values
            self.graph.layer = node.layer
            if value in self.moved:
                continue
            if node.id in first:
                self._join(first[node.id])
            if value in skipped:
                if value in wholes:
                    self._cut(value)
            elif not self._added(node):
                operands = [self.moved[operand] for operand in self.body.operands(node)]
                results = self.graph.add(node.op, operands, node.attrs, layer=node.layer).values
                self.moved.update(zip(node.values, results, strict=True))
        for name, value in self.body.outputs.items():
            self.graph.set_output(name, self.moved[value])
        return self.graph

    # -- which products ------------------------------------------------------------------------------------------

    def _families(self) -> list[_Family]:
        alike: dict[Value, list[Node]] = {}
        for node in self.body:
            if self._is_product(node):
                alike.setdefault(self.body.operands(node)[0], []).append(node)
        families: list[_Family] = []
        for products in alike.values():
            matrices = [self.body.operands(node)[1] for node in products]
            if len(set(matrices)) == len(matrices) > 1:
                families.append(self._family(products, matrices))
        return families

    def _is_product(self, node: Node) -> bool:
        """Whether ``node`` is the product of something with many rows and a constant matrix."""
        if node.attrs != MATMUL:
            return False
        left, right = self.body.operands(node)
        if right not in self.consts or left in self.consts or self.body.type(left).rank != 2:
            return False
        rows, columns = node.types[0].shape
        few = isinstance(rows, int) and rows <= SliceOfDot.max_rows  # which get a product per gate
        return isinstance(columns, int) and not few

    def _family(self, products: list[Node], matrices: list[Value]) -> _Family:
        ends = list(accumulate(_columns(node) for node in products))
        family = _Family(products, matrices, list(zip([0, *ends], ends, strict=False)))
        added = [self._vector(node) for node in products]
        known = [pair for pair in added if pair is not None]
        if len(known) == len(products):
            family.sums, family.vectors = [node for node, _ in known], [vector for _, vector in known]
        return family

    def _vector(self, node: Node) -> tuple[Node, Value] | None:
        """The only reader of ``node``, which adds a constant vector to each row, and that vector."""
        uses = self.body.uses(node.values[0])
        if len(uses) != 1 or uses[0][0].op != "add" or node.values[0] in self.outputs:
            return None
        ((reader, position),) = uses
        added = self.body.producer(self.body.operands(reader)[1 - position])
        if not isinstance(added.attrs, BroadcastAttributes) or added.attrs.axes != (1,):
            return None
        (vector,) = self.body.operands(added)
        return (reader, vector) if vector in self.consts else None

    # -- what they become ----------------------------------------------------------------------------------------

    def _join(self, family: _Family) -> None:
        graph = self.graph
        left = self.moved[self.body.operands(family.products[0])[0]]
        matrix = self._concat(family.matrices, axis=1)
        # The vectors come before the product, whose kernel adds them.
        vectors = self._concat(family.vectors, axis=0) if family.vectors else None
        whole = graph.apply("dot", left, matrix, attrs=MATMUL)
        if vectors is not None:
            rows = BroadcastAttributes(graph.type(whole).shape, (1,))
            whole = graph.apply("add", whole, graph.apply("broadcast", vectors, attrs=rows))
        self.parts.update(
            (value, _Part(whole, cut)) for value, cut in zip(family.parts, family.cuts, strict=True)
        )

    def _concat(self, values: Sequence[Value], axis: int) -> Value:
        moved = (self.moved[value] for value in values)
        return self.graph.apply("concat", *moved, attrs=ConcatAttributes(axis))

    def _added(self, node: Node) -> bool:
        """Whether ``node`` adds the same columns of two wholes: it becomes these columns of their sum."""
        if node.op != "add":
            return False
        left, right = (self.parts.get(value) for value in self.body.operands(node))
        if left is None or right is None or left.cut != right.cut:
            return False
        if self.graph.type(left.whole) != self.graph.type(right.whole):
            return False
        pair = (left.whole, right.whole)
        if pair not in self.sums:
            self.sums[pair] = self.graph.apply("add", *pair)
        self.parts[node.values[0]] = _Part(self.sums[pair], left.cut)
        self._cut(node.values[0])
        return True

    def _cut(self, value: Value) -> None:
        part = self.parts[value]
        attrs = SliceAttributes.along(self.graph.type(part.whole).shape, 1, *part.cut)
        self.moved[value] = self.graph.apply("slice", part.whole, attrs=attrs)
