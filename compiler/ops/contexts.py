"""What the rules of a primitive may ask for, so that they need to import neither the interpreter nor autodiff."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from ..graph.graph import Graph
from ..graph.node import Node, Value

Intercept = Callable[[Graph, Node, int], bool]


@dataclass(frozen=True, slots=True)
class Intercepted:
    """A cotangent that was not propagated: ``node`` has ``cotangent``, and ``contribution`` is what its operand
    ``position`` would have received."""

    node: Node
    position: int
    cotangent: Value
    contribution: Value


@dataclass(slots=True)
class Continued:
    """The sums that an operand's cotangent consists of, each of which goes on from one of ``starts`` (None: from
    zero); the gradient rule adds the sums to ``results`` in the same order, and returns no cotangent for that
    operand."""

    starts: Sequence[Value | None]
    results: list[Value] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Joint:
    """A graph with its backward half, from which the taping of a scan starts.

    ``inputs`` and ``outputs`` are the body's, ``seeds`` the inputs added for the cotangents of the outputs (None
    where not seeded), ``cotangents`` those of the inputs; ``continued`` has the inputs whose cotangents are sums that
    go on from starts, which are further inputs. Nodes from ``first`` on are the backward half.
    """

    graph: Graph
    inputs: list[Value]
    outputs: list[Value]
    seeds: list[Value | None]
    cotangents: list[Value | None]
    intercepted: list[Intercepted]
    continued: dict[int, Continued]
    first: int


class EvaluationContext(Protocol):
    """What an evaluation may ask for."""

    @property
    def dims(self) -> Mapping[str, int]:
        """The binding of the named dims."""
        ...

    def evaluate(self, body: Graph, arguments: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Runs a body graph on arguments in the order of its inputs; returns results in the order of its outputs."""
        ...


class GradientContext(Protocol):
    """What a gradient rule may ask for: the graph it appends to, and differentiation of body graphs."""

    @property
    def graph(self) -> Graph:
        """The graph under construction: it holds the forward nodes, and the backward ones are added to it."""
        ...

    def memo(self, node: Node) -> Any:
        """The memo that ``Primitive.taped`` returned with the attributes of ``node``."""
        ...

    def continuing(self, node: Node, position: int) -> Continued | None:
        """Where the sums start that the cotangent of an operand consists of; None: they are the rule's own."""
        ...

    def backpropagate(
        self, graph: Graph, seeds: Sequence[tuple[Value, Value]], wrt: Sequence[Value]
    ) -> Sequence[Value | None]:
        """Appends the gradient through ``graph``, which needs no tape; see ``autodiff.backpropagate``."""
        ...


class TapingContext(Protocol):
    """What ``Primitive.taped`` may ask for."""

    def differentiate(
        self,
        body: Graph,
        active: Sequence[bool],
        seeded: Sequence[bool],
        intercept: Intercept | None,
        continues: int = 0,
    ) -> Joint:
        """The body with its backward half appended; see ``Joint``. The cotangents of the first ``continues`` inputs
        go on from starts where the operations that read them can do that."""
        ...
