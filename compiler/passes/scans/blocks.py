"""Writes a scan as a scan over blocks of steps, and a scan of single steps for those that fill no block."""

from __future__ import annotations

from collections.abc import Sequence

from netwright.specs.dims import DimLike

from ...graph.graph import Graph
from ...graph.node import Value
from ...ops.scans.scan_attributes import ScanAttributes
from ...ops.views.concat import ConcatAttributes
from ...ops.views.layout import ReshapeAttributes
from ...ops.views.slice_pad import SliceAttributes


def block_inputs(block: Graph, attrs: ScanAttributes, steps: int) -> list[Value]:
    """Declares the inputs of a body of ``steps`` steps: those of the body of ``attrs``, with xs as sequences."""
    inputs: list[Value] = []
    for position, (name, value) in enumerate(attrs.body.inputs.items()):
        type = attrs.body.type(value)
        is_x = position >= attrs.n_consts + attrs.n_carries
        inputs.append(block.input(name, type.with_shape((steps, *type.shape)) if is_x else type, "body"))
    return inputs


def in_blocks(
    graph: Graph,
    attrs: ScanAttributes,
    operands: Sequence[Value],
    steps: int,
    blocks: ScanAttributes,
    single: ScanAttributes,
) -> Sequence[Value]:
    """The results of the scan ``attrs``, of at least ``steps`` steps: as ``blocks``, whose body takes ``steps`` steps
    and whose length is set here, and as ``single`` for the remaining steps, which are computed last."""
    length = attrs.length
    number = length // steps
    written = number * steps
    rest = length - written
    # The remaining steps are computed last: they are at the end or, in reverse, at the beginning.
    first, last = ((rest, length), (0, rest)) if attrs.reverse else ((0, written), (written, length))
    k, c = attrs.n_consts, attrs.n_carries
    consts, carries, sequences = operands[:k], operands[k : k + c], operands[k + c :]
    xs = [_part(graph, x, *first) for x in sequences]
    xs = [_reshaped(graph, x, (number, steps, *graph.type(x).shape[1:])) for x in xs]
    main = blocks.with_length(number)
    results = graph.add("scan", [*consts, *carries, *xs], main).values
    carries, ys = results[:c], results[c:]
    ys = [_reshaped(graph, y, (written, *graph.type(y).shape[2:])) for y in ys]
    if rest == 0:
        return [*carries, *ys]
    xs = [_part(graph, x, *last) for x in sequences]
    results = graph.add("scan", [*consts, *carries, *xs], single.with_length(rest)).values
    tails = results[c:]
    pairs = zip(tails, ys, strict=True) if attrs.reverse else zip(ys, tails, strict=True)
    joined = [graph.apply("concat", *pair, attrs=ConcatAttributes(0)) for pair in pairs]
    return [*results[:c], *joined]


def _part(graph: Graph, x: Value, start: DimLike, limit: DimLike) -> Value:
    shape = graph.type(x).shape
    if (start, limit) == (0, shape[0]):
        return x
    return graph.apply("slice", x, attrs=SliceAttributes.along(shape, 0, start, limit))


def _reshaped(graph: Graph, x: Value, shape: tuple[DimLike, ...]) -> Value:
    return graph.apply("reshape", x, attrs=ReshapeAttributes(shape))
