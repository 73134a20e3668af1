"""The dataflow graph: nodes are operations, edges are operands.

Nodes are only added, and only take values that exist, so the order of insertion is a topological order; a pass builds
a new graph (see ``rewrite``) or returns the one it got. Nodes and their operands are two lists, since a compilation
writes some fifty graphs and passes walk through each; ``network`` is the same graph of networkx.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from .analysis import ancestors
from .node import Attributes, InputAttributes, NoAttributes, Node, Value
from .rules import rules_of
from .text import print_graph
from .types import TensorType

if TYPE_CHECKING:
    import networkx as nx


class Graph:
    """Typed dataflow graph with named inputs and outputs.

    ``layer`` is the layer of nodes added without one: set it while expanding a layer. An output with the name of an
    input of role parameter, statistic or state is the new contents of that input's buffer.
    """

    def __init__(self, name: str = "graph"):
        self.name = name
        self._nodes: list[Node] = []  # by their ids
        self._operands: list[tuple[Value, ...]] = []  # of each node
        self._readers: tuple[int, dict[Value, list[tuple[Node, int]]]] = (0, {})  # of so many nodes
        self._network: nx.MultiDiGraph | None = None
        self._inputs: dict[str, Value] = {}
        self._outputs: dict[str, Value] = {}
        self.layer = ""

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
        node = Node(len(self._nodes), op, attrs, types, layer)
        self._nodes.append(node)
        self._operands.append(tuple(operands))
        return node

    # -- reading -------------------------------------------------------------------------------------------

    @property
    def inputs(self) -> dict[str, Value]:
        return self._inputs

    @property
    def outputs(self) -> dict[str, Value]:
        return self._outputs

    @property
    def network(self) -> nx.MultiDiGraph:
        """The graph of networkx, for analyses; read-only. An edge's key is the operand's position, its ``port`` says
        which of the producer's results it is. It is made when it is first asked for, and anew after nodes were added.
        """
        import networkx as nx  # takes longer to load than small networks to lower

        if self._network is None or len(self._network) != len(self):
            network = nx.MultiDiGraph()
            for node, operands in zip(self._nodes, self._operands, strict=True):
                network.add_node(node.id, node=node)
                for position, value in enumerate(operands):
                    network.add_edge(value.node, node.id, key=position, port=value.port)
            self._network = network
        return self._network

    def __len__(self) -> int:
        return len(self._nodes)

    def __iter__(self) -> Iterator[Node]:
        """Nodes in topological order."""
        return iter(self._nodes)

    def node(self, id: int) -> Node:
        return self._nodes[id]

    def producer(self, value: Value) -> Node:
        return self._nodes[value.node]

    def type(self, value: Value) -> TensorType:
        return self._nodes[value.node].types[value.port]

    def operands(self, node: Node | int) -> tuple[Value, ...]:
        return self._operands[node if isinstance(node, int) else node.id]

    def uses(self, value: Value) -> Sequence[tuple[Node, int]]:
        """The readers of ``value``: (node, operand position), in topological order, without outputs."""
        known, readers = self._readers
        if known != len(self._nodes):  # made as a whole, since threads may read one graph
            readers = {}
            for node, operands in zip(self._nodes, self._operands, strict=True):
                for position, operand in enumerate(operands):
                    readers.setdefault(operand, []).append((node, position))
            self._readers = len(self._nodes), readers
        return readers.get(value, ())

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
        moved: dict[Value, Value] = {}
        same = True  # so far, the new graph has the same nodes
        for node, read in zip(self._nodes, self._operands, strict=True):
            if keep is not None and node.op != "input" and not keep(node):
                same = False
                continue
            # A dropped operand is fine if the rule replaces its reader by one without it.
            mapped = read if same else tuple([moved.get(value) for value in read])
            operands: tuple[Value, ...] = mapped  # pyright: ignore[reportAssignmentType]
            new.layer = node.layer
            results = None if node.op == "input" else rule(new, node, operands)
            if results is None:
                if None in operands:
                    raise KeyError(f"{node.op} reads a value that was dropped")
                same = same and len(new) == node.id
                copy = new._copied(node, operands)
                if isinstance(node.attrs, InputAttributes):
                    new._inputs[node.attrs.name] = Value(copy.id)
                results = copy.values
            else:
                same = False
            for old, value in zip(node.values, results, strict=True):
                if value is not None:
                    moved[old] = value
        new.layer = ""
        if same:
            return self, moved
        for name, value in self._outputs.items():
            new._outputs[name] = moved[value]
        return new, moved

    def _copied(self, node: Node, operands: tuple[Value, ...]) -> Node:
        """Appends a node of another graph, with operands of this one."""
        if node.id != len(self._nodes):
            return self._insert(node.op, operands, node.attrs, node.types, node.layer)
        self._nodes.append(node)
        self._operands.append(operands)
        return node

    def copy(self) -> Graph:
        """The same nodes under the same ids; nodes added later are not shared."""
        new = Graph(self.name)
        new._nodes, new._operands = list(self._nodes), list(self._operands)
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
                copy = new._copied(node, tuple(operands))
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
