"""Whether a kernel computes every element of its buffers by itself, and in the same way: then it may be run for any
part of them, with the same results.

All buffers that it writes have one axis, of as many elements as a dim says. Its loops go over vectors of these. Lane by
lane, a vector is computed from the same elements of other buffers, and from what all elements have in common.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

from netwright.specs.dims import DimLike, dim, dim_symbols

from .. import ir
from ..expressions import operands_of, postorder

_BY_LANE = (ir.Const, ir.Unary, ir.Binary, ir.Fma, ir.Compare, ir.Select, ir.Cast, ir.Bitcast, ir.Broadcast)


def is_lanewise(function: ir.Function, name: str) -> bool:
    """Whether each of the ``name`` elements is computed by itself, as every other one; False if that cannot be
    shown."""
    elements: set[str] = set()
    for buffer in function.buffers:
        if buffer.access == "readwrite":  # as all local ones are
            return False
        if buffer.shape == (dim(name),):
            elements.add(buffer.name)
        elif buffer.access == "write" or any(name in dim_symbols(size) for size in buffer.shape):
            return False
    loops = [statement for statement in function.body if isinstance(statement, ir.For)]
    if len(loops) < len(function.body):
        return False
    made = [_Loop(name, elements).stored(loop) for loop in loops]
    return bool(made) and None not in made and all(stored == made[0] for stored in made)


class _Unlike(Exception):
    """An element is not shown to be computed by itself."""


@dataclass
class _Loop:
    """One loop over vectors; ``elements`` are the buffers with an element for each of the ``name``."""

    name: str
    elements: set[str]
    at: tuple[DimLike, int] | None = None
    """Where the present vector begins, and how many lanes it has."""
    values: dict[str, Hashable] = field(default_factory=dict)

    def stored(self, loop: ir.For) -> dict[str, Hashable] | None:
        """What is stored to an element of each buffer, computed from the elements there; None if it is not."""
        stored: dict[str, Hashable] = {}
        try:
            for statement in loop.body:
                match statement:
                    case ir.Declare(name, value):
                        self.values[name] = self._term(value)
                    case ir.Store(buffer, indices, value, count, ()):
                        self._begin(indices[0], value.type.lanes, count)
                        stored[buffer] = self._term(value)
                    case _:
                        return None
        except _Unlike:
            return None
        return stored

    def _begin(self, at: DimLike, lanes: int, count: DimLike | None) -> None:
        """Notes that a vector of ``lanes`` is read or written ``at``, or the first ``count`` of them."""
        self.at = self.at or (at, lanes)
        if self.at != (at, lanes) or (count is not None and count != dim(self.name) - at):
            raise _Unlike

    def _term(self, value: ir.Expr) -> Hashable:
        """What is computed for a lane."""
        terms: dict[int, Hashable] = {}
        for node in postorder(value):
            terms[id(node)] = self._of(node, tuple(terms[id(operand)] for operand in operands_of(node)))
        return terms[id(value)]

    def _of(self, node: ir.Expr, operands: tuple[Hashable, ...]) -> Hashable:
        if isinstance(node, ir.Read):
            return self.values[node.name]
        if isinstance(node, ir.Load):
            if node.buffer in self.elements and node.stride == 1 and not node.guards:
                self._begin(node.indices[0], node.type.lanes, node.count)
                return "element", node.buffer, node.type
            shared = node.type.lanes == 1 and not any(map(dim_symbols, node.indices))
            if node.buffer not in self.elements and shared and node.count is None and not node.guards:
                return "shared", node.buffer, node.indices, node.type
        elif isinstance(node, _BY_LANE):
            value = repr(node.value) if isinstance(node, ir.Const) else getattr(node, "op", None)
            return type(node), value, node.type, operands
        raise _Unlike
