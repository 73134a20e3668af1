"""What a primitive is: one object that knows everything about one operation.

Each primitive has one module, ``ops/<op>.py``: attributes, shape rule, NumPy evaluation, gradient rule, cost,
lowering protocol and samples for tests. Rules get a context instead of importing the interpreter or autodiff.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from netwright.specs.dims import DimLike, Shape, evaluate

from ..graph.graph import Graph
from ..graph.node import Attributes, NoAttributes, Node, Value
from ..graph.rules import Rules, rules_of
from ..graph.types import TensorType
from .contexts import EvaluationContext, GradientContext, TapingContext


@dataclass(frozen=True, slots=True)
class BroadcastAttributes(Attributes):
    """``shape`` of the result. Operand axis i is result axis ``axes[i]``, ascending; along the others it repeats."""

    shape: Shape
    axes: tuple[int, ...]


class EvaluationError(ValueError):
    """An evaluation refuses values of an operand, such as an index out of range; native code returns ``code`` for
    them."""

    def __init__(self, message: str, code: int = 0):
        super().__init__(message)
        self.code = code


class NotAffine(Exception):
    """The element map of a view is not affine; the view is materialized, or written through ``View.write``."""


class NotDifferentiable(Exception):
    """An operation on the way to a gradient has no gradient rule."""


@dataclass(frozen=True, slots=True)
class Cost:
    """The work of one operation: arithmetic operations, and bytes read and written; both may depend on open sizes."""

    flops: Any = 0
    bytes: Any = 0


@dataclass(frozen=True, slots=True)
class Sample:
    """A concrete case for tests: operand types (shapes of ints), attributes, and how to draw each operand.

    ``draw`` names a generator per operand: "normal", "positive", "distinct" (no ties), "unit" (0..1), "index:K"
    (integers below K), "bool". Tests of shape, evaluation, gradient and lowering are generated from it.
    """

    operands: tuple[TensorType, ...]
    attrs: Attributes = field(default_factory=NoAttributes)
    draw: tuple[str, ...] = ()
    differentiable: tuple[int, ...] | None = None  # operand positions; None: all float operands


class Primitive(Rules):
    """Base of every primitive; one instance per primitive, listed in ``registry``."""

    cheap: bool = False
    """Whether computing it again costs less than storing and loading its result; such results are not taped."""

    stacks_gradient: bool = False
    """Whether a scan computes the cotangent of an operand that is the same in every step after the loop, for all
    steps at once: as the gradient of the operation that ``vectorize`` appends."""

    @abstractmethod
    def evaluate(
        self, context: EvaluationContext, attrs: Any, operands: Sequence[np.ndarray]
    ) -> Sequence[np.ndarray]:
        """Results as fresh or shared NumPy arrays, of the dtypes that ``infer`` gives."""

    def gradient(
        self, context: GradientContext, node: Node, cotangents: Sequence[Value | None]
    ) -> Sequence[Value | None]:
        """Cotangents of the operands from those of the results; None for an operand without one (integers, bools).

        At least one of ``cotangents`` is not None. ``context.graph.operands(node)`` and ``node.values`` are the
        forward values. Raises NotDifferentiable.
        """
        return [None] * len(context.graph.operands(node))

    def without_gradient(self, attrs: Any) -> str | None:
        """Why ``gradient`` raises NotDifferentiable with these attributes; None if it does not."""
        return None

    def taped(
        self, context: TapingContext, node: Node, active: Sequence[bool], wanted: Sequence[bool]
    ) -> tuple[Attributes, Any] | None:
        """Another forward form, with further results that the gradient will read; None (the default) keeps this one.

        ``active`` says which operands need a cotangent, ``wanted`` which results will have one. Returns new
        attributes, with which the node has its present results first, and a memo for ``gradient``.
        """
        return None

    def vectorize(
        self, graph: Graph, attrs: Any, operands: Sequence[Value], stacked: Sequence[bool], length: DimLike
    ) -> Value | None:
        """Appends the operation for ``length`` steps at once and returns its result, stacked on a new first axis.

        An operand that is ``stacked`` has that axis already; any other is the same in every step. None: there is no
        such rule.
        """
        return None

    def cost(self, attrs: Any, operands: Sequence[TensorType], results: Sequence[TensorType]) -> Cost:
        """The work of the operation. By default it only reads its operands and writes its results once."""
        return Cost(flops=0, bytes=moved_bytes(operands, results))

    @abstractmethod
    def samples(self) -> Sequence[Sample]:
        """Concrete cases for the tests."""


def primitive(op: str) -> Primitive:
    """The primitive called ``op``. Raises KeyError for an unknown one; inputs are no primitives."""
    rules = rules_of(op)
    assert isinstance(rules, Primitive)
    return rules


def moved_bytes(operands: Sequence[TensorType], results: Sequence[TensorType]) -> DimLike:
    """Bytes of reading every operand and writing every result once."""
    total: DimLike = 0
    for type in (*operands, *results):
        total = total + type.nbytes
    return total


def sizes(context: EvaluationContext, shape: Shape) -> tuple[int, ...]:
    """``shape`` with its sizes evaluated under the binding."""
    return tuple(evaluate(size, context.dims) for size in shape)


def stack_all(
    graph: Graph, operands: Sequence[Value], stacked: Sequence[bool], length: DimLike
) -> list[Value]:
    """The operands with a first axis of ``length``, along which those without it are repeated."""
    return [v if has else repeat(graph, v, length) for v, has in zip(operands, stacked, strict=True)]


def repeat(graph: Graph, value: Value, length: DimLike) -> Value:
    """``value`` repeated on a new first axis."""
    type = graph.type(value)
    attrs = BroadcastAttributes((length, *type.shape), tuple(range(1, type.rank + 1)))
    return graph.apply("broadcast", value, attrs=attrs)


class Elementwise(Primitive):
    """A primitive that computes each result element from the operands' elements at the same index.

    All operands have the same shape (broadcasting is a separate operation). Lowering passes ``emit`` loop IR
    expressions (scalar or vector) of the operands; it returns one for the result.
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
        """The one or two factors as (operand position, operand index), for a result index and a reduction index."""

    def segment(self, attrs: Any, operands: Sequence[TensorType]) -> int | None:
        """The length of stretches of the result's last axis on which the factors' indices are affine; None: all of
        it."""
        return None


class Generator(Primitive):
    """A primitive whose elements depend on their index (and scalar operands) only: iota, constants, random bits."""

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
