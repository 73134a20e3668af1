"""One node of a loop's body, with its operands as terms."""

from __future__ import annotations

from typing import Any

import numpy as np

from netwright.specs.dims import Dim, DimLike

from ..errors import Refusal
from ..operands import Known
from ..reading import Node
from .body_values import BodyValues
from .terms import Term


class Step:
    """What the rule for an operator works with."""

    def __init__(self, writer: BodyValues, node: Node):
        self.writer, self.node = writer, node

    @property
    def opset(self) -> int:
        return self.writer.opset

    def has(self, position: int) -> bool:
        """Whether an operand is given."""
        return position < len(self.node.inputs) and bool(self.node.inputs[position])

    def term(self, position: int = 0) -> Term:
        """An operand as an expression. Raises Refusal."""
        if not self.has(position):
            raise Refusal(f"operand {position} is missing")
        return self.writer.term(self.node.inputs[position])

    def terms(self) -> list[Term]:
        """All operands, for an elementwise operation."""
        return self.together(*range(len(self.node.inputs)))

    def together(self, *positions: int) -> list[Term]:
        """Operands of an elementwise operation; constants are put as the values of samples are held that they meet."""
        values = [self.writer.values.get(self.writer.source(self.node.inputs[i])) for i in positions]
        terms = [value for value in values if isinstance(value, Term)]
        sample = next((term for term in terms if term.order), next((t for t in terms if t.batched), None))
        return [self.writer.laid(self.node.inputs[i], sample) for i in positions]

    def known(self, position: int) -> Known | None:
        """An operand that is known at import time."""
        return self.writer.known(self.node.inputs[position]) if self.has(position) else None

    def attribute(self, name: str, default: Any = None) -> Any:
        """An attribute."""
        return self.node.attributes.get(name, default)

    def integers(self, position: int, name: str) -> list[int] | None:
        """Whole numbers from an operand or, in older opsets, an attribute. Raises Refusal."""
        if name in self.node.attributes:
            return [int(axis) for axis in self.node.attributes[name]]
        if not self.has(position):
            return None
        return [int(axis) for axis in self.sizes(position) if not isinstance(axis, Dim)]

    def sizes(self, position: int) -> list[DimLike]:
        """An operand that is a shape. Raises Refusal if it is computed at run time."""
        known = self.known(position)
        if known is None:
            raise Refusal(f"operand {position} has to be constant")
        return [size if isinstance(size, Dim) else int(size) for size in np.ravel(known.array)]

    def axis(self, term: Term, axis: int) -> int:
        """An axis of ONNX's tensor as an axis of the sample. Raises Refusal for the axis of the samples."""
        rank = len(term.view) + term.batched
        position = axis + rank if axis < 0 else axis
        if not 0 <= position < rank:
            raise Refusal(f"there is no axis {axis} among {rank}")
        if term.batched and position == 0:
            raise Refusal("works across the samples")
        return position - term.batched

    def own_axis(self, term: Term, axis: int) -> int:
        """The same axis counted in the text's shape, which has fewer leading axes of size 1."""
        if term.order:
            position = self.axis(term, axis)
            if position not in term.order:
                raise Refusal(f"axis {axis} has one cell")
            return term.order.index(position)
        position = self.axis(term, axis) - len(term.exact().view) + len(term.shape)
        if position < 0:
            raise Refusal(f"there is no axis {axis}")
        return position
