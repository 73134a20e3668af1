"""Which operations of a scan's body can be done for all steps at once, and which of these should be."""

from __future__ import annotations

from collections.abc import Sequence

from netwright.specs.dims import DimLike, product

from ...graph.graph import Graph
from ...graph.node import Node, Value
from ...ops.base import primitive
from ...ops.protocols import contraction
from ...ops.scans.scan_attributes import ScanAttributes
from ..ordered import in_order


def is_anchor(node: Node, max_rows: int) -> bool:
    """Whether ``node`` is worth doing for all steps at once: a product with few rows. Other operations follow their
    readers."""
    op, rows = contraction(node), product(node.types[0].shape[:-1])
    return op is not None and op.factor_count > 1 and (not isinstance(rows, int) or rows <= max_rows)


def vectorizes(attrs: ScanAttributes, node: Node, stacked: Sequence[bool]) -> bool:
    """Whether ``node`` of the body has a rule for all steps at once, given which of its operands are ``stacked``
    sequences."""
    if not any(stacked):
        return False
    scratch, body = Graph(), attrs.body
    values = []
    for i, (value, has) in enumerate(zip(body.operands(node), stacked, strict=True)):
        type_ = body.type(value)
        values.append(scratch.input(str(i), attrs.stacked(type_) if has else type_))
    return primitive(node.op).vectorize(scratch, node.attrs, values, stacked, attrs.length) is not None


def for_all_steps(
    graph: Graph,
    body: Graph,
    node: Node,
    operands: Sequence[Value],
    stacked: Sequence[bool],
    length: DimLike,
    *,
    ordered: bool,
) -> Value:
    """Appends ``node`` of ``body``, which vectorizes, for ``length`` steps at once, and returns its result.

    With ``ordered``, the bits of a product's rows do not depend on how many steps there are.
    """
    attrs = in_order(body, node) if ordered else node.attrs
    result = primitive(node.op).vectorize(graph, attrs, operands, stacked, length)
    assert result is not None
    return result
