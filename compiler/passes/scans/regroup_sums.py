"""Inside scans, first adds the terms that do not depend on the state: (x @ W + h @ U) + b becomes (x @ W + b) + h @
U.

Then the bias leaves the loop together with the input half. This reassociates sums: they round differently than
written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import ClassVar

from ...graph.analysis import dependents
from ...graph.graph import Graph
from ...graph.node import Node, Value
from ...graph.types import FLOATS
from ...ops.scans.scan_attributes import ScanAttributes
from ..base import Pass, PassContext


@dataclass(frozen=True)
class RegroupSums(Pass):
    """Regroups sums with at least two terms that do not depend on the state, if no partial sum has another reader."""

    name: ClassVar[str] = "regroup_sums"

    def run(self, graph: Graph, context: PassContext) -> Graph:
        def rule(new: Graph, node: Node, operands: tuple[Value, ...]) -> Sequence[Value] | None:
            attrs = node.attrs
            if not isinstance(attrs, ScanAttributes):
                return None
            body = _regroup(attrs, context)
            return None if body is attrs.body else new.add("scan", operands, replace(attrs, body=body)).values

        return graph.rewrite(rule)


def _regroup(attrs: ScanAttributes, context: PassContext) -> Graph:
    body = attrs.body
    carries = list(body.inputs.values())[attrs.n_consts : attrs.n_consts + attrs.n_carries]
    looping = dependents(body, carries)
    outputs = set(body.outputs.values())
    terms: dict[Value, list[Value]] = {}  # for sums that depend on the state
    inner: set[Value] = set()  # sums that are a term of another sum only
    for node in body:
        if node.op != "add" or node.values[0] not in looping or node.types[0].dtype not in FLOATS:
            continue
        value = node.values[0]
        terms[value] = []
        for operand in body.operands(node):
            if operand in terms and operand not in outputs and len(body.uses(operand)) == 1:
                inner.add(operand)
                terms[value] += terms[operand]
            else:
                terms[value].append(operand)
    moved: dict[Value, Value] = {}

    def rule(new: Graph, node: Node, operands: tuple[Value, ...]) -> Sequence[Value] | None:
        # Each term is an operand of this sum, or of a partial sum in it, which came before.
        moved.update(zip(body.operands(node), operands, strict=True))
        value = node.values[0]
        own = terms.get(value, [])
        fixed = [term for term in own if term not in looping]
        if value in inner or len(fixed) < 2:
            return None
        rest = [moved[term] for term in own if term in looping]
        first = reduce(lambda a, b: new.apply("add", a, b), [moved[term] for term in fixed])
        return [reduce(lambda a, b: new.apply("add", a, b), rest, first)]

    return body.rewrite(context.limit(rule))
