"""Which integers a graph's inputs may hold where these are positions in a table, or lengths of sequences.

Native code finds a value out of range in the middle of a kernel, and returns an error code. With these ranges, a host
can then tell which array, which sample and which value it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from netwright.specs.dims import DimLike
from netwright.specs.manifest import LENGTH_OUT_OF_RANGE, RangeInfo

from .graph.analysis import ancestors
from .graph.graph import Graph
from .graph.node import InputAttributes, Node, Value
from .ops.base import primitive
from .ops.values.constant import ConstantAttributes
from .ops.values.within import WithinAttributes


@dataclass(frozen=True, slots=True)
class _Origin:
    """An input that a value comes from: under which conditions its elements need not be in range (``unless``), the
    least value allowed, and whether only some elements are used (``partial``)."""

    input: Value
    unless: tuple[Value, ...] = ()
    low: int = 0
    partial: bool = False


def input_ranges(graph: Graph) -> dict[str, list[RangeInfo]]:
    """The ranges of each input that has any, in the order in which the graph checks them."""
    ranges: dict[str, list[RangeInfo]] = {}
    for node in graph:
        checked = _checked(graph, node)
        if checked is None:
            continue
        value, limit, what = checked
        for origin in _behind(graph, value):
            own = graph.producer(origin.input).attrs
            assert isinstance(own, InputAttributes)
            exempt = _exempt(graph, origin)
            kind = "class" if own.role == "target" and what == "index" else what
            info = RangeInfo(
                what=kind,
                low=origin.low,
                high=str(limit - 1),
                unless=exempt or [],
                partial=origin.partial or exempt is None,
            )
            known = ranges.setdefault(own.name, [])
            if info not in known:
                known.append(info)
    return ranges


def merged_ranges(graphs: Iterable[Graph]) -> dict[str, list[RangeInfo]]:
    """The ranges of the inputs of several graphs."""
    merged: dict[str, list[RangeInfo]] = {}
    for graph in graphs:
        for name, ranges in input_ranges(graph).items():
            known = merged.setdefault(name, [])
            known += [info for info in ranges if info not in known]
    return merged


def _checked(graph: Graph, node: Node) -> tuple[Value, DimLike, Literal["index", "length"]] | None:
    if isinstance(node.attrs, WithinAttributes):
        what = "length" if node.attrs.code == LENGTH_OUT_OF_RANGE else "index"
        return graph.operands(node)[0], node.attrs.limit, what
    if node.op == "gather":
        table, indices = graph.operands(node)
        return indices, graph.type(table).shape[0], "index"
    return None


def _behind(graph: Graph, value: Value) -> Sequence[_Origin]:
    """The input that a value's elements come from unchanged; empty if they are computed."""
    unless: list[Value] = []
    partial, low = False, 0
    while True:
        node = graph.producer(value)
        operands = graph.operands(node)
        if node.op == "input":
            return [_Origin(value, tuple(unless), low, partial)]
        if node.op == "select":
            condition, chosen, other = operands
            if _constant(graph, other) is not None:
                unless.append(condition)
                value = chosen
            elif (size := _from_end(graph, condition, chosen, other)) is not None:
                low, value = -size, other
            else:
                return []
        elif operands and (unchanged := primitive(node.op).unchanged) is not None:
            partial = partial or unchanged == "some"
            value = operands[0]
        else:
            return []


def _constant(graph: Graph, value: Value) -> ConstantAttributes | None:
    """The constant that ``value`` is, in another shape."""
    while (node := graph.producer(value)).op != "input" and primitive(node.op).unchanged == "all":
        value = graph.operands(node)[0]
    return node.attrs if isinstance(node.attrs, ConstantAttributes) else None


def _from_end(graph: Graph, condition: Value, shifted: Value, plain: Value) -> int | None:
    """The size by which negative positions are shifted, in `select(x < 0, x + size, x)`."""
    test, sum_ = graph.producer(condition), graph.producer(shifted)
    if test.op != "lt" or sum_.op != "add" or graph.operands(test)[0] != plain:
        return None
    first, second = graph.operands(sum_)
    constant = _constant(graph, second)
    size = constant.scalar if constant is not None else None
    return int(size) if first == plain and size is not None else None


def _exempt(graph: Graph, origin: _Origin) -> list[str] | None:
    """The inputs that alone say which elements count: lengths `[N]`, or masks in the shape of the leading axes.

    None if something else decides it, too.
    """
    shape = graph.type(origin.input).shape
    names: list[str] = []
    for condition in origin.unless:
        for value in sorted(ancestors(graph, [condition]), key=lambda value: value.node):
            own = graph.producer(value).attrs
            if not isinstance(own, InputAttributes):
                continue
            type = graph.type(value)
            lengths = type.rank == 1 and type.dtype in ("int32", "int64")
            if own.role not in ("input", "target") or not (lengths or type.shape == shape[: type.rank]):
                return None
            if own.name not in names:
                names.append(own.name)
    return names
