"""Text cases of passes: a graph, what a pass makes of it, and that both compute the same.

A case is a file ``<pass>/<rule>.txt``::

    # Why the pass does this.
    pass: simplify(differentiated=True)
    dims: N=3

    graph "before" { … }

    -- after
    graph "before" { … }

``dims`` binds open sizes for the comparison of values, ``entry`` names the entry and ``machine`` one of
``tests.machines``, ``math`` and ``steady`` are those of ``PassContext``, ``opens`` is that of ``lower_entry``, and
``tolerance`` is how far values may be off, relative to the largest one; each is left out where it does not matter.
What follows ``-- after`` is ``unchanged`` where the pass has to leave the graph alone: a refusal is a decision, too.
Graphs that it splits off come first.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from netwright.compiler.graph.graph import Graph
from netwright.compiler.graph.parse import parse_graph
from netwright.compiler.machine import Machine
from netwright.compiler.passes.base import Math, Pass, PassContext, Phase
from netwright.compiler.pipeline import PHASES
from netwright.specs.dims import evaluate

from ..machines import CORTEX, LARGE_CACHES, MACHINES

PASSES: dict[str, type[Pass]] = {one.name: type(one) for phase in PHASES for one in phase.passes}
MARK = "-- after\n"
UNCHANGED = "unchanged"
#: How far float32 may be off where a case says nothing: NumPy adds in another order on another CPU, also where a matrix
#: lies the other way round.
ROUNDING = 1e-6
_FIELDS = ("dims", "entry", "machine", "math", "steady", "opens", "tolerance")
_CALL = re.compile(r"(\w+)(?:\((.*)\))?")


@dataclass(frozen=True)
class Case:
    """One file: everything before the mark as it stands, and what is in it."""

    head: str
    what: str
    entry: str
    machine: Machine
    dims: Mapping[str, int]
    before: Graph
    after: str
    math: Math = "fast"
    steady: bool = False
    opens: bool = False
    tolerance: float | None = None

    def near(self, value: np.ndarray) -> float:
        """How far values like ``value`` may be off."""
        rounding = ROUNDING if value.dtype == np.float32 else 0.0
        tolerance = rounding if self.tolerance is None else self.tolerance
        return 1e-12 + tolerance * float(np.abs(value).max(initial=0))

    @property
    def one(self) -> Pass:
        """The pass that is named. Raises ValueError."""
        return _pass(self.what)

    def run(self) -> list[Graph]:
        """The graphs that the pass makes, the one that it was given last; none where it changes nothing."""
        context = PassContext(self.entry, self.machine, self.math, self.steady)
        found = Phase("one", (self.one,)).run(self.before, context)
        return [*context.split.values(), *(() if found is self.before else (found,))]

    def inputs(self) -> dict[str, np.ndarray]:
        """Arrays for the inputs of the graph before: floats are normal, integers small, the same at each call."""
        random = np.random.default_rng(0)
        found: dict[str, np.ndarray] = {}
        for name, value in self.before.inputs.items():
            type = self.before.type(value)
            shape = tuple(evaluate(size, self.dims) for size in type.shape)
            kind = np.dtype(type.dtype).kind
            drawn = random.normal(size=shape) if kind == "f" else random.integers(0, 2, shape)
            found[name] = np.asarray(drawn).astype(type.dtype)
        return found


def read_case(path: Path, key: str = "pass", before: str = MARK) -> Case:
    """The case in a file: its line ``key`` says what is done with the graph, and after its line ``before`` stands what
    comes of that. Raises ValueError."""
    head, mark, after = path.read_text(encoding="utf-8").partition(before)
    fields: dict[str, str] = {}
    lines = head.splitlines(keepends=True)
    while lines and not lines[0].startswith("graph"):
        line = lines.pop(0).strip()
        if line and not line.startswith("#"):
            name, _, value = line.partition(":")
            fields[name] = value.strip()
    if not mark or fields.keys() - {key, *_FIELDS} or key not in fields:
        raise ValueError(f"{path} needs a line «{key}:», a graph, and a line «{before.strip()}»")
    dims = dict(part.split("=") for part in fields.get("dims", "").split())
    return Case(
        head,
        fields[key],
        fields.get("entry", ""),
        {**MACHINES, "cortex": CORTEX, "large_caches": LARGE_CACHES}[fields.get("machine", "avx512")],
        {name: int(size) for name, size in dims.items()},
        parse_graph("".join(lines)),
        after.strip(),
        "strict" if fields.get("math") == "strict" else "fast",
        _is_set(path, fields, "steady"),
        _is_set(path, fields, "opens"),
        float(fields["tolerance"]) if "tolerance" in fields else None,
    )


def _is_set(path: Path, fields: Mapping[str, str], name: str) -> bool:
    if fields.get(name, "yes") != "yes":
        raise ValueError(f"{path}: a line «{name}: yes», or none")
    return name in fields


def _pass(text: str) -> Pass:
    """The pass of ``name`` or ``name(option=value, …)``."""
    call = _CALL.fullmatch(text)
    if call is None or call[1] not in PASSES:
        raise ValueError(f"there is no pass {text!r}, but {', '.join(PASSES)}")
    options: dict[str, Any] = {}
    for part in filter(None, (call[2] or "").split(",")):
        name, _, value = part.partition("=")
        options[name.strip()] = ast.literal_eval(value.strip())
    return PASSES[call[1]](**options)
