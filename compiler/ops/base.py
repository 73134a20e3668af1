"""What a primitive is: one object that knows everything about one operation.

Each primitive has one module, ``ops/<op>.py``: attributes, shape rule, NumPy evaluation, gradient rule, cost,
lowering protocol (``protocols``) and samples for tests. Rules get a context instead of importing the interpreter or
autodiff.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

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


class NotDifferentiable(Exception):
    """An operation on the way to a gradient has no gradient rule."""


@dataclass(frozen=True, slots=True)
class Cost:
    """The work of one operation: arithmetic operations, and bytes read and written; both may depend on open sizes."""

    flops: Any = 0
    bytes: Any = 0


#: A key of random streams, for samples.
KEY = (0x12345678, 0x9ABCDEF0)


@dataclass(frozen=True, slots=True)
class Sample:
    """A concrete case for tests: operand types (shapes of ints), attributes, and how to draw each operand.

    ``draw`` names a generator per operand: "normal", "positive", "distinct" (no ties), "unit" (0..1), "index:K"
    (integers below K), "any" (all of an integer's values), "bool". Tests of shape, evaluation, gradient and lowering
    are generated from it.
    """

    operands: tuple[TensorType, ...]
    attrs: Attributes = field(default_factory=NoAttributes)
    draw: tuple[str, ...] = ()
    differentiable: tuple[int, ...] | None = None  # operand positions; None: all float operands


class Primitive(Rules):
    """Base of every primitive; one instance per primitive, listed in ``registry``."""

    cheap: bool = False
    """Whether computing it again costs less than storing and loading its result; such results are not taped."""

    rematerialize: bool = False
    """Whether its result is never stored: each reader computes it again from the operand, which is smaller or lies
    better. A loop that reads it keeps it inside, even if it is the same in every step."""

    gradients_only: bool = False
    """Whether it only tells gradients something: its result is its first operand."""

    unchanged: Literal["all", "some"] | None = None
    """Whether its result consists of elements of its first operand, unchanged: of all of them, or of some or beside
    others. None if it does not, or if that is not known."""

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

    def separate_sums(self, memo: Any, position: int) -> int:
        """Of how many sums, each of which can go on from a start, ``gradient`` makes the cotangent of an operand (see
        ``GradientContext.continuing``); 0 if it knows no starts. ``memo`` is the node's."""
        return 0

    def goes_on_from(self, graph: Graph, node: Node) -> Node | None:
        """The operation that did the part of the work before that of ``node``, with the same constants. Its gradient
        comes later, and its sums go on from those of this one's gradient."""
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
    """``value`` repeated on a new first axis; what is repeated already is repeated once, along all axes."""
    type, node = graph.type(value), graph.producer(value)
    axes = tuple(range(type.rank))
    if isinstance(node.attrs, BroadcastAttributes):
        (value,), axes = graph.operands(node), node.attrs.axes
    attrs = BroadcastAttributes((length, *type.shape), tuple(axis + 1 for axis in axes))
    return graph.apply("broadcast", value, attrs=attrs)
