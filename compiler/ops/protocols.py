"""How lowering sees a primitive: elementwise, a view, a contraction, a generator, or opaque, with a kernel of its own.

These classes answer all that lowering asks of an operation, so that lowering names none.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from netwright.specs.dims import DimLike, Shape

from ..formulas import Fourier
from ..graph.graph import Graph
from ..graph.node import Node, Value
from ..graph.rules import ShapeError
from ..graph.types import TensorType
from .base import Cost, Primitive, moved_bytes, primitive, stack_all


def neutral(combine: str, dtype: str) -> float | int:
    """The neutral element of ``combine``, which is also the result for no elements."""
    if combine == "add":
        return 0
    if np.dtype(dtype).kind == "f":
        return float("-inf") if combine == "max" else float("inf")
    info = np.iinfo(dtype)
    return int(info.min if combine == "max" else info.max)


class NotAffine(Exception):
    """The element map of a view is not affine; the view is materialized, or written through ``View.write``."""


class Elementwise(Primitive):
    """A primitive that computes each result element from the operands' elements at the same index.

    All operands have the same shape (broadcasting is a separate operation). Lowering passes ``emit`` loop IR
    expressions (scalar or vector) of the operands; it returns one for the result.
    """

    in_readers: bool = False
    """Whether kernels that read the result compute it where they load the operand, so that it is never in memory."""

    def vectorize(
        self, graph: Graph, attrs: Any, operands: Sequence[Value], stacked: Sequence[bool], length: DimLike
    ) -> Value | None:
        return graph.apply(self.name, *stack_all(graph, operands, stacked, length), attrs=attrs)

    def cost(self, attrs: Any, operands: Sequence[TensorType], results: Sequence[TensorType]) -> Cost:
        return Cost(flops=results[0].size, bytes=moved_bytes(operands, results))

    @abstractmethod
    def emit(self, builder: Any, attrs: Any, operands: Sequence[Any]) -> Any:
        """The loop IR expression of the result; ``builder`` is a ``loop.builder.Builder``."""


#: Where a view's result is: nowhere, since readers compute an index into the operand; in the operand's memory, in
#: another shape; or in memory of its own, into which the kernels of its operands store.
Storage: TypeAlias = Literal["index", "alias", "into"]


#: How many cells before and after the others hold the fill, for each axis.
Margins: TypeAlias = tuple[tuple[Any, Any], ...]


class View(Primitive):
    """A primitive that only moves elements: each result element is one operand element, or a constant fill."""

    unchanged = "all"

    def storage(self, attrs: Any, operands: Sequence[TensorType], guarded: bool) -> Storage:
        """Where its result is. ``guarded``: all readers can guard each of their loads by conditions, as windows do."""
        return "index"

    def fill(self, attrs: Any) -> float | int | bool | None:
        """The value of result elements that are no operand element; None if there are none."""
        return None

    def margins(self, attrs: Any) -> Margins | None:
        """The cells that hold the fill, if they are those around all others."""
        return None

    def resized(self, attrs: Any, shape: Shape) -> Any | None:
        """The attributes of a view of the same operand with the result's rank and another ``shape``; None if elements
        depend on their index along an axis whose size is another one, or may."""
        return None

    def stretch(self, attrs: Any) -> int | None:
        """How many elements of the last axis lie beside each other in the operand's memory; None: all that do there."""
        return None

    @abstractmethod
    def read(self, attrs: Any, operands: Sequence[TensorType], index: Sequence[Any]) -> Sequence[Any]:
        """Where the result element at ``index`` (sizes over loop variables) comes from.

        Returns ``Source`` objects: the first whose conditions all hold gives the element. Raises NotAffine.
        """

    def write(
        self, attrs: Any, operands: Sequence[TensorType], position: int, index: Sequence[Any]
    ) -> tuple[Any, ...]:
        """The result index of the element at ``index`` of the operand at ``position``.

        Result elements that no operand element is written to hold the fill. Raises NotAffine if elements are dropped.
        """
        raise NotAffine(self.name)


@dataclass(frozen=True, slots=True)
class Source:
    """Operand ``operand`` at ``index`` where every condition is ≥ 0; with ``operand`` None the constant
    ``fill``.

    ``index`` entries and ``conditions`` are sizes (``DimLike``) over the loop variables.
    """

    operand: int | None
    index: tuple[Any, ...] = ()
    conditions: tuple[Any, ...] = ()
    fill: float | int | bool = 0


#: In which order a contraction combines its terms, where that has to be known to the bit. "any": as is fastest.
#: "fixed": in an order that does not depend on how many results there are, so that a row of a product has the same
#: bits in a product with more rows. "ascending", "descending": one after the other along the reduction, so that a sum
#: over parts of it, each of which starts from the sum of those before, has the same bits, as has a step of a recurrence
#: wherever it is computed.
Order: TypeAlias = Literal["any", "fixed", "ascending", "descending"]


class Contraction(Primitive):
    """A primitive whose result elements combine products of operand elements: dot, conv, reduce, windows.

    result[index] = combine over the reduction indices r of Π factors, each an operand element at an index that is
    affine in (index, r). Lowering makes register-tiled kernels from this description alone.

    One that ``continues`` may have an operand more than factors, of the result's type: the sums start from its
    elements. Its attributes have an ``order`` (see ``Order``), which such an operand needs.
    """

    continues: bool = False
    """Whether it may have an operand that its sums start from, and an order."""

    factor_count: int = 2
    """Two: a product, which reads each element of its operands for many results. One: a reduction, which can take over
    the kernel of its operand."""

    is_window: bool = False
    """Whether the reduction runs over the cells of a window. A small window is evaluated inline, cell by cell, and its
    loads can be guarded, so that padding of the operand needs no memory."""

    multiplies_bytes: bool = False
    """Whether each term is the sum of four products of bytes: the factors' indices are those of the first of four
    elements on the last axis. The second factor's depend on the result's last index alone, four times."""

    shares_kernel: bool = True
    """Whether products that share an operand should share a kernel, which divides the accumulators of a tile among
    them."""

    holds_sums: bool = False
    """Whether its sums are so long that they are cut into blocks, and held in the result's memory meanwhile: nothing is
    computed from them in its kernel."""

    def overlaps(self, attrs: Any) -> bool:
        """Whether several result elements may read the same operand element."""
        return self.factor_count > 1

    def packed_operand(self, attrs: Any) -> int | None:
        """The position of the operand that can be packed into column panels: a matrix [*rows, columns], of which the
        columns are the result's last axis. None if there is none."""
        return None

    @abstractmethod
    def combine(self, attrs: Any) -> str:
        """ "add", "max" or "min"."""

    @abstractmethod
    def reduction_shape(self, attrs: Any, operands: Sequence[TensorType]) -> Sequence[Any]:
        """Sizes of the reduction loops, outermost first."""

    @abstractmethod
    def factors(
        self, attrs: Any, operands: Sequence[TensorType], index: Sequence[Any], reduction: Sequence[Any]
    ) -> Sequence[tuple[int, Sequence[Any]]]:
        """The one or two factors as (operand position, operand index), for a result index and a reduction index."""

    def order(self, attrs: Any) -> Order:
        """In which order terms are combined."""
        return attrs.order if self.continues else "any"

    def segment(self, attrs: Any, operands: Sequence[TensorType]) -> int | None:
        """The length of stretches of the result's last axis on which the factors' indices are affine; None: all of
        it."""
        return None


def check_start(
    op: str, order: Order, start: Sequence[TensorType], result: TensorType, position: int
) -> None:
    """Raises ShapeError unless the operands after the factors are those that a contraction with ``order`` may
    have."""
    if not start:
        return
    if len(start) > 1 or order not in ("ascending", "descending"):
        raise ShapeError(f"{op} in {order} order starts from no operand", position)
    if start[0] != result:
        raise ShapeError(f"{op} starts from {start[0]}, and gives {result}", position)


def contraction(node: Node) -> Contraction | None:
    """The contraction that ``node`` is; None if it is none."""
    op = primitive(node.op) if node.op != "input" else None
    return op if isinstance(op, Contraction) else None


#: Reads the operand of a tile's transform at an index along all axes but the last; 0 unless no guard is negative.
ReadTile: TypeAlias = Callable[[Sequence[DimLike], Sequence[DimLike]], Any]


class TileTransform(Primitive):
    """A primitive that computes tiles of results, each at once from some elements of its operand, so that results have
    sums in common: the transforms of a fast convolution.

    Tiles stand side by side and cover the result; the last ones may reach beyond it. Along the last axis all elements
    are computed alike, as vectors.
    """

    @abstractmethod
    def tiles(self, attrs: Any, operands: Sequence[TensorType]) -> Shape:
        """How many tiles there are along each axis of the result but the last."""

    @abstractmethod
    def tile(self, attrs: Any) -> tuple[int, ...]:
        """How many elements a tile has along each axis of the result but the last."""

    @abstractmethod
    def algorithm(self, attrs: Any) -> str:
        """The name of the algorithm that it is a part of."""

    @abstractmethod
    def emit_tile(
        self,
        builder: Any,
        attrs: Any,
        operands: Sequence[TensorType],
        read: ReadTile,
        tile: Sequence[DimLike],
    ) -> Sequence[Any]:
        """The loop IR expressions of all elements of the tile with the number ``tile`` along each axis, in row-major
        order."""


class Generator(Primitive):
    """A primitive whose elements depend on their index (and scalar operands) only: iota, constants, random bits."""

    positional: bool = True
    """Whether an element depends on its row-major position alone, not on the shape."""

    def number(self, attrs: Any) -> float | int | bool | None:
        """The number that all elements are; None if they are not known to be one."""
        return None

    def resized(self, attrs: Any, shape: Shape) -> Any | None:
        """The attributes with which the result has another ``shape``; None if its elements are not all equal, or may
        not be."""
        return None

    def table(self, attrs: Any) -> np.ndarray | None:
        """All elements, if they follow no rule and have to lie in memory; None if ``emit_at`` computes them."""
        return None

    def formula(self, attrs: Any) -> Fourier | None:
        """How a program can compute the table at its start; None if it has to hold it."""
        return None

    @abstractmethod
    def emit_at(
        self,
        builder: Any,
        attrs: Any,
        operands: Sequence[Any],
        type: TensorType,
        index: Sequence[Any],
        lanes: int,
    ) -> Any:
        """The loop IR expression of ``lanes`` result elements at ``index`` (which may contain LANE).

        ``operands`` are scalar expressions. ``builder.lane_index(index, dtype, lanes)`` turns an index into data.
        """


class Opaque(Primitive):
    """A primitive with a kernel of its own, into which nothing is fused: gather, scatter, argmax, …"""

    @abstractmethod
    def lower(
        self, builder: Any, attrs: Any, operands: Sequence[Any], results: Sequence[Any], lanes: int
    ) -> None:
        """Emits the kernel's body; ``operands`` and ``results`` are loop IR buffers in the shapes of the types.

        ``lanes``: how many elements of the result's dtype a native vector holds.
        """
