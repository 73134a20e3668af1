"""Runs part of a kernel's iterations where all of them would take the interpreter too long.

Iterations of a loop that stores results may be left out, since each element is computed independently; iterations of
a loop that accumulates may not, nor may any if one iteration loads, or overwrites, what another one stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod
from random import Random

from netwright.specs.dims import dim_symbols

from .. import ir
from ..changes import changes
from ..checks.calls import statements_of
from ..expressions import postorder
from ..walks import loops_of, parallel_nest
from .run import size_of

#: The interpreter evaluates this many nodes of expressions in about a tenth of a second.
FEW = 12_000
MOST = 1_000_000
KEPT = (1 << 40, 4, 3, 2, 1)
"""How many iterations of each loop to try, largest first."""


class TooLarge(Exception):
    """Even one iteration of each loop takes too long."""


@dataclass(frozen=True)
class Sample:
    """Which iterations of a function's loops to run: all, or for each loop in ``free`` the first, the last and random
    ones."""

    free: frozenset[int]
    kept: int
    random: Random

    def __call__(self, loop: ir.For, span: range) -> Iterable[int]:
        if id(loop) not in self.free or len(span) <= self.kept:
            return span
        chosen = {span[0], span[-1]} if self.kept > 1 else set()
        while len(chosen) < self.kept:
            chosen.add(self.random.choice(span))
        return sorted(chosen)


def sample(function: ir.Function, dims: Mapping[str, int], random: Random) -> Sample:
    """As many iterations of ``function`` as run in a moment. Raises TooLarge if even one per loop exceeds ``MOST``
    nodes."""
    free = frozenset(_free_loops(function))
    for kept in KEPT:
        cost = _cost(function.body, dict(dims), free, kept)
        if cost <= FEW or (kept == KEPT[-1] and cost <= MOST):
            return Sample(free, kept, random)
    raise TooLarge(function.name)


def _free_loops(function: ir.Function) -> Iterable[int]:
    if _depends_on_order(function):
        # The iterations of one nest of parallel loops share nothing; of two nests this is not known.
        parallel = [loop for loop in loops_of(function.body) if loop.kind == "parallel"]
        if parallel and list(parallel_nest(parallel[0])) == parallel:
            yield from map(id, parallel)
        return
    for loop in loops_of(function.body):
        changed = changes(loop.body)
        declared = {each.name for each in statements_of(loop.body) if isinstance(each, ir.Declare)}
        if changed.buffers and not changed.registers - declared:
            yield id(loop)


def _depends_on_order(function: ir.Function) -> bool:
    """Whether an iteration may load what another one stored, unless each buffer is only updated in place; or store
    where another one did, which indices from data do not exclude."""
    stored: dict[str, list[tuple[ir.Index, ...]]] = {}
    loaded: dict[str, set[tuple[ir.Index, ...]]] = {}
    from_data: set[str] = set()
    stack = [*function.body]
    while stack:
        statement = stack.pop()
        match statement:
            case ir.For(body=body):
                stack += body
            case ir.If(body=body, orelse=orelse):
                stack += (*body, *orelse)
            case ir.Store(buffer, indices):
                stored.setdefault(buffer, []).append(indices)
            case ir.LetIndex(name):
                from_data.add(name)
            case _:
                pass
        if isinstance(statement, ir.Store | ir.Declare | ir.Assign | ir.LetIndex):
            for node in postorder(statement.value):
                if isinstance(node, ir.Load):
                    loaded.setdefault(node.buffer, set()).add(node.indices)
    return any(
        len(stored[buffer]) > 1 or loaded[buffer] != set(stored[buffer])
        for buffer in stored.keys() & loaded.keys()
    ) or any(
        from_data & dim_symbols(index)
        for places in stored.values()
        for indices in places
        for index in indices
    )


def _cost(body: Iterable[ir.Stmt], sizes: dict[str, int], free: frozenset[int], kept: int) -> int:
    """About how many nodes of expressions are evaluated, with the bounds of each loop as in the first iteration
    around it."""
    total = 0
    for statement in body:
        match statement:
            case ir.For(var, start, stop, inside, step):
                span = range(size_of(start, sizes), size_of(stop, sizes), step)
                count = min(len(span), kept) if id(statement) in free else len(span)
                if count:
                    total += count * _cost(inside, {**sizes, var: span[0]}, free, kept)
            case ir.If(_, inside, orelse):
                total += max(_cost(inside, sizes, free, kept), _cost(orelse, sizes, free, kept))
            case ir.LetIndex(name, value, low):
                total += len(postorder(value))
                sizes = {**sizes, name: size_of(low, sizes)}
            case ir.Store(value=value) | ir.Declare(value=value) | ir.Assign(value=value):
                total += len(postorder(value)) + 1
            case _:
                pass
    return total


def elements(buffer: ir.Buffer, dims: Mapping[str, int]) -> int:
    """How many elements a buffer has under a binding."""
    return prod(size_of(extent, dict(dims)) for extent in buffer.shape)
