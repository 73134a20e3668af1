"""What part each operation plays when a graph becomes kernels.

- *inline*: views and generators; they cost an index, not memory, and are read through.
- *alias*: a reshape that moves nothing: the same storage in another shape.
- *destination*: concat and pad; their operands' kernels store straight into the result.
- *member*: elementwise operations, contractions and small windows; they are fused into groups.
- *opaque*: a kernel of its own.
- *loop*: scan.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from netwright.specs.dims import Shape

from ..graph.graph import Graph, Node, Value
from ..ops.base import Contraction, Elementwise, Generator, Opaque, View
from ..ops.constant import ConstantAttributes
from ..ops.registry import primitive
from ..ops.slice_pad import PadAttributes

Role = Literal["input", "inline", "alias", "destination", "member", "opaque", "loop", "array"]

#: Windows up to this many cells are evaluated in line, cell by cell, inside whatever reads them.
INLINE_WINDOW = 32


class Roles:
    """Roles of a graph's nodes, and the values that inline chains lead to; both are computed once."""

    def __init__(self, graph: Graph):
        self.graph = graph
        self._roles: dict[int, Role] = {}
        self._bases: dict[Value, tuple[tuple[Value, bool], ...]] = {}

    def role(self, node: Node) -> Role:
        found = self._roles.get(node.id)
        if found is None:
            found = self._roles[node.id] = self._role(node)
        return found

    def _role(self, node: Node) -> Role:
        if node.op == "input":
            return "input"
        if node.op == "scan":
            return "loop"
        op = primitive(node.op)
        if isinstance(op, Elementwise | Contraction):
            return "member"
        if isinstance(op, Opaque):
            return "opaque"
        if isinstance(op, Generator):
            is_array = isinstance(node.attrs, ConstantAttributes) and node.attrs.scalar is None
            return "array" if is_array else "inline"
        assert isinstance(op, View), node.op
        if op.name == "reshape":
            (source,) = self.graph.operands(node)
            same = squeezed(self.graph.type(source).shape) == squeezed(node.types[0].shape)
            return "inline" if same else "alias"
        if isinstance(node.attrs, PadAttributes):
            return "inline" if self._is_read_in_line(node, node.attrs) else "destination"
        return "destination" if op.name == "concat" else "inline"

    def _is_read_in_line(self, node: Node, attrs: PadAttributes) -> bool:
        """Whether only windows read a pad, which guard their loads; the axis of the lanes cannot be guarded."""
        if any(attrs.interior) or attrs.low[-1:] + attrs.high[-1:] not in ((), (0, 0)):
            return False
        users = self.graph.uses(node.values[0])
        return all(user.op == "reduce_window" for user, _ in users) and node.values[0] not in set(
            self.graph.outputs.values()
        )

    def bases(self, value: Value) -> tuple[tuple[Value, bool], ...]:
        """The values that reading ``value`` reads in the end, and whether at the very same index."""
        found = self._bases.get(value)
        if found is None:
            node = self.graph.producer(value)
            if self.role(node) != "inline":
                found = ((value, True),)
            else:
                found = tuple((base, False) for v in self.graph.operands(node) for base, _ in self.bases(v))
            self._bases[value] = found
        return found

    def readers(self, value: Value) -> Iterator[Node]:
        """The nodes that read ``value``, directly or through inline chains."""
        for user, _ in self.graph.uses(value):
            if self.role(user) == "inline":
                yield from self.readers(user.values[0])
            else:
                yield user


def squeezed(shape: Shape) -> Shape:
    """``shape`` without its unit axes."""
    return tuple(size for size in shape if size != 1)
