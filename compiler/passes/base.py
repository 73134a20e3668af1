"""What a pass is, and the manager that runs passes: verifying after each, dumping, timing, bisecting."""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import ClassVar

from netwright.specs.files import write_file

from ..graph.graph import Graph, Node, Value
from ..graph.verify import VerificationError, verify
from ..ops.scan import ScanAttributes

#: Dumps of one process are numbered through, whatever manager writes them.
_NUMBERS = count()

Rule = Callable[[Graph, Node, tuple[Value, ...]], Sequence[Value | None] | None]


@dataclass
class Budget:
    """How many rewrites optimizing passes may still do; None for any number. For bisecting a miscompilation."""

    left: int | None = None

    def limit(self, rule: Rule) -> Rule:
        """``rule``, which does nothing any more once the budget is spent."""

        def limited(graph: Graph, node: Node, operands: tuple[Value, ...]) -> Sequence[Value | None] | None:
            if self.left == 0:
                return None
            results = rule(graph, node, operands)
            if results is not None and self.left is not None:
                self.left -= 1
            return results

        return limited


@dataclass(frozen=True)
class Pass(ABC):
    """A transformation of graphs: the same object when nothing changed, otherwise a new graph.

    The manager runs it on the bodies of scans first, then on the graph around them.
    """

    name: ClassVar[str]

    @abstractmethod
    def run(self, graph: Graph, budget: Budget) -> Graph:
        """The transformed graph; bodies of scans were transformed before."""


class PassError(Exception):
    """A pass whose result does not verify."""


@dataclass
class PassManager:
    """Runs passes one after the other.

    ``dump``: a folder for the graph after each pass that changed it, numbered, and a table of times (by default what
    the environment variable NETWRIGHT_DUMP names). ``stop_after``: the name of the pass after which to stop.
    ``max_rewrites``: how many rewrites may happen in all.
    """

    dump: Path | None = field(default_factory=lambda: _path(os.environ.get("NETWRIGHT_DUMP")))
    stop_after: str | None = None
    max_rewrites: int | None = None
    times: list[tuple[str, float, bool]] = field(default_factory=list)
    stopped: bool = False

    def __post_init__(self) -> None:
        self._budget = Budget(self.max_rewrites)

    def run(self, graph: Graph, passes: Sequence[Pass]) -> Graph:
        """The graph after all passes. Raises PassError naming the pass after which it does not verify."""
        if not self.times:
            self._record("input", 0.0, graph, True)
        for one in passes:
            if self.stopped:
                break
            start = time.perf_counter()
            changed = self._everywhere(one, graph, {})
            seconds = time.perf_counter() - start
            if changed is not graph:
                try:
                    verify(changed)
                except VerificationError as error:
                    raise PassError(f"after the pass {one.name}: {error}") from error
            self._record(one.name, seconds, changed, changed is not graph)
            graph = changed
            self.stopped = one.name == self.stop_after
        return graph

    def _everywhere(self, one: Pass, graph: Graph, done: dict[int, Graph]) -> Graph:
        def body(inner: Graph) -> Graph:
            if id(inner) not in done:
                done[id(inner)] = self._everywhere(one, inner, done)
            return done[id(inner)]

        return one.run(rewrite_bodies(graph, body), self._budget)

    def _record(self, name: str, seconds: float, graph: Graph, changed: bool) -> None:
        self.times.append((name, seconds, changed))
        if self.dump is None:
            return
        self.dump.mkdir(parents=True, exist_ok=True)
        number = next(_NUMBERS)
        if changed:
            stem = "".join(c if c.isalnum() or c in "-_" else "_" for c in graph.name)
            write_file(self.dump / f"{number:03d}_{stem}_{name}.txt", f"{graph}\n".encode(), durable=False)
        with (self.dump / "times.txt").open("a", encoding="utf-8") as table:
            unchanged = "" if changed else "  (unchanged)"
            table.write(f"{number:03d} {seconds * 1e3:10.3f} ms  {graph.name}  {name}{unchanged}\n")


def rewrite_bodies(graph: Graph, transform: Callable[[Graph], Graph]) -> Graph:
    """``graph`` with the body of every scan transformed."""
    if not any(node.op == "scan" for node in graph):
        return graph

    def rule(new: Graph, node: Node, operands: tuple[Value, ...]) -> Sequence[Value] | None:
        if not isinstance(node.attrs, ScanAttributes):
            return None
        body = transform(node.attrs.body)
        if body is node.attrs.body:
            return None
        return new.add("scan", operands, replace(node.attrs, body=body)).values

    return graph.rewrite(rule)


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None
