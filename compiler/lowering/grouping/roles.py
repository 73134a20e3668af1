"""The role of each operation when a graph becomes kernels: its primitive is asked once, and the node's part keeps it.

- *index*: views, generators, and operations that readers compute as they load; they need no memory: a kernel that
  reads them computes an index or an element.
- *alias*: a view that moves nothing: the same storage in another shape.
- *into*: a view in memory of its own; the kernels of its operands store directly into it.
- *table*: a constant whose elements follow no rule, in memory from the start.
- *elementwise*, *window*, *reduction*, *product*, *transform*: operations that are fused into groups. A product has two
  factors, a reduction one; a window is a reduction over few cells, evaluated inline; a transform computes tiles.
- *opaque*: an operation with a kernel of its own.
- *loop*: scan.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from netwright.specs.dims import DimLike, Shape, coefficient, dim, dim_symbols, product

from ...graph.graph import Graph
from ...graph.node import Node, Value
from ...graph.types import TensorType
from ...ops.base import primitive
from ...ops.protocols import (
    Contraction,
    Elementwise,
    Generator,
    Opaque,
    Order,
    Source,
    TileTransform,
    View,
    contraction,
)
from ...ops.scans.scan_attributes import ScanAttributes

Role: TypeAlias = Literal[
    "input",
    "index",
    "alias",
    "into",
    "table",
    "elementwise",
    "window",
    "reduction",
    "product",
    "transform",
    "opaque",
    "loop",
]

#: Roles of operations that are fused into groups.
MEMBERS: tuple[Role, ...] = ("elementwise", "window", "reduction", "product", "transform")

#: Windows up to this many cells are evaluated inline, cell by cell, wherever they are read.
INLINE_WINDOW = 32


@dataclass(frozen=True, slots=True)
class Part:
    """A node with its role, its operands and their types."""

    node: Node
    role: Role
    operands: tuple[Value, ...]
    types: tuple[TensorType, ...]


@dataclass(frozen=True, slots=True)
class ViewPart(Part):
    """A view: its role is index, alias or into."""

    op: View

    def read(self, index: Sequence[DimLike]) -> Sequence[Source]:
        """Where the result element at ``index`` comes from. Raises NotAffine."""
        return self.op.read(self.node.attrs, self.types, index)

    def write(self, position: int, index: Sequence[DimLike]) -> Sequence[DimLike]:
        """The result index of the element at ``index`` of the operand at ``position``. Raises NotAffine."""
        return self.op.write(self.node.attrs, self.types, position, index)


@dataclass(frozen=True, slots=True)
class GeneratorPart(Part):
    """A generator: its role is index or table."""

    op: Generator


@dataclass(frozen=True, slots=True)
class ElementwisePart(Part):
    """An elementwise operation."""

    op: Elementwise


@dataclass(frozen=True, slots=True)
class ContractionPart(Part):
    """A window, a reduction or a product; ``extents`` are those of the reduction loops, ``order`` is that of its
    terms, ``start`` the value that sums start from."""

    op: Contraction
    combine: str
    extents: Shape
    order: Order
    start: Value | None

    @property
    def window(self) -> tuple[int, ...]:
        """The extents of a window, none of which is open."""
        return tuple(extent for extent in self.extents if isinstance(extent, int))

    def general_factors(self) -> Sequence[tuple[int, Sequence[DimLike]]]:
        """The factors at an index of names: `axis0`, `axis1`, … of the result, and `term0`, … of the reduction."""
        index = tuple(dim(f"axis{axis}") for axis in range(self.node.types[0].rank))
        return self.factors(index, tuple(dim(f"term{axis}") for axis in range(len(self.extents))))

    @property
    def sums_outer_products(self) -> bool:
        """Whether neither factor is contiguous along the terms: the product is a sum of rows by rows."""
        terms = {f"term{axis}" for axis in range(len(self.extents))}
        return all(at and not dim_symbols(at[-1]) & terms for _, at in self.general_factors())

    @property
    def pitch(self) -> tuple[int, ...] | None:
        """How far windows are apart along each axis; None unless each is as large as that, so that they stand side by
        side."""
        names = [f"axis{axis}" for axis in range(len(self.extents))]
        ((_, at),) = self.factors([dim(name) for name in names], [0] * len(names))
        apart = tuple(coefficient(index, name) for index, name in zip(at, names, strict=True))
        return self.window if apart == self.window else None

    def factors(
        self, index: Sequence[DimLike], reduction: Sequence[DimLike]
    ) -> Sequence[tuple[int, Sequence[DimLike]]]:
        """The factors as (operand position, operand index), for a result index and a reduction index."""
        return self.op.factors(self.node.attrs, self.types, index, reduction)

    def term(self, at: Sequence[DimLike]) -> tuple[DimLike, ...]:
        """The reduction index of the term that is the ``at``-th along each axis of the reduction, in its order."""
        if self.order != "descending":
            return tuple(at)
        return tuple(extent - 1 - k for extent, k in zip(self.extents, at, strict=True))


@dataclass(frozen=True, slots=True)
class TransformPart(Part):
    """A transform of tiles."""

    op: TileTransform

    def holds(self, window: ContractionPart) -> bool:
        """Whether each of the windows over its result is inside one tile."""
        pitch, extents = window.pitch, (*self.op.tile(self.node.attrs), 1)
        return pitch is not None and all(
            extent % step == 0 for extent, step in zip(extents, pitch, strict=True)
        )


@dataclass(frozen=True, slots=True)
class OpaquePart(Part):
    """An operation with a kernel of its own."""

    op: Opaque


@dataclass(frozen=True, slots=True)
class LoopPart(Part):
    """A scan."""

    attrs: ScanAttributes


class Roles:
    """The parts of a graph's nodes, the readers of its values, and the values that chains of indices read.

    If it is ``steady``, an element of a product has the same bits however many others are computed with it.
    """

    def __init__(self, graph: Graph, steady: bool = False):
        self.graph, self.steady = graph, steady
        self._outputs = set(graph.outputs.values())
        self._bases: dict[Value, tuple[tuple[Value, bool], ...]] = {}
        self._nodes = list(graph)
        self._uses: dict[Value, list[tuple[int, int]]] = {}
        for node in self._nodes:
            for position, value in enumerate(graph.operands(node)):
                self._uses.setdefault(value, []).append((node.id, position))
        self.inside: Collection[Value] = ()
        """The values that lie inside others (``inside``), once that is decided."""
        self.parts: Sequence[Part] = [self._part(node) for node in self._nodes]
        """By the id of the node, which is its position in the graph."""

    def part(self, value: Value) -> Part:
        """The part of the node that produces ``value``."""
        return self.parts[value.node]

    def type(self, value: Value) -> TensorType:
        return self._nodes[value.node].types[value.port]

    def uses(self, value: Value) -> list[tuple[Part, int]]:
        """The readers of ``value``, each with the position of the operand, in topological order."""
        return [(self.parts[id], position) for id, position in self._uses.get(value, ())]

    def _part(self, node: Node) -> Part:
        operands = self.graph.operands(node)
        types = tuple(self.type(value) for value in operands)
        if node.op == "input":
            return Part(node, "input", operands, types)
        if isinstance(node.attrs, ScanAttributes):
            return LoopPart(node, "loop", operands, types, node.attrs)
        match primitive(node.op):
            case Elementwise() as op:
                role = "index" if op.in_readers else "elementwise"
                return ElementwisePart(node, role, operands, types, op)
            case Contraction() as op:
                extents = tuple(op.reduction_shape(node.attrs, types))
                role = _contraction_role(op, extents)
                order, count = op.order(node.attrs), op.factor_count
                if self.steady and role == "product" and order == "any":
                    order = "fixed"
                start = operands[count] if len(operands) > count else None
                combine = op.combine(node.attrs)
                return ContractionPart(node, role, operands, types, op, combine, extents, order, start)
            case View() as op:
                storage = op.storage(node.attrs, types, self._is_guarded(node))
                return ViewPart(node, storage, operands, types, op)
            case Generator() as op:
                role = "index" if op.table(node.attrs) is None else "table"
                return GeneratorPart(node, role, operands, types, op)
            case TileTransform() as op:
                return TransformPart(node, "transform", operands, types, op)
            case Opaque() as op:
                return OpaquePart(node, "opaque", operands, types, op)
        raise AssertionError(node.op)

    def _is_guarded(self, node: Node) -> bool:
        """Whether all readers of ``node`` are windows, which can guard their loads."""
        (value,) = node.values
        users = (self._nodes[id] for id, _ in self._uses.get(value, ()))
        return value not in self._outputs and all(map(_reads_windows, users))

    def bases(self, value: Value) -> tuple[tuple[Value, bool], ...]:
        """The values that reading ``value`` reads in the end, each with whether it is read at the same index."""
        stack = [value]
        while stack:
            current = stack[-1]
            if current in self._bases:
                stack.pop()
                continue
            part = self.parts[current.node]
            if part.role != "index":
                self._bases[current] = ((current, True),)
                continue
            waiting = [operand for operand in part.operands if operand not in self._bases]
            if waiting:
                stack += waiting
                continue
            self._bases[current] = tuple((base, False) for v in part.operands for base, _ in self._bases[v])
        return self._bases[value]

    def unreshaped(self, value: Value) -> Value:
        """The value that ``value`` is a reshape of: the end of a chain of aliases."""
        while (part := self.parts[value.node]).role == "alias":
            (value,) = part.operands
        return value

    def readers(self, value: Value) -> Iterator[Part]:
        """The parts that read ``value``, directly or through chains of indices."""
        stack = [value]
        while stack:
            for part, _ in self.uses(stack.pop()):
                if part.role == "index":
                    stack += part.node.values
                else:
                    yield part


def _contraction_role(op: Contraction, extents: Shape) -> Role:
    if op.factor_count > 1:
        return "product"
    cells = product(extents)
    small = isinstance(cells, int) and cells <= INLINE_WINDOW
    return "window" if op.is_window and small else "reduction"


def _reads_windows(node: Node) -> bool:
    op = contraction(node)
    return op is not None and op.is_window
