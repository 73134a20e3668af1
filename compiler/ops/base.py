"""What a primitive is: one object that knows everything about one operation.

A primitive has one home, ``ops/<op>.py``: attributes, shape rule, NumPy evaluation, gradient rule, cost,
lowering protocol and samples for tests. Rules get a context instead of importing the interpreter or
autodiff.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

import numpy as np

from netwright.specs.dims import DimLike, Shape, evaluate

from ..graph.types import TensorType

if TYPE_CHECKING:
    from ..graph.graph import Graph, Node, Value


@dataclass(frozen=True, slots=True)
class Attributes:
    """Base of the static attributes of an operation: frozen, hashable, printable."""

    def fields(self) -> dict[str, Any]:
        """What the text form shows, in order."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> Self:
        """The inverse of ``fields``. Raises TypeError."""
        return cls(**fields)


@dataclass(frozen=True, slots=True)
class NoAttributes(Attributes):
    """For primitives that have none."""


@dataclass(frozen=True, slots=True)
class BroadcastAttributes(Attributes):
    """``shape`` of the result; operand axis i is result axis ``axes[i]``, ascending; the others repeat."""

    shape: Shape
    axes: tuple[int, ...]


class ShapeError(ValueError):
    """Operand types that a primitive's shape rule refuses; ``operand`` is the position at fault, if one is."""

    def __init__(self, message: str, operand: int | None = None):
        super().__init__(message)
        self.operand = operand


class EvaluationError(ValueError):
    """Operand values that an evaluation refuses, such as an index out of range; ``code`` is what native code
    returns for them.
    """

    def __init__(self, message: str, code: int = 0):
        super().__init__(message)
        self.code = code


class NotAffine(Exception):
    """A view whose element map is no affine index; it is materialized, or written through ``View.write``."""


class NotDifferentiable(Exception):
    """A gradient was asked through an operation that has no rule for it."""


class EvaluationContext(Protocol):
    """What an evaluation may ask for."""

    @property
    def dims(self) -> Mapping[str, int]:
        """The binding of the named dims."""
        ...

    def evaluate(self, body: Graph, arguments: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Runs a body graph on arguments in the order of its inputs; results in the order of its outputs."""
        ...


class GradientContext(Protocol):
    """What a gradient rule may ask for: the graph it appends to, and differentiation of body graphs."""

    @property
    def graph(self) -> Graph:
        """The graph under construction: it holds the forward nodes, and takes the backward ones."""
        ...

    def memo(self, node: Node) -> Any:
        """What ``Primitive.taped`` returned beside the attributes of ``node``."""
        ...

    def backpropagate(
        self, seeds: Sequence[tuple[Value, Value]], wrt: Sequence[Value], first: int
    ) -> Sequence[Value | None]:
        """Appends the gradient through the nodes from ``first`` on; see ``autodiff.backpropagate``."""
        ...


class TapingContext(Protocol):
    """What ``Primitive.taped`` may ask for."""

    def differentiate(
        self,
        body: Graph,
        active: Sequence[bool],
        seeded: Sequence[bool],
        intercept: Callable[[Graph, Node, int], bool],
    ) -> Any:
        """The body with its backward half appended; see ``autodiff.Joint``."""
        ...


@dataclass(frozen=True, slots=True)
class Cost:
    """Work of one operation: arithmetic operations and bytes read and written (sizes may be symbolic)."""

    flops: Any = 0
    bytes: Any = 0


@dataclass(frozen=True, slots=True)
class Sample:
    """A concrete case for tests: operand types (shapes of ints), attributes, and how to draw each operand.

    ``draw`` names a generator per operand: "normal", "positive", "distinct" (no ties), "unit" (0..1),
    "index:K" (integers below K), "bool". Tests of shape, evaluation, gradient and lowering appear from it
    by themselves.
    """

    operands: tuple[TensorType, ...]
    attrs: Attributes = NoAttributes()
    draw: tuple[str, ...] = ()
    differentiable: tuple[int, ...] | None = None  # operand positions; None: all float operands


class Primitive(ABC):
    """Base of every primitive; one instance a primitive, listed in ``registry``."""

    name: str
    attributes: ClassVar[type[Attributes]] = NoAttributes
    cheap: bool = False
    """Computing it again costs less than storing and loading its result (decides what goes on a tape)."""

    stacks_gradient: bool = False
    """In a scan, the cotangent of an operand that is the same in every step leaves the loop: it is computed
    afterwards, for all steps at once, by the gradient of what ``vectorize`` appends.
    """

    @abstractmethod
    def infer(self, attrs: Any, operands: Sequence[TensorType]) -> Sequence[TensorType]:
        """Result types from operand types. Raises ShapeError."""

    @abstractmethod
    def evaluate(
        self, context: EvaluationContext, attrs: Any, operands: Sequence[np.ndarray]
    ) -> Sequence[np.ndarray]:
        """Results as fresh or shared NumPy arrays, of the dtypes that ``infer`` says."""

    def gradient(
        self, context: GradientContext, node: Node, cotangents: Sequence[Value | None]
    ) -> Sequence[Value | None]:
        """Cotangents of the operands from those of the results; None where an operand has none (integers,
        bools).

        At least one of ``cotangents`` is not None. ``context.graph.operands(node)`` and ``node.values`` are
        the forward values.
        """
        return [None] * len(context.graph.operands(node))

    def without_gradient(self, attrs: Any) -> str | None:
        """Why ``gradient`` raises NotDifferentiable with these attributes; None where it does not."""
        return None

    def taped(
        self, context: TapingContext, node: Node, active: Sequence[bool], wanted: Sequence[bool]
    ) -> tuple[Attributes, Any] | None:
        """Another forward form whose further results the gradient will read; None (the rule) to keep this
        one.

        ``active`` says which operands need a cotangent, ``wanted`` which results will have one. Returns new
        attributes, under which the results so far come first, and a memo for ``gradient``.
        """
        return None

    def vectorize(
        self, graph: Graph, attrs: Any, operands: Sequence[Value], stacked: Sequence[bool], length: DimLike
    ) -> Value | None:
        """Appends the operation for ``length`` steps at once and returns its result, stacked on a new first
        axis.

        Where ``stacked``, an operand has that axis already, else it is the same in every step. None: no rule.
        """
        return None

    def cost(self, attrs: Any, operands: Sequence[TensorType], results: Sequence[TensorType]) -> Cost:
        """Work of the operation. By default none but moving operands and results once."""
        return Cost(flops=0, bytes=moved_bytes(operands, results))

    @abstractmethod
    def samples(self) -> Sequence[Sample]:
        """Concrete cases for the tests."""


def moved_bytes(operands: Sequence[TensorType], results: Sequence[TensorType]) -> DimLike:
    """Bytes of reading every operand and writing every result once."""
    total: DimLike = 0
    for type in (*operands, *results):
        total = total + type.nbytes
    return total


def sizes(context: EvaluationContext, shape: Shape) -> tuple[int, ...]:
    """The numbers that ``shape`` stands for under the binding."""
    return tuple(evaluate(size, context.dims) for size in shape)


def stack_all(
    graph: Graph, operands: Sequence[Value], stacked: Sequence[bool], length: DimLike
) -> list[Value]:
    """The operands with a first axis of ``length``: those that lack it are repeated."""
    return [v if has else repeat(graph, v, length) for v, has in zip(operands, stacked, strict=True)]


def repeat(graph: Graph, value: Value, length: DimLike) -> Value:
    """``value`` repeated on a new first axis."""
    type = graph.type(value)
    attrs = BroadcastAttributes((length, *type.shape), tuple(range(1, type.rank + 1)))
    return graph.apply("broadcast", value, attrs=attrs)


class Elementwise(Primitive):
    """A primitive that computes each result element from the operands' elements at the same index.

    Operands have one shape (broadcasting is an operation of its own). Lowering calls ``emit`` with loop IR
    expressions (scalar or vector) of the operands and wants one for the result.
    """

    def vectorize(
        self, graph: Graph, attrs: Any, operands: Sequence[Value], stacked: Sequence[bool], length: DimLike
    ) -> Value | None:
        return graph.apply(self.name, *stack_all(graph, operands, stacked, length), attrs=attrs)

    def cost(self, attrs: Any, operands: Sequence[TensorType], results: Sequence[TensorType]) -> Cost:
        return Cost(flops=results[0].size, bytes=moved_bytes(operands, results))

    @abstractmethod
    def emit(self, builder: Any, attrs: Any, operands: Sequence[Any]) -> Any:
        """The loop IR expression of the result; ``builder`` is a ``loop.builder.Builder``."""


class View(Primitive):
    """A primitive that only moves elements: each result element is one operand element, or a constant fill."""

    @abstractmethod
    def read(self, attrs: Any, operands: Sequence[TensorType], index: Sequence[Any]) -> Sequence[Any]:
        """For the result element at ``index`` (sizes over loop variables), where it comes from.

        Returns ``Source`` objects: the first whose conditions all hold gives the element. Raises NotAffine.
        """

    def write(
        self, attrs: Any, operands: Sequence[TensorType], position: int, index: Sequence[Any]
    ) -> tuple[Any, ...]:
        """For the element at ``index`` of the operand at ``position``, its index in the result.

        Cells that no operand element is written to hold the fill. Raises NotAffine where elements are
        dropped.
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


class Contraction(Primitive):
    """A primitive whose result elements combine products of operand elements: dot, conv, reduce, windows.

    result[index] = combine over the reduction indices r of Π factors, each an operand element at an index that is
    affine in (index, r). Lowering makes register-tiled kernels from this description alone.
    """

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
        """The one or two factors as (operand position, operand index), for a result index and reduction index."""

    def segment(self, attrs: Any, operands: Sequence[TensorType]) -> int | None:
        """Within how many elements of the result's last axis the factors' indices are affine; None: all of it."""
        return None


class Generator(Primitive):
    """A primitive whose elements follow from their index (and scalar operands): iota, constants, random bits."""

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
    """A primitive with a kernel of its own that nothing is fused into: gather, scatter, argmax, …"""

    @abstractmethod
    def lower(
        self, builder: Any, attrs: Any, operands: Sequence[Any], results: Sequence[Any], lanes: int
    ) -> None:
        """Emits the kernel's body; ``operands`` and ``results`` are loop IR buffers in the shapes of the types.

        ``lanes``: how many elements of the result's dtype a native vector has.
        """
