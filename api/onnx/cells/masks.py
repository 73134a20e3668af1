"""Loops over sequences of different lengths: separates what a body computes for the samples that have a step from how
it keeps the others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..errors import Refusal
from .body_values import BodyValues


def unmasked(
    writer: BodyValues, mask: str, carried: list[str], states: list[str], scanned: list[str]
) -> tuple[list[str], list[str]]:
    """The values in `Where(mask, new, old)` and `Where(mask, y, 0)`. Raises Refusal for other forms."""
    makers = {name: node for node in writer.body.nodes for name in node.outputs}

    def is_mask(name: str) -> bool:
        name = writer.source(name)
        while (node := makers.get(name)) is not None and node.op in ("Reshape", "Unsqueeze", "Expand"):
            name = writer.source(node.inputs[0])
        return name == mask

    def behind(value: str, old: str | None) -> str:
        node = makers.get(value)
        if node is None or node.op != "Where" or not is_mask(node.inputs[0]):
            raise Refusal("a loop input of truth values is no mask of the steps that exist")
        other = writer.source(node.inputs[2])
        known = writer.known(other)
        if not (
            other == old
            if old is not None
            else known is not None and not known.is_open and not known.array.any()
        ):
            raise Refusal("a loop input of truth values is no mask of the steps that exist")
        return writer.source(node.inputs[1])

    updates = [behind(value, old) for value, old in zip(carried, states, strict=True)]
    given = dict(zip(carried, updates, strict=True))
    sequences = []
    for value in scanned:
        inner = behind(value, None)
        sequences.append(given.get(inner, inner))
    _drop(writer, is_mask)
    return updates, sequences


def _drop(writer: BodyValues, is_mask: Callable[[str], bool]) -> None:
    """Removes the nodes that only handle the mask from the body."""
    kept = []
    for node in writer.body.nodes:
        concerns = (node.op == "Where" and is_mask(node.inputs[0])) or any(
            is_mask(name) for name in node.outputs
        )
        if concerns:
            for name in node.inputs:
                writer.uses[writer.source(name)] = writer.uses.get(writer.source(name), 1) - 1
        else:
            kept.append(node)
    writer.body = replace(writer.body, nodes=tuple(kept))
