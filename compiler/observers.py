"""Observers of a compilation. Passes and lowering report to them, and do not print or measure anything themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from netwright.specs.dims import DimLike
from netwright.specs.files import write_file

from .graph.graph import Graph
from .graph.node import Node, Value

#: Numbers the dumps of a process in one sequence, across all compilations.
_NUMBERS = count()


@dataclass(frozen=True, slots=True)
class Step:
    """A pass that ran: on the graph of which entry, in which phase, and for how many seconds.

    ``before`` and ``after`` are the same object if it changed nothing. Each compilation begins with a step named
    ``input``.
    """

    entry: str
    phase: str
    name: str
    seconds: float
    before: Graph
    after: Graph

    @property
    def changed(self) -> bool:
        return self.name == "input" or self.before is not self.after


@dataclass(frozen=True, slots=True)
class Refusal:
    """A fusion that did not happen: ``rule`` kept ``node`` out of the kernel that computes its operand.

    ``saved``: the bytes of memory traffic that the fusion would have saved.
    """

    node: Node
    rule: str
    saved: DimLike


@dataclass(frozen=True, slots=True)
class Choice:
    """A choice among algorithms: ``node`` is computed by the one called ``algorithm``, and why. ``signature``: what a
    tuned choice is found by; empty where there was none to make."""

    node: Node
    algorithm: str
    reason: str
    signature: str = ""


@dataclass(frozen=True, slots=True)
class Stored:
    """A value that an entry has in memory once the moment ``after`` of it has come (``loop.marks.Watched``): in a
    buffer of the arena or of the program's table, whole and in order, from the element number ``offset`` on.

    ``layers`` are the paths of the layers whose operations computed it.
    """

    value: Value
    after: int
    buffer: str
    offset: DimLike
    layers: tuple[str, ...]


class Observer:
    """Observes a compilation. Subclasses override what they want to see; the rest is ignored."""

    def passed(self, step: Step) -> None:
        """A pass ran."""

    def refused(self, refusal: Refusal) -> None:
        """Two operations were not fused into one kernel."""

    def chose(self, choice: Choice) -> None:
        """A pass, or lowering, chose among algorithms for an operation."""

    def lowered(self, entry: str, graph: Graph, stored: Sequence[Stored]) -> None:
        """An entry was lowered, of a graph that all passes have run on."""


@dataclass
class Timings(Observer):
    """The steps in order, without their graphs: (name, seconds, whether the graph changed)."""

    steps: list[tuple[str, float, bool]] = field(default_factory=list)

    def passed(self, step: Step) -> None:
        self.steps.append((step.name, step.seconds, step.changed))


@dataclass(frozen=True)
class Dump(Observer):
    """Writes the graph after each pass that changed it to ``folder``, numbered, and a table of times."""

    folder: Path

    def passed(self, step: Step) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        number, graph = next(_NUMBERS), step.after
        if step.changed:
            stem = "".join(c if c.isalnum() or c in "-_" else "_" for c in step.entry or graph.name)
            path = self.folder / f"{number:03d}_{stem}_{step.name}.txt"
            write_file(path, f"{graph}\n".encode(), durable=False)
        with (self.folder / "times.txt").open("a", encoding="utf-8") as table:
            unchanged = "" if step.changed else "  (unchanged)"
            place = "/".join(filter(None, (step.entry or graph.name, step.phase)))
            table.write(f"{number:03d} {step.seconds * 1e3:10.3f} ms  {place}  {step.name}{unchanged}\n")


@dataclass(frozen=True)
class Observers(Observer):
    """Several observers as one."""

    each: tuple[Observer, ...] = ()

    def passed(self, step: Step) -> None:
        for observer in self.each:
            observer.passed(step)

    def refused(self, refusal: Refusal) -> None:
        for observer in self.each:
            observer.refused(refusal)

    def chose(self, choice: Choice) -> None:
        for observer in self.each:
            observer.chose(choice)

    def lowered(self, entry: str, graph: Graph, stored: Sequence[Stored]) -> None:
        for observer in self.each:
            observer.lowered(entry, graph, stored)
