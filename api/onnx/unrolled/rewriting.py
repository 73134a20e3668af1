"""Replaces unrolled steps by one Scan. Readers of single steps' values read slices of its outputs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import onnx
from numpy.typing import NDArray

from ..order import in_order, needed
from ..reading import Body, MadeGraph, Node, OnnxGraph
from .parts import Constants, Part, parts
from .steps import StepFinder, Steps, places_of, previous, reading

#: Fewer steps are left as they are, and loops with more could not be unrolled again.
FEWEST, MOST = 4, 256
#: The first opset with the current form of Scan.
_SINCE = 9
#: A slice that ends there goes to the end.
_PAST = 2**31
_OUTPUTS = {"LSTM": 3, "GRU": 2, "RNN": 2}


def folded(graph: OnnxGraph) -> OnnxGraph:
    """The graph with unrolled steps as loops, one after the other."""
    current, whole = graph, replace(graph, nodes=tuple(map(_with_all_outputs, graph.nodes)))
    while graph.opset >= _SINCE and (rewritten := next(_loops(whole), None)) is not None:
        current = whole = rewritten
    return current


def _with_all_outputs(node: Node) -> Node:
    """A recurrence with all of its outputs, since files may leave out those that nothing reads, for example in the last
    step.
    """
    count = _OUTPUTS.get(node.op, 0)
    if node.domain or (len(node.outputs) >= count and all(node.outputs)) or not any(node.outputs):
        return node
    given = (*node.outputs, *[""] * (count - len(node.outputs)))
    title = next(filter(None, given))
    return replace(node, outputs=tuple(name or f"{title}: output {i} of it" for i, name in enumerate(given)))


def _loops(graph: OnnxGraph) -> Iterator[OnnxGraph]:
    """The graph with one more loop."""
    constants = Constants(graph)
    cuts = parts(graph, constants)
    positions: dict[tuple[str, int], set[int]] = {}
    for part in cuts.values():
        positions.setdefault((part.source, part.axis), set()).add(part.position)
    ranges: dict[tuple[int, int], list[tuple[str, int]]] = {}
    for source, own in positions.items():
        low, high = min(own), max(own)
        if len(own) == high - low + 1 and FEWEST <= len(own) <= MOST:
            ranges.setdefault((low, len(own)), []).append(source)
    for (low, count), sources in ranges.items():
        for chosen in [sources, *([source] for source in sources if len(sources) > 1)]:
            for reverse in (False, True):
                places = places_of(cuts, chosen, low, count, reverse=reverse)
                steps = StepFinder(graph, constants, places, count).find()
                if steps is not None and not _reads_itself(graph, steps):
                    yield _Rewriting(graph, constants, steps, low, reverse).run()


def _reads_itself(graph: OnnxGraph, steps: Steps) -> bool:
    """Whether the values that the steps read are made from those that they output, as in stacked layers taken for the
    steps of one.
    """
    makers = {name: node for node in graph.nodes for name in node.outputs}
    own = {names[name] for names in steps.names for node in steps.nodes for name in node.outputs}
    made = {name for node in steps.nodes for name in node.outputs}
    read = {name for node in steps.nodes for name in node.reads if name not in made}
    waiting = [*steps.states.values(), *(part.source for part in steps.reads.values())]
    waiting += [name for name in read if name in makers]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in own:
            return True
        if name in makers and name not in seen:
            seen.add(name)
            waiting += makers[name].reads
    return False


class _Rewriting:
    def __init__(self, graph: OnnxGraph, constants: Constants, steps: Steps, low: int, reverse: bool):
        self.graph, self.constants, self.steps = graph, constants, steps
        self.low, self.reverse, self.count = low, reverse, len(steps.names)
        self.new: list[Node] = []
        self.added: dict[str, NDArray] = {}
        first = [node.outputs[0] for node in steps.nodes]
        self.gone = {names[name] for names in steps.names for name in first}
        """The first outputs of nodes that are replaced."""
        self.given: list[tuple[str, str, int]] = []
        """The outputs of each step: its name in the step, the name of all steps' values, and the axis along which they
        are stacked.
        """

    def run(self) -> OnnxGraph:
        self.join()
        wanted = self.wanted()
        finals = []
        for name in self.steps.states:
            last = self.steps.names[-1][name]
            finals.append(last if last in wanted else f"{name}, the last of all")
        for node in self.steps.nodes:
            for name in node.outputs:
                self.separate(name, wanted)
        scan = self.scan(finals)
        nodes = [node for node in self.graph.nodes if not node.outputs or node.outputs[0] not in self.gone]
        constants = self.graph.constants.joined(self.added)
        known = {port.name for port in self.graph.inputs} | set(constants)
        ordered = in_order([*nodes, *self.new, scan], known, self.graph.outputs)
        return replace(self.graph, nodes=ordered, constants=constants)

    def wanted(self) -> set[str]:
        """The values of the steps that other nodes or the graph's outputs read."""
        rest = [node for node in self.graph.nodes if not node.outputs or node.outputs[0] not in self.gone]
        return {name for node in rest for name in node.reads} | set(self.graph.outputs)

    def scan(self, finals: list[str]) -> Node:
        steps, direction = self.steps, int(self.reverse)
        reads = {name: self.sequence(part) for name, part in steps.reads.items()}
        read = {name: f"{name}.x" for name in reads}  # the axis is part of the name
        inputs = (*(previous(name) for name in steps.states), *read.values())
        results = [f"{name} that a step gives {i}" for i, (name, _, _) in enumerate(self.given)]
        same = [
            Node("", "Identity", "", (name,), (result,), {})
            for (name, _, _), result in zip(self.given, results, strict=True)
        ]
        nodes = (*(reading(node, read) for node in steps.nodes), *same)
        nodes = tuple(needed(nodes, (*steps.states, *results)))
        own = {*inputs, *(name for node in nodes for name in node.outputs), ""}
        captures = tuple(dict.fromkeys(name for node in nodes for name in node.reads if name not in own))
        attributes = {
            "body": MadeGraph(onnx.GraphProto(), None, Body(inputs, (*steps.states, *results), nodes, {})),
            "num_scan_inputs": len(reads),
            "scan_input_axes": tuple(axis for _, axis in reads.values()),
            "scan_input_directions": (direction,) * len(reads),
            "scan_output_axes": tuple(axis for _, _, axis in self.given),
            "scan_output_directions": (direction,) * len(self.given),
        }
        taken = (*steps.states.values(), *(name for name, _ in reads.values()))
        written = (*finals, *(name for _, name, _ in self.given))
        first = next(node for node in self.graph.nodes if node.outputs and node.outputs[0] in self.gone)
        return Node("", "Scan", "", taken, written, attributes, captures, first.path)

    # The inputs of the loop.

    def sequence(self, part: Part) -> tuple[str, int]:
        """The cells that the steps read, and their axis."""
        name = f"{part.source}, {self.low} to {self.low + self.count} along {part.axis}"
        if any(name in node.outputs for node in self.graph.nodes):  # another loop reads them too
            return name, part.axis
        if self.graph.opset < 10:
            attributes = {"starts": (self.low,), "ends": (self.low + self.count,), "axes": (part.axis,)}
            self.new.append(Node("", "Slice", "", (part.source,), (name,), attributes))
            return name, part.axis
        bounds = [self.number([number]) for number in (self.low, self.low + self.count, part.axis)]
        self.new.append(Node("", "Slice", "", (part.source, *bounds), (name,), {}))
        return name, part.axis

    def number(self, value: int | list[int]) -> str:
        name = f"the number {value}"
        self.added[name] = np.asarray(value, np.int64)
        return name

    # The outputs of the loop.

    def values(self, name: str) -> list[str]:
        """The file's names for all steps' values, in the order of the sequence."""
        values = [names[name] for names in self.steps.names]
        return values[::-1] if self.reverse else values

    def join(self) -> None:
        """Values of all steps that the file stacks, or concatenates along an existing axis: the stack becomes an output
        of the loop.
        """
        joins = [node for node in self.graph.nodes if node.op == "Concat" and not node.domain]
        rows = {node.inputs: node for node in joins}
        for step in self.steps.nodes:
            for name in step.outputs:
                values = tuple(self.values(name))
                node = (rows.get(values) or rows.get(values[::-1])) if name else None
                axis = node.attributes.get("axis") if node is not None else None
                if node is None or not isinstance(axis, int) or axis < 0:
                    continue
                stacks = step.op == "Unsqueeze" and not step.domain and self.axes(step) == [axis]
                forwards = node.inputs == values
                if stacks and forwards:
                    self.given.append((step.inputs[0], node.outputs[0], axis))
                elif self.graph.opset >= 10:
                    whole = f"{node.outputs[0]}, apart"
                    self.given.append((step.inputs[0] if stacks else name, whole, axis))
                    turned = node.outputs[0] if stacks else f"{whole}, turned around"
                    if not forwards:
                        bounds = (self.number([number]) for number in (_PAST, -_PAST, axis, -1))
                        self.new.append(Node("", "Slice", "", (whole, *bounds), (turned,), {}))
                    if not stacks:
                        self.in_a_row(whole if forwards else turned, node.outputs[0], axis)
                else:
                    continue
                self.gone.add(node.outputs[0])

    def in_a_row(self, whole: str, name: str, axis: int) -> None:
        """Concatenates the steps' parts of an axis, which come after the steps."""
        self.new.append(Node("", "Shape", "", (whole,), (f"{whole}: sizes",), {}))
        rest = []
        for part, start, end in (("first", 0, axis), ("last", axis + 2, _PAST)):
            if start < end:
                rest.append(f"{whole}: {part} sizes")
                bounds = (self.number([start]), self.number([end]), self.number([0]))
                self.new.append(Node("", "Slice", "", (f"{whole}: sizes", *bounds), (rest[-1],), {}))
        rest.insert(len(rest) - 1, self.number([-1]))
        self.new.append(Node("", "Concat", "", tuple(rest), (f"{whole}: shape",), {"axis": 0}))
        self.new.append(Node("", "Reshape", "", (whole, f"{whole}: shape"), (name,), {}))

    def axes(self, node: Node) -> list[int] | None:
        axes = node.attributes.get("axes")
        if axes is not None or len(node.inputs) < 2:
            return None if axes is None else [int(axis) for axis in axes]
        return self.constants.numbers(node.inputs[1])

    def separate(self, name: str, wanted: set[str]) -> None:
        """Values of steps that are read one by one: slices of an output of the loop."""
        values = self.values(name)
        last = self.steps.names[-1][name] if name in self.steps.states else None
        single = {place: value for place, value in enumerate(values) if value in wanted and value != last}
        if not name or not single:
            return
        everything = f"{name} of all steps"
        self.given.append((name, everything, 0))
        for place, value in single.items():
            inputs = (everything, self.number(place))
            self.new.append(Node("", "Gather", "", inputs, (value,), {"axis": 0}))
