"""Goes through all statements of a body: its loops, and its accesses to memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from netwright.specs.dims import DimLike

from . import ir
from .checks.calls import statements_of
from .expressions import postorder


class Access(NamedTuple):
    """A load, a store or a prefetch: the buffer, the indices, and how many elements (None: as many as lanes)."""

    buffer: str
    indices: Sequence[DimLike]
    count: DimLike | None


def loops_of(body: Iterable[ir.Stmt]) -> Iterator[ir.For]:
    """All loops, outer ones first."""
    return (statement for statement in statements_of(body) if isinstance(statement, ir.For))


def parallel_nest(loop: ir.For) -> tuple[ir.For, ...]:
    """A parallel loop and those that form a nest with it, outermost first."""
    nest = [loop]
    while (
        len(nest[-1].body) == 1 and isinstance(inner := nest[-1].body[0], ir.For) and inner.kind == "parallel"
    ):
        nest.append(inner)
    return tuple(nest)


def accesses_of(body: Iterable[ir.Stmt]) -> Iterator[Access]:
    """All accesses to memory; calls make none themselves."""
    for statement in statements_of(body):
        match statement:
            case ir.Prefetch(buffer, indices):
                yield Access(buffer, indices, None)
            case ir.Declare() | ir.Assign() | ir.Store() | ir.LetIndex():
                if isinstance(statement, ir.Store):
                    yield Access(statement.buffer, statement.indices, statement.count)
                for node in postorder(statement.value):
                    if isinstance(node, ir.Load):
                        yield Access(node.buffer, node.indices, node.count)
            case _:
                pass
