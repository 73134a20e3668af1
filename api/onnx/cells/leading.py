"""Removes a leading axis of size 1 before the samples from a body.

Recurrences of one step, and those that PyTorch writes out, have such an axis for time or for directions. Without it the
values have the samples first.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

import numpy as np

from ..errors import Refusal
from ..formulas import BINARY, UNARY
from ..operands import Known
from ..reading import Body, Node

RECURRENCES = ("LSTM", "GRU", "RNN")
_ELEMENTWISE = {*UNARY, *BINARY, "Add", "Mul", "Sum", "Max", "Min", "Mean", "Relu", "Sigmoid", "Tanh", "Clip"}
_ELEMENTWISE |= {
    "Cast",
    "Identity",
    "Where",
    "LeakyRelu",
    "Elu",
    "Selu",
    "HardSigmoid",
    "Softplus",
    "Softsign",
}
_ELEMENTWISE |= {"Celu", "Gelu", "HardSwish", "Mish", "ThresholdedRelu", "Dropout"}
#: Operators with an axis among their attributes, and whether they join their operands along it.
_ALONG = frozenset(("Split", "Concat", "Softmax", "LayerNormalization"))


def without_first_axis(
    body: Body, known: Callable[[str], Known | None], states: Collection[str]
) -> tuple[Body, frozenset[str]]:
    """The body without the leading axis of its inputs ``states``, and the names of outputs that had it.

    Raises Refusal for nodes that need it.
    """
    if not states and not any(node.op in RECURRENCES and not node.domain for node in body.nodes):
        return body, frozenset()
    rewriter = _Leading(body, known, states)
    nodes = tuple(rewriter.node(node) for node in body.nodes)
    constants = {**body.constants, **rewriter.constants}
    return replace(body, nodes=nodes, constants=constants), frozenset(rewriter.leading & set(body.outputs))


class _Leading:
    def __init__(self, body: Body, known: Callable[[str], Known | None], states: Collection[str]):
        self.known, self.leading = known, set(states)
        self.twice: set[str] = set()
        """Values with two such axes: the outputs of recurrences over one step have one for time and one for
        directions.
        """
        self.units: dict[str, int] = {}
        """The features of such values, and of those with the samples between both axes."""
        self.constants: dict[str, np.ndarray] = {}

    def node(self, node: Node) -> Node:
        """A node that works without the axis."""
        own = [name for name in node.inputs if name in self.leading or name in self.units]
        if node.domain or (not own and node.op != "Unsqueeze"):
            return node
        if node.op in ("Squeeze", "Unsqueeze"):
            return self.view(node)
        if own and own[0] in self.units:
            return self.moved(node)
        if node.op in RECURRENCES:
            return self.recurrence(node)
        if node.op == "MatMul":
            right = self.known(node.inputs[1])
            if node.inputs[1] in own or right is None or right.array.ndim != 2:
                raise self.refusal(node)
        elif node.op in _ALONG:
            axis = node.attributes.get("axis", -1 if node.op in ("Softmax", "LayerNormalization") else 0)
            others = [name for name in node.inputs if name not in own] if node.op == "Concat" else []
            if axis == 0 or others:
                raise self.refusal(node)
            node = replace(node, attributes={**node.attributes, "axis": axis - (axis > 0)})
        elif node.op == "Slice":
            node = self.slice(node)
        elif node.op not in _ELEMENTWISE:
            raise self.refusal(node)
        self.leading.update(node.outputs)
        return node

    def view(self, node: Node) -> Node:
        """A node that adds or removes axes."""
        (name, *_), axes = node.inputs, self.axes(node)
        same = replace(node, op="Identity", inputs=(name,), attributes={})
        out = node.outputs[0]
        if node.op == "Unsqueeze":
            if name in self.leading or name in self.units:
                raise self.refusal(node)
            if axes != [0] or self.known(name) is not None:
                return node
            self.leading.add(out)
            return same
        if name in self.twice and axes in ([0], [1]):
            self.leading.add(out)
        elif axes != ([0, 1] if name in self.twice else [0]) or name in self.units.keys() - self.twice:
            raise self.refusal(node)
        return same

    def axes(self, node: Node) -> list[int] | None:
        axes = node.attributes.get("axes")
        if axes is not None or len(node.inputs) < 2:
            return None if axes is None else sorted(axes)
        known = self.known(node.inputs[1])
        return None if known is None or known.is_open else sorted(known.array.reshape(-1).tolist())

    def recurrence(self, node: Node) -> Node:
        """A recurrence of one step: the axis is that of time, and for the states that of directions."""
        states = [name for name in node.inputs[5:7] if name]
        if not {node.inputs[0], *states} <= self.leading:
            raise self.refusal(node)
        self.leading.update(node.outputs[1:])
        self.twice.add(node.outputs[0])
        self.units[node.outputs[0]] = node.attributes.get("hidden_size", 0)
        return node

    def moved(self, node: Node) -> Node:
        """Moves the samples between both axes, as exporters do, and removes the second one."""
        (name, *_), (out, *_) = node.inputs, node.outputs
        units = self.units[name]
        target = self.known(node.inputs[1]) if node.op == "Reshape" else None
        if node.op == "Transpose" and name in self.twice and node.attributes.get("perm") == (0, 2, 1, 3):
            self.units[out] = units
        elif target is not None and not target.is_open and target.array.tolist() == [1, -1, units]:
            self.leading.add(out)
        else:
            raise self.refusal(node)
        return replace(node, op="Identity", inputs=(name,), attributes={})

    def slice(self, node: Node) -> Node:
        """Slices along other axes."""
        if len(node.inputs) < 4 or not node.inputs[3]:
            raise self.refusal(node)
        known, bounds = self.known(node.inputs[3]), [self.known(name) for name in node.inputs[1:3]]
        if [operand.array.tolist() for operand in (known, *bounds) if operand is not None] == [
            [0],
            [0],
            [1],
        ]:  # the whole axis
            return replace(node, op="Identity", inputs=node.inputs[:1], attributes={})
        if known is None or known.is_open or (known.array == 0).any():
            raise self.refusal(node)
        name = f"{node.inputs[3]} of {node.outputs[0]}"
        self.constants[name] = known.array - (known.array > 0)
        return replace(node, inputs=(*node.inputs[:3], name, *node.inputs[4:]))

    def refusal(self, node: Node) -> Refusal:
        return Refusal(f"in the loop's body, {node.title} ({node.op}): the samples are not the first axis")
