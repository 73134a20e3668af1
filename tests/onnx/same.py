"""What "the same graph up to names" means.

Two graphs are the same when their outputs, followed back to the inputs, are made by the same operations with the same
attributes, types and constants, of operands that are the same. Not compared are

- names of parameters, layers, states and loops (inputs and outputs of the network keep theirs);
- the order in which nodes, and parameters of a loop, are listed, and sequences that a loop gives to nobody;
- `unroll`, which says how a loop is compiled, not what it computes;
- how a number is stretched, or a row of positions 0, 1, 2, …: they are the same in any shape;
- whether a product reads a matrix as it is or turned around: a transpose before it, or other axes to sum over;
- a shape that is only passed through (a reshape of a reshape, one to the shape that is there), and `stop_gradient`,
  which training alone sees;
- the check that lengths are in range, for which ONNX has no operator.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from netwright.compiler.graph.analysis import ancestors
from netwright.compiler.graph.graph import Graph
from netwright.compiler.graph.node import InputAttributes, Node, Value
from netwright.compiler.ops.products.dot import DotAttributes
from netwright.compiler.ops.scans.scan_attributes import ScanAttributes
from netwright.compiler.ops.values.constant import ConstantAttributes, IotaAttributes

_PASSING = ("reshape", "stop_gradient", "within")


def canonical(graph: Graph) -> list[str]:
    """A graph as text that is equal for graphs that are the same."""
    return _Canonical(graph, {}, list(graph.outputs.values())).text()


class _Canonical:
    """Nodes get numbers in the order in which the outputs ask for them."""

    def __init__(self, graph: Graph, roles: dict[Value, str], outputs: list[Value]):
        self.graph, self.roles, self.outputs = graph, roles, outputs
        self.numbers: dict[int, int] = {}
        self.lines: list[str] = []
        self.read = set(ancestors(graph, outputs))
        self.met: list[Value] = []
        """Inputs of a body, in the order in which they are met."""

    def text(self) -> list[str]:
        results = [self.visit(value) for value in self.outputs]
        return [*self.lines, *results]

    def visit(self, value: Value) -> str:
        value = self.settled(value)
        if value.node not in self.numbers:
            node = self.graph.producer(value)
            if node.op == "input":
                line = self.input(node, value)
            elif (axis := self.counting(value)) is not None:
                type = node.types[value.port]
                line = f"iota() {IotaAttributes(type.dtype, type.shape, axis)}"
            else:
                line = self.node(node)
            self.numbers[node.id] = len(self.lines)
            self.lines.append(line)
        node = self.graph.producer(value)
        port = value.port
        if isinstance(node.attrs, ScanAttributes) and port >= node.attrs.n_carries:
            port = node.attrs.n_carries + self.sequences(node).index(port)
        return f"{self.numbers[value.node]}.{port} : {self.graph.type(value)}"

    def counting(self, value: Value) -> int | None:
        """The axis along which a value holds the positions 0, 1, 2, …, where it is made of nothing else."""
        node = self.graph.producer(value)
        attrs: Any = node.attrs
        if node.op == "iota":
            return attrs.axis
        if node.op not in ("slice", "reshape", "broadcast"):
            return None
        (operand,) = self.graph.operands(node)
        axis = self.counting(operand)
        if axis is None:
            return None
        before, after = self.graph.type(operand).shape, node.types[0].shape
        if node.op == "broadcast":
            return attrs.axes[axis]
        if node.op == "slice":
            return (
                axis
                if (attrs.start[axis], attrs.limit[axis], attrs.stride[axis]) == (0, before[axis], 1)
                else None
            )
        wide = [size for i, size in enumerate(before) if size != 1 or i == axis]
        return after.index(before[axis]) if wide == [before[axis]] and before[axis] in after else None

    def sequences(self, node: Node) -> list[int]:
        """The sequences of a loop that somebody reads."""
        assert isinstance(node.attrs, ScanAttributes)
        return [i for i in range(node.attrs.n_carries, len(node.values)) if node.values[i] in self.read]

    def settled(self, value: Value) -> Value:
        """The value behind what only passes it through."""
        source, best = value, value
        while (node := self.graph.producer(source)).op in _PASSING:
            (source,) = self.graph.operands(node)
            if self.graph.type(source) == self.graph.type(value):
                best = source
        return best

    def input(self, node: Node, value: Value) -> str:
        attrs = node.attrs
        assert isinstance(attrs, InputAttributes)
        if value in self.roles:
            self.met.append(value)
            return self.roles[value]
        return f"input {attrs.name}" if attrs.role == "input" else "weights"

    def node(self, node: Node) -> str:
        operands = self.graph.operands(node)
        attrs: Any = node.attrs
        if node.op == "broadcast":
            inner = self.graph.producer(self.settled(operands[0])).attrs
            if isinstance(inner, ConstantAttributes) and len(inner.data) == np.dtype(inner.dtype).itemsize:
                return f"constant() {replace(inner, shape=node.types[0].shape)}"
        if isinstance(attrs, ScanAttributes):
            inputs = list(attrs.body.inputs.values())
            count, carries = attrs.n_consts, attrs.n_consts + attrs.n_carries
            roles = dict.fromkeys(inputs[:count], "parameter")
            roles |= {value: f"carry {i}" for i, value in enumerate(inputs[count:carries])}
            roles |= {value: f"x {i}" for i, value in enumerate(inputs[carries:])}
            results = list(attrs.body.outputs.values())
            kept = results[: attrs.n_carries] + [results[i] for i in self.sequences(node)]
            body = _Canonical(attrs.body, roles, kept)
            text = body.text()
            read = [inputs.index(value) for value in body.met if roles[value] == "parameter"]
            operands = [*(operands[i] for i in read), *operands[count:]]
            attrs = replace(attrs, body=text, name="", unroll="auto", n_consts=len(read))
        if node.op == "reshape":  # the last shape is what counts
            while (inner := self.graph.producer(operands[0])).op in _PASSING:
                operands = self.graph.operands(inner)
        if isinstance(attrs, DotAttributes):
            operands = list(operands)
            operands[0], lhs = self.turned(operands[0], attrs.lhs_contract, attrs.batch)
            operands[1], rhs = self.turned(operands[1], attrs.rhs_contract, attrs.batch)
            attrs = replace(attrs, lhs_contract=lhs, rhs_contract=rhs)
        return f"{node.op}({', '.join(self.visit(one) for one in operands)}) {attrs}"

    def turned(self, value: Value, contract: tuple[int, ...], batch: int) -> tuple[Value, tuple[int, ...]]:
        """A factor before a transpose that leaves the axes that stay in order, and the axes summed over there."""
        node = self.graph.producer(value)
        attrs: Any = node.attrs
        if node.op != "transpose":
            return value, contract
        order = attrs.permutation
        stay = [axis for i, axis in enumerate(order) if i not in contract]
        if stay != sorted(stay) or order[:batch] != tuple(range(batch)):
            return value, contract
        return self.graph.operands(node)[0], tuple(order[axis] for axis in contract)
