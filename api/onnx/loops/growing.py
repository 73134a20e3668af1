"""States of a loop that grow by one tensor per step: lists, and tensors that are concatenated. They become outputs of
the loop.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..context import Context
from ..errors import Refusal
from ..listing import in_a_row, moved, stack_of
from ..operands import Known, Listed, Value
from ..reading import Node
from .counting import Steps


@dataclass(frozen=True)
class Growing:
    """A state to which each step appends ``part``."""

    start: Value
    part: str
    """The name of the value that is appended."""
    axis: int = 0
    """The axis along which the parts are concatenated, if the state is not a list."""
    new: bool = False
    """Whether that is a new axis."""

    def after(self, ctx: Context, parts: Value) -> Value:
        """The state after the last step; ``parts`` are stacked."""
        if isinstance(parts, Listed):
            raise Refusal("each step appends a sequence of tensors")
        if isinstance(self.start, Listed):
            rows = [parts] if self.start.count == 0 else [stack_of(ctx, self.start), parts]
            whole = ctx.conversion.operation("Concat", rows, axis=0) if len(rows) > 1 else parts
            assert not isinstance(whole, Listed)
            return Listed(whole.dtype, whole=whole)
        added = moved(ctx, parts, self.axis) if self.new else in_a_row(ctx, parts, self.axis)
        return ctx.conversion.operation("Concat", [self.start, added], axis=self.axis)


def growing(steps: Steps, nodes: list[Node], starts: Mapping[str, Value]) -> dict[str, Growing]:
    """The growing states of a body, by name. Nothing else may read them before the loop's end."""
    reads: dict[str, int] = {}
    for node in nodes:
        if node.op != "Identity":
            for name in node.reads:
                reads[steps.source(name)] = reads.get(steps.source(name), 0) + 1
    outputs = [steps.source(name) for name in steps.body.outputs]
    growths = {}
    for name, result in zip(steps.body.inputs[2:], outputs[1:], strict=False):
        node = steps.makers.get(result)
        if node is None or name not in starts or steps.source(node.inputs[0]) != name:
            continue
        alone = reads.get(name) == 1 and not reads.get(result) and outputs.count(result) == 1
        if alone and name not in outputs and (growth := _growing(steps, node, starts[name])) is not None:
            growths[name] = growth
    return growths


def _growing(steps: Steps, node: Node, start: Value) -> Growing | None:
    """What a node appends to a state."""
    if node.domain or len(node.inputs) != 2:
        return None
    part = node.inputs[1]
    if node.op == "SequenceInsert" and isinstance(start, Listed):
        return Growing(start, part)
    axis = node.attributes.get("axis")
    rank = len(start.shape)
    if node.op != "Concat" or not isinstance(axis, int) or not -rank <= axis < rank:
        return None
    axis %= rank
    maker = steps.makers.get(steps.source(part))
    if maker is not None and maker.op == "Unsqueeze" and _axes(steps, maker) in ([axis], [axis - rank]):
        return Growing(start, maker.inputs[0], axis, new=True)
    return Growing(start, part, axis)


def _axes(steps: Steps, node: Node) -> list[int] | None:
    """The axes of an Unsqueeze, if they are known."""
    axes = node.attributes.get("axes")
    if axes is None and len(node.inputs) > 1:
        value = steps.conversion.values.get(steps.source(node.inputs[1]))
        axes = value.array.reshape(-1) if isinstance(value, Known) and not value.is_open else None
    return None if axes is None else np.asarray(axes, np.int64).tolist()
