"""Divides recurrences with ``checkpoint: k`` into blocks of k steps, of which only the states between them are kept.

The scan becomes a scan over blocks, whose body is a scan over the steps of a block. The gradient of the outer scan
keeps nothing but its states: it computes a block again, now with a tape, and then goes back through it
(``ops/scans/scan_tape``). The steps that fill no block come last, so they need not be computed again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from ...graph.graph import Graph
from ...graph.node import Node, Value
from ...ops.scans.scan_attributes import ScanAttributes
from ..base import Pass, PassContext
from .blocks import block_inputs, in_blocks


@dataclass(frozen=True)
class CheckpointScans(Pass):
    """Divides scans with a ``checkpoint`` into blocks, unless a single block has all steps."""

    name: ClassVar[str] = "checkpoint_scans"

    def run(self, graph: Graph, context: PassContext) -> Graph:
        def rule(new: Graph, node: Node, operands: tuple[Value, ...]) -> Sequence[Value] | None:
            attrs = node.attrs
            if not isinstance(attrs, ScanAttributes) or attrs.checkpoint is None:
                return None
            steps, whole = attrs.checkpoint, replace(attrs, checkpoint=None)
            if isinstance(attrs.length, int) and attrs.length <= steps:
                return new.add("scan", operands, whole).values
            part = replace(whole, part=True)
            blocks = replace(whole, body=_block(part, steps, node.layer), unroll="none", recompute=True)
            return in_blocks(new, attrs, operands, steps, blocks, part)

        return graph.rewrite(context.limit(rule))


def _block(attrs: ScanAttributes, steps: int, layer: str) -> Graph:
    """The body of the scan over blocks: the scan over the ``steps`` steps of one."""
    block = Graph(f"{attrs.body.name}.block")
    inputs = block_inputs(block, attrs, steps)
    node = block.add("scan", inputs, attrs.with_length(steps), layer=layer)
    for name, value in zip(attrs.body.outputs, node.values, strict=True):
        block.set_output(name, value)
    return block
