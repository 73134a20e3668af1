"""Bodies of loops: what is fixed in them as a value outside, what of theirs is observed, and further consts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ..graph.graph import Graph
from ..graph.node import Node, Value
from ..ops.scans.scan_attributes import ScanAttributes


def body_of(loop: Node) -> Graph:
    """The body of a scan."""
    assert isinstance(loop.attrs, ScanAttributes)
    return loop.attrs.body


def outside(
    graph: Graph, loops: Sequence[Node], value: Value, known: dict[tuple[int, Value], Value] | None = None
) -> Value:
    """A ``value`` of the body of the last of ``loops`` that is the same in every step, as one of ``graph``, to which
    the operations are added that compute it. ``known``: values that are there, by the number of loops around them."""
    if not loops:
        return value
    known = {} if known is None else known
    *around, loop = loops
    body = body_of(loop)
    node = body.producer(value)
    if node.op == "input":
        operands = (body_of(around[-1]) if around else graph).operands(loop)
        return outside(graph, around, operands[list(body.inputs.values()).index(value)], known)
    if (len(loops), value) not in known:
        operands = [outside(graph, loops, operand, known) for operand in body.operands(node)]
        values = graph.add(node.op, operands, node.attrs, layer=node.layer).values
        known |= {(len(loops), own): made for own, made in zip(node.values, values, strict=True)}
    return known[len(loops), value]


def observed(graph: Graph, places: Mapping[str, tuple[Sequence[Node], Value]]) -> Graph:
    """The graph with further outputs: values by name, each in the body of the last of so many loops. Those in loops
    are of all steps, which are their first axes."""
    inner: dict[int, dict[str, tuple[Sequence[Node], Value]]] = {}
    for name, (loops, value) in places.items():
        if loops:
            inner.setdefault(loops[0].id, {})[name] = loops[1:], value
    stacked: dict[str, Value] = {}

    def rule(new: Graph, node: Node, operands: tuple[Value, ...]) -> Sequence[Value] | None:
        if node.id not in inner:
            return None
        assert isinstance(node.attrs, ScanAttributes)
        body = observed(node.attrs.body, inner[node.id])
        values = new.add(node.op, operands, replace(node.attrs, body=body)).values
        stacked.update(zip(inner[node.id], values[len(node.types) :], strict=True))
        return values[: len(node.types)]

    new, moved = graph.rewrite_with_values(rule)
    new = new.copy()
    for name, (loops, value) in places.items():
        new.set_output(name, stacked[name] if loops else moved[value])
    return new


def with_consts(attrs: ScanAttributes, body: Graph, names: Iterable[str]) -> ScanAttributes:
    """The scan with another ``body``, whose further inputs of these ``names`` follow its consts."""
    names = list(names)
    inner = Graph(body.name)
    old = [name for name in body.inputs if name not in names]
    order = [*old[: attrs.n_consts], *names, *old[attrs.n_consts :]]
    given = {name: inner.input(name, body.type(body.inputs[name]), "body") for name in order}
    values = inner.inline(body, [given[name] for name in body.inputs])
    for name, value in zip(body.outputs, values, strict=True):
        inner.set_output(name, value)
    return replace(attrs, body=inner, n_consts=attrs.n_consts + len(names))
