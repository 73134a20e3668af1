"""Finds the values that are single cells of an axis."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..reading import Node, OnnxGraph

#: Larger constants count as equal only if they have the same name.
SMALL = 4096


@dataclass(frozen=True)
class Part:
    """One cell of an axis of a value."""

    source: str
    axis: int
    position: int


class Constants:
    """The constants of a graph, and which of them are equal."""

    def __init__(self, graph: OnnxGraph):
        self.arrays: dict[str, NDArray] = dict(graph.constants.small(SMALL))
        for node in graph.nodes:
            value = node.attributes.get("value")
            if (
                node.op == "Constant"
                and not node.domain
                and isinstance(value, np.ndarray)
                and value.size <= SMALL
            ):
                self.arrays[node.outputs[0]] = value
        self.same = {
            node.outputs[0]: node.inputs[0]
            for node in graph.nodes
            if node.op == "Identity" and not node.domain
        }
        first: dict[tuple, str] = {}
        self.names = {
            name: first.setdefault((str(array.dtype), array.shape, array.tobytes()), name)
            for name, array in self.arrays.items()
        }

    def name(self, name: str) -> str:
        """The name of the first constant with the same numbers; for other values, their own name."""
        while name in self.same:
            name = self.same[name]
        return self.names.get(name, name)

    def numbers(self, name: str) -> list[int] | None:
        """Whole numbers that are known."""
        array = self.arrays.get(name)
        return None if array is None or array.dtype.kind not in "iu" else [int(x) for x in array.reshape(-1)]


def parts(graph: OnnxGraph, constants: Constants) -> dict[str, Part]:
    """The values that are one cell of an axis each, with the axis removed."""
    makers = {name: node for node in graph.nodes for name in node.outputs if name and not node.domain}
    named: dict[str, Part] = {}
    for node in graph.nodes:
        for name, part in _parts(node, makers.get, constants):
            if name and part.position >= 0:
                named[name] = part
    return named


def _parts(
    node: Node, maker: Callable[[str], Node | None], constants: Constants
) -> Iterator[tuple[str, Part]]:
    inputs = list(node.inputs)
    if node.domain or not inputs:
        return
    position = constants.numbers(inputs[1]) if len(inputs) > 1 and inputs[1] else None
    if node.op == "Gather" and position is not None and constants.arrays[inputs[1]].ndim == 0:
        yield node.outputs[0], Part(inputs[0], _axis(node), position[0])
    if node.op == "SequenceAt" and position is not None and len(position) == 1:
        before = maker(inputs[0])
        if before is not None and before.op == "SplitToSequence" and _is_unbind(before):
            yield node.outputs[0], Part(before.inputs[0], _axis(before), position[0])
    if node.op == "Squeeze":
        axes = list(node.attributes.get("axes", ())) or position
        before = maker(inputs[0])
        if before is not None and axes is not None and len(axes) == 1:
            cut = _cut(before, inputs[0], constants)
            if cut is not None and cut.axis == axes[0]:
                yield node.outputs[0], cut


def _is_unbind(node: Node) -> bool:
    """Whether each tensor of the sequence is one cell, with the axis removed."""
    whole = len(node.inputs) == 1 or not node.inputs[1]
    return whole and node.attributes.get("keepdims", 1) == 0


def _axis(node: Node) -> int:
    axis = node.attributes.get("axis", 0)
    return axis if isinstance(axis, int) else 0


def _cut(node: Node, name: str, constants: Constants) -> Part | None:
    """One cell of an axis, with the axis still there. Whether the parts of a Split have size one is known from the
    Squeeze after it.
    """
    if node.op == "Split":
        return Part(node.inputs[0], _axis(node), node.outputs.index(name))
    if node.op != "Slice":
        return None
    names = ("starts", "ends", "axes", "steps")
    bounds = [
        constants.numbers(node.inputs[1 + i])
        if len(node.inputs) > 1 + i and node.inputs[1 + i]
        else list(node.attributes[attribute])
        if attribute in node.attributes
        else None
        for i, attribute in enumerate(names)
    ]
    if any(len(node.inputs) > 1 + i and node.inputs[1 + i] and end is None for i, end in enumerate(bounds)):
        return None
    start, end, axes, steps = bounds
    if start is None or end is None or len(start) != 1 or end != [start[0] + 1] or steps not in (None, [1]):
        return None
    return Part(node.inputs[0], axes[0] if axes else 0, start[0])
