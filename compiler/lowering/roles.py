"""The role of each operation when a graph becomes kernels.

- *inline*: views and generators; they need no memory: a kernel that reads them computes an index or an element.
- *alias*: a reshape that moves nothing: the same storage in another shape.
- *destination*: concat, interleave and pad; the kernels of their operands store directly into the result.
- *member*: elementwise operations, contractions and small windows; they are fused into groups.
- *opaque*: an operation with a kernel of its own.
- *loop*: scan.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from netwright.specs.dims import Shape

from ..graph.graph import Graph
from ..graph.node import Node, Value
from ..ops.base import Contraction, Elementwise, Generator, Opaque, View, primitive
from ..ops.constant import ConstantAttributes
from ..ops.slice_pad import PadAttributes

Role = Literal["input", "inline", "alias", "destination", "member", "opaque", "loop", "array"]

#: Windows up to this many cells are evaluated inline, cell by cell, wherever they are read.
INLINE_WINDOW = 32


class Roles:
    """The roles of a graph's nodes, and the values that chains of inline operations read; both are computed once."""

    def __init__(self, graph: Graph):
        self.graph = graph
        self._outputs = set(graph.outputs.values())
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
        return "destination" if op.name in ("concat", "interleave") else "inline"

    def _is_read_in_line(self, node: Node, attrs: PadAttributes) -> bool:
        """Whether all readers of a pad are windows, which can guard their loads. The axis of the lanes cannot be
        guarded."""
        if any(attrs.interior) or attrs.low[-1:] + attrs.high[-1:] not in ((), (0, 0)):
            return False
        users = self.graph.uses(node.values[0])
        return all(user.op == "reduce_window" for user, _ in users) and node.values[0] not in self._outputs

    def bases(self, value: Value) -> tuple[tuple[Value, bool], ...]:
        """The values that reading ``value`` reads in the end, each with whether it is read at the same index."""
        stack = [value]
        while stack:
            node = self.graph.producer(stack[-1])
            below = self.graph.operands(node) if self.role(node) == "inline" else ()
            waiting = [operand for operand in below if operand not in self._bases]
            if waiting:
                stack += waiting
                continue
            one = stack.pop()
            if self.role(node) != "inline":
                self._bases[one] = ((one, True),)
            else:
                self._bases[one] = tuple((base, False) for v in below for base, _ in self._bases[v])
        return self._bases[value]

    def unreshaped(self, value: Value) -> Value:
        """The value that ``value`` is a reshape of: the end of a chain of aliases."""
        while self.role(node := self.graph.producer(value)) == "alias":
            (value,) = self.graph.operands(node)
        return value

    def readers(self, value: Value) -> Iterator[Node]:
        """The nodes that read ``value``, directly or through chains of inline operations."""
        stack = [value]
        while stack:
            for user, _ in self.graph.uses(stack.pop()):
                if self.role(user) == "inline":
                    stack.append(user.values[0])
                else:
                    yield user


def squeezed(shape: Shape) -> Shape:
    """``shape`` without its unit axes."""
    return tuple(size for size in shape if size != 1)
