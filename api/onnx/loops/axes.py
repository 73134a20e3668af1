"""Moves axes of size 1 that steps add to what they read in front of the loop, since the equations of cells can't add
axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..arrange import held_of
from ..context import Context
from ..operands import Known
from ..reading import Node
from .iteration import Iteration, Read


def with_axes(ctx: Context, loop: Iteration) -> Iteration:
    """The loop with sequences of images that have these axes already, if all readers of their parts add them."""
    if loop.batched:
        return loop
    names = loop.body.inputs[len(loop.states) :]
    nodes, reads = list(loop.body.nodes), list(loop.reads)
    for place, (name, read) in enumerate(zip(names, loop.reads, strict=True)):
        readers = [node for node in nodes if name in node.reads]
        axes = {_axes(loop, node, read.value.rank - 1) for node in readers}
        if read.value.rank < 4 or len(axes) != 1 or name in loop.body.outputs:
            continue
        if (added := axes.pop()) is not None:
            reads[place] = _widened(ctx, read, added)
            gone = {node.outputs[0] for node in readers}
            nodes = [
                replace(node, op="Identity", inputs=(name,), attributes={})
                if node.outputs[:1] and node.outputs[0] in gone
                else node
                for node in nodes
            ]
    return replace(loop, body=replace(loop.body, nodes=tuple(nodes)), reads=tuple(reads))


def _axes(loop: Iteration, node: Node, rank: int) -> tuple[int, ...] | None:
    """The axes that a node adds to a part with this number of axes; None if it does something else."""
    if node.op != "Unsqueeze" or node.domain:
        return None
    axes = node.attributes.get("axes")
    if axes is None and len(node.inputs) > 1:
        name = node.inputs[1]
        known = loop.captured.get(name)
        array = known.array if isinstance(known, Known) else loop.body.constants.get(name)
        axes = None if array is None or array.dtype.kind not in "iu" else array.reshape(-1).tolist()
    if not axes:
        return None
    positions = tuple(sorted(axis % (rank + len(axes)) for axis in axes))
    return positions if positions[0] > 0 and len(set(positions)) == len(positions) else None


def _widened(ctx: Context, read: Read, axes: Sequence[int]) -> Read:
    """A sequence whose parts have additional axes of size 1."""
    rest = [axis for axis in range(read.value.rank - 1 + len(axes)) if axis not in axes]
    before = rest[read.time] if read.time < len(rest) else rest[-1] + 1
    moved = [axis + (axis >= before) for axis in axes]
    operands = [read.value, moved] if ctx.opset >= 13 else [read.value]
    attributes = {} if ctx.opset >= 13 else {"axes": tuple(moved)}
    widened = ctx.conversion.operation("Unsqueeze", operands, **attributes)
    return Read(held_of(ctx.writer, widened), before)
