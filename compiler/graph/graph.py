"""The dataflow graph: a networkx MultiDiGraph whose nodes are operations and whose edges are operands.

A node's operands are its in-edges: the edge's key is the operand's position, its ``port`` says which of the
producer's results it is. There is no second list of operands. Only ``Graph.add`` adds nodes, and it only takes values
that exist, so the order of insertion is a topological order; a pass builds a new graph (see ``rewrite``) or returns
the one it got.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import networkx as nx

from .analysis import ancestors
from .node import Attributes, InputAttributes, NoAttributes, Node, Value
from .rules import rules_of
from .text import print_graph
from .types import TensorType


class Graph:
    """Typed dataflow graph with named inputs and outputs.

    ``layer`` is the layer of nodes added without one: set it while expanding a layer. An output with the name of an
    input of role parameter, statistic or state is the new contents of that input's buffer.
    """

    def __init__(self, name: str = "graph"):
        self.name = name
        self._nodes = nx.MultiDiGraph()
        self._made: list[
            Node
        ] = []  # the nodes by their ids: networkx takes three times as long to look one up
        # A cache of the in-edges, which never change: sorting them again would cost ten times as much.
        self._operands: dict[int, tuple[Value, ...]] = {}
        self._inputs: dict[str, Value] = {}
        self._outputs: dict[str, Value] = {}
        self.layer = ""
        self._borrowed: int | None = (
            None  # while a rewrite has changed nothing: the number of nodes shared with its source
        )

    # -- writing -------------------------------------------------------------------------------------------

    def add(
        self,
        op: str,
        operands: Sequence[Value] = (),
        attrs: Attributes | None = None,
        *,
        layer: str | None = None,
    ) -> Node:
        """Appends an operation; its result types come from its shape rule.

        Raises ShapeError when the operands do not fit.
        """
        attrs = NoAttributes() if attrs is None else attrs
        types = rules_of(op).infer(attrs, [self.type(value) for value in operands])
        return self._insert(op, operands, attrs, tuple(types), self.layer if layer is None else layer)

    def apply(self, op: str, *operands: Value, attrs: Attributes | None = None) -> Value:
        """Appends an operation with one result and returns that value."""
        (value,) = self.add(op, operands, attrs).values
        return value

    def input(self, name: str, type: TensorType, role: str = "input") -> Value:
        """Declares a graph input; the order of declaration is the order of ``inputs``."""
        if name in self._inputs:
            raise ValueError(f"graph {self.name!r} has an input {name!r} already")
        node = self._insert("input", (), InputAttributes(name, role, type), (type,), "")
        self._inputs[name] = Value(node.id)
        return Value(node.id)

    def set_output(self, name: str, value: Value) -> None:
        self.type(value)
        self._outputs[name] = value

    def drop_output(self, name: str) -> None:
        """Removes the output; the value stays. Raises KeyError for an unknown name."""
        del self._outputs[name]

    def _insert(
        self, op: str, operands: Sequence[Value], attrs: Attributes, types: tuple[TensorType, ...], layer: str
    ) -> Node:
        if self._borrowed is not None:
            self._own()
        node = Node(len(self._made), op, attrs, types, layer)
        self._made.append(node)
        self._nodes.add_node(node.id, node=node)
        for position, value in enumerate(operands):
            self._nodes.add_edge(value.node, node.id, key=position, port=value.port)
        self._operands[node.id] = tuple(operands)
        return node

    def _own(self) -> None:
        """Copies the borrowed nodes, so that others can be added."""
        count = self._borrowed or 0
        operands = [self.operands(id) for id in range(count)]
        self._nodes, self._operands, self._borrowed = nx.MultiDiGraph(), dict(enumerate(operands)), None
        self._made = self._made[:count]
        for id, node in enumerate(self._made):
            self._nodes.add_node(id, node=node)
            for position, value in enumerate(operands[id]):
                self._nodes.add_edge(value.node, id, key=position, port=value.port)

    # -- reading -------------------------------------------------------------------------------------------

    @property
    def inputs(self) -> dict[str, Value]:
        return self._inputs

    @property
    def outputs(self) -> dict[str, Value]:
        return self._outputs

    @property
    def network(self) -> nx.MultiDiGraph:
        """The networkx graph itself, for analyses; read-only."""
        return self._nodes

    def __len__(self) -> int:
        return len(self._made) if self._borrowed is None else self._borrowed

    def __iter__(self) -> Iterator[Node]:
        """Nodes in topological order."""
        return iter(self._made)

    def node(self, id: int) -> Node:
        return self._made[id]

    def producer(self, value: Value) -> Node:
        return self.node(value.node)

    def type(self, value: Value) -> TensorType:
        return self._made[value.node].types[value.port]

    def operands(self, node: Node | int) -> tuple[Value, ...]:
        id = node if isinstance(node, int) else node.id
        operands = self._operands.get(id)
        if operands is None:
            edges = self._nodes.in_edges(id, keys=True, data="port")
            places = sorted((position, source, port) for source, _, position, port in edges)
            operands = self._operands[id] = tuple(Value(source, port) for _, source, port in places)
        return operands

    def uses(self, value: Value) -> list[tuple[Node, int]]:
        """The readers of ``value``: (node, operand position), in topological order, without outputs."""
        edges = self._nodes.out_edges(value.node, keys=True, data=True)
        return [
            (self.node(target), key)
            for target, key in sorted(
                (target, key) for _, target, key, data in edges if data["port"] == value.port
            )
        ]

    def input_role(self, name: str) -> str:
        attrs = self.producer(self._inputs[name]).attrs
        assert isinstance(attrs, InputAttributes)
        return attrs.role

    # -- rewriting -----------------------------------------------------------------------------------------

    def rewrite(
        self,
        rule: Callable[[Graph, Node, tuple[Value, ...]], Sequence[Value | None] | None],
        *,
        keep: Callable[[Node], bool] | None = None,
    ) -> Graph:
        """Copies the graph node by node, in order.

        ``rule(new_graph, old_node, new_operands)`` adds what it needs to the new graph, in the old node's layer, and
        returns the values that replace the old node's results there (None for a result that nobody reads); or it
        returns None to copy the node as it is. Inputs are always copied. ``keep`` selects nodes (dead code
        elimination); the rule sees None for a dropped operand. Returns ``self`` if nothing was replaced or dropped.
        """
        return self.rewrite_with_values(rule, keep=keep)[0]

    def rewrite_with_values(
        self,
        rule: Callable[[Graph, Node, tuple[Value, ...]], Sequence[Value | None] | None],
        *,
        keep: Callable[[Node], bool] | None = None,
    ) -> tuple[Graph, Mapping[Value, Value]]:
        """Like ``rewrite``; also returns the new value of each old one."""
        new = Graph(self.name)
        new._nodes, new._made, new._operands, new._borrowed = self._nodes, self._made, self._operands, 0
        moved: dict[Value, Value] = {}
        for node in self:
            if keep is not None and node.op != "input" and not keep(node):
                if new._borrowed is not None:
                    new._own()
                continue
            # A dropped operand is fine if the rule replaces its reader by one without it.
            mapped = [moved.get(value) for value in self.operands(node)]
            operands: tuple[Value, ...] = tuple(mapped)  # pyright: ignore[reportAssignmentType]
            new.layer = node.layer
            results = None if node.op == "input" else rule(new, node, operands)
            if results is None:
                if None in mapped:
                    raise KeyError(f"{node.op} reads a value that was dropped")
                if new._borrowed is None:
                    copy = new._insert(node.op, operands, node.attrs, node.types, node.layer)
                else:
                    copy = node
                    new._borrowed += 1
                if isinstance(node.attrs, InputAttributes):
                    new._inputs[node.attrs.name] = Value(copy.id)
                results = copy.values
            elif new._borrowed is not None:
                new._own()
            moved.update((old, v) for old, v in zip(node.values, results, strict=True) if v is not None)
        new.layer = ""
        if new._borrowed is not None:
            return self, {value: value for value in moved}
        for name, value in self._outputs.items():
            new._outputs[name] = moved[value]
        return new, moved

    def copy(self) -> Graph:
        """The same nodes under the same ids; nodes added later are not shared."""
        new = Graph(self.name)
        new._nodes, new._made = self._nodes.copy(), list(self._made)
        new._inputs, new._outputs = dict(self._inputs), dict(self._outputs)
        return new

    def extract(
        self, name: str, inputs: Sequence[tuple[str, Value]], outputs: Sequence[tuple[str, Value]]
    ) -> Graph:
        """A new graph that computes ``outputs`` from ``inputs``, any values of this graph, with the nodes in between.

        Raises KeyError if an output needs an input of this graph that is not among ``inputs``.
        """
        new = Graph(name)
        moved = {value: new.input(key, self.type(value), "body") for key, value in inputs}
        needed = ancestors(self, [value for _, value in outputs], moved.keys())
        for node in self:
            wanted = [value for value in node.values if value in needed and value not in moved]
            if wanted and node.op != "input":
                operands = [moved[value] for value in self.operands(node)]
                copy = new._insert(node.op, operands, node.attrs, node.types, node.layer)
                moved.update(
                    (old, v) for old, v in zip(node.values, copy.values, strict=True) if old in wanted
                )
        for key, value in outputs:
            new.set_output(key, moved[value])
        return new

    def inline(self, body: Graph, arguments: Iterable[Value]) -> list[Value]:
        """Copies ``body``'s nodes into this graph with its inputs bound to ``arguments``; returns its
        outputs.
        """
        moved = dict(zip(body.inputs.values(), arguments, strict=True))
        for node in body:
            if node.op == "input":
                continue
            copy = self.add(
                node.op, [moved[value] for value in body.operands(node)], node.attrs, layer=node.layer
            )
            moved.update(zip(node.values, copy.values, strict=True))
        return [moved[value] for value in body.outputs.values()]

    def __str__(self) -> str:
        return print_graph(self)
