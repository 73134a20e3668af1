"""What a pass is, what it is given, and how passes run: one after the other, with verification after each."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal, TypeAlias

from ..graph.graph import Graph
from ..graph.node import Node, Value
from ..graph.verify import VerificationError, Verified, verify
from ..machine import BASELINE, Machine
from ..observers import Observer, Step
from ..ops.scans.scan_attributes import ScanAttributes

#: The entries that only read the weights, so that what depends on weights alone is computed once, in ``prepare``.
READERS = ("predict", "step")

#: How exact float32 has to be: strict (relative errors within 1e-5) or fast (within 1e-4).
Math: TypeAlias = Literal["strict", "fast"]

Rule = Callable[[Graph, Node, tuple[Value, ...]], Sequence[Value | None] | None]


@dataclass
class Budget:
    """How many rewrites passes may still do; None for any number. Used to bisect a miscompilation."""

    left: int | None = None


@dataclass
class PassContext:
    """What a pass is given beside the graph.

    ``entry``: the name of the entry that the graph computes. ``machine``: the target. ``math``: whether rounding errors
    may grow where that is faster. ``steady``: whether bits must not depend on how many steps are computed at once.
    ``budget`` is shared by all entries of a compilation. ``stop_after``: the phase or pass after which no other runs.
    ``split``: graphs that a pass took out of this one, by the name of the entry that each becomes. ``verified``: what
    earlier passes had verified.
    """

    entry: str = ""
    machine: Machine = BASELINE
    math: Math = "fast"
    steady: bool = False
    budget: Budget = field(default_factory=Budget)
    observer: Observer = field(default_factory=Observer)
    stop_after: str | None = None
    stopped: bool = False
    split: dict[str, Graph] = field(default_factory=dict)
    verified: Verified = field(default_factory=Verified)

    @property
    def trains(self) -> bool:
        """Whether the graph computes gradients, whose bits must not depend on which steps are computed together."""
        return self.entry in ("train_step", "gradients")

    def limit(self, rule: Rule) -> Rule:
        """``rule``, until the budget is spent; then a rule that rewrites nothing."""
        if self.budget.left is None:
            return rule

        def limited(graph: Graph, node: Node, operands: tuple[Value, ...]) -> Sequence[Value | None] | None:
            if self.budget.left == 0:
                return None
            results = rule(graph, node, operands)
            if results is not None and self.budget.left is not None:
                self.budget.left -= 1
            return results

        return limited


@dataclass(frozen=True)
class Pass(ABC):
    """A transformation of graphs. It returns the same object if nothing changed, otherwise a new graph.

    The bodies of scans are transformed first, then the graph around them; with ``bodies`` false, bodies stay as they
    are.
    """

    name: ClassVar[str]
    bodies: ClassVar[bool] = True

    @abstractmethod
    def run(self, graph: Graph, context: PassContext) -> Graph:
        """The transformed graph. The bodies of its scans are already transformed."""


class PassError(Exception):
    """A pass returned a graph that does not verify."""


@dataclass(frozen=True)
class Phase:
    """Passes that run one after the other, with a name for all of them."""

    name: str
    passes: tuple[Pass, ...]

    def run(self, graph: Graph, context: PassContext | None = None) -> Graph:
        """The graph after all passes. Raises PassError naming the pass after which it does not verify."""
        context = PassContext() if context is None else context
        for pass_ in self.passes:
            if context.stopped:
                return graph
            start, before = time.perf_counter(), graph
            graph = _everywhere(pass_, graph, context)
            seconds = time.perf_counter() - start
            if graph is not before:
                try:
                    verify(graph, context.verified)
                except VerificationError as error:
                    raise PassError(f"after the pass {pass_.name}: {error}") from error
            context.observer.passed(Step(context.entry, self.name, pass_.name, seconds, before, graph))
            context.stopped = pass_.name == context.stop_after
        context.stopped = context.stopped or self.name == context.stop_after
        return graph


def _everywhere(
    pass_: Pass, graph: Graph, context: PassContext, done: dict[int, Graph] | None = None
) -> Graph:
    """The graph after running ``pass_`` on all bodies, innermost first, and then on the graph itself. ``done`` are
    bodies that it ran on, by their ids."""
    if not pass_.bodies:
        return pass_.run(graph, context)
    known = {} if done is None else done

    def body(inner: Graph) -> Graph:  # which does not call itself: that would keep all graphs as garbage
        if id(inner) not in known:
            known[id(inner)] = _everywhere(pass_, inner, context, known)
        return known[id(inner)]

    return pass_.run(rewrite_bodies(graph, body), context)


def rewrite_bodies(graph: Graph, transform: Callable[[Graph], Graph]) -> Graph:
    """``graph`` with the body of every scan transformed."""
    changed: dict[int, Graph] = {}
    for node in graph:
        if isinstance(node.attrs, ScanAttributes):
            body = transform(node.attrs.body)
            if body is not node.attrs.body:
                changed[node.id] = body
    if not changed:
        return graph

    def rule(new: Graph, node: Node, operands: tuple[Value, ...]) -> Sequence[Value] | None:
        if node.id not in changed or not isinstance(node.attrs, ScanAttributes):
            return None
        return new.add("scan", operands, replace(node.attrs, body=changed[node.id])).values

    return graph.rewrite(rule)
