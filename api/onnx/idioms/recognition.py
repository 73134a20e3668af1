"""Finds clusters of nodes that make one value from another, from their last node backwards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from ..reading import Node, OnnxGraph
from .candidates import Candidate, Function, activations, normalizations, over_axes
from .evaluation import ELEMENTWISE, REDUCTIONS, axes_of, evaluate

#: The largest number of nodes in a cluster, and of elements in its constants.
MOST_NODES, MOST_NUMBERS = 20, 2**16
_OPERATORS = {*ELEMENTWISE, *REDUCTIONS, "Clip", "HardSigmoid"}
#: The operators that a cluster may end with.
_LAST = frozenset(("Add", "Mul", "Div", "Sub", "Clip", "Min", "Max", "Log", "Reciprocal"))
#: Operators that only shift values, of which alone no cluster is made.
_LINEAR = frozenset(("Add", "Sub"))
#: Points at which elementwise functions are compared: dense where activations bend, and some far away.
_POINTS = np.concatenate([np.linspace(-12, 12, 241), np.asarray([-1e4, -300.0, -40.0, 40.0, 300.0, 1e4])])
#: Widths of rows on which normalizations are compared whose width no constant says.
_WIDTHS = (7, 10)
#: The largest number of axes of a normalization.
_MOST_AXES = 6


def recognized(graph: OnnxGraph) -> OnnxGraph:
    """The graph with each cluster replaced by one node, which remembers the nodes it replaces."""
    return _Recognition(graph).run()


class _Recognition:
    def __init__(self, graph: OnnxGraph):
        self.graph = graph
        self.makers = {name: node for node in graph.nodes for name in node.outputs if name}
        self.constants = graph.constants.small(MOST_NUMBERS)
        self.known = set(graph.constants)
        """All constants. Large ones are not part of a cluster."""
        for node in graph.nodes:
            value = node.attributes.get("value")
            if node.op == "Constant" and isinstance(value, np.ndarray):
                self.known.add(node.outputs[0])
                if value.size <= MOST_NUMBERS:
                    self.constants[node.outputs[0]] = value
        self.added: dict[str, NDArray] = {}
        self.place = {node.outputs[0]: at for at, node in enumerate(graph.nodes) if node.outputs}

    def run(self) -> OnnxGraph:
        idioms: dict[str, Node] = {}
        gone: set[str] = set()
        for node in reversed(self.graph.nodes):
            name = node.outputs[0] if node.outputs else ""
            if (
                node.op in _LAST
                and not node.domain
                and name not in gone
                and self.is_small(node)
                and (made := self.made(node)) is not None
            ):
                idioms[name] = made
                gone.update(node.outputs[0] for node in made.spelled)
        if not idioms:
            return self.graph
        nodes = []
        for node in self.graph.nodes:
            name = node.outputs[0] if node.outputs else ""
            if name in idioms:
                nodes.append(idioms[name])
            elif name not in gone:
                nodes.append(node)
        return replace(self.graph, nodes=tuple(nodes), constants=self.graph.constants.joined(self.added))

    def made(self, last: Node) -> Node | None:
        """The node for the largest recognized cluster that ends with this node."""
        for nodes, source in reversed(list(self.clusters(last))):
            with np.errstate(all="ignore"):
                candidate = self.candidate(nodes, source, last)
            if candidate is not None:
                return self.node(candidate, nodes, source, last)
        return None

    def clusters(self, last: Node) -> Iterator[tuple[list[Node], str]]:
        """Clusters from small to large, each with the one value it is made from. Nothing outside reads the values
        inside.
        """
        nodes, inside = [last], {last.outputs[0]}
        reads: dict[str, int] = {}
        self._count(last, reads)
        while len(nodes) <= MOST_NODES:
            frontier = [name for name in reads if name not in inside]
            if len(frontier) == 1 and len(nodes) > 1:
                yield list(nodes), frontier[0]
            following = next(
                (node for name in frontier if (node := self.inner(name, reads)) is not None), None
            )
            if following is None:
                return
            nodes.append(following)
            inside.add(following.outputs[0])
            self._count(following, reads)

    def _count(self, node: Node, reads: dict[str, int]) -> None:
        for name in node.inputs:
            if name and name not in self.known:
                reads[name] = reads.get(name, 0) + 1

    def inner(self, name: str, reads: Mapping[str, int]) -> Node | None:
        """The node that computes a value which only the cluster reads."""
        node = self.makers.get(name)
        if node is None or node.op not in _OPERATORS or node.domain or len(node.outputs) != 1:
            return None
        return node if self.is_small(node) and self.graph.readers.get(name) == reads[name] else None

    def is_small(self, node: Node) -> bool:
        """Whether all constants that a node reads are small."""
        return all(name in self.constants for name in node.inputs if name in self.known)

    def candidate(self, nodes: list[Node], source: str, last: Node) -> Candidate | None:
        if all(node.op in _LINEAR for node in nodes):
            return None
        ordered = nodes[::-1]
        constants = {
            name: self.constants[name] for node in nodes for name in node.inputs if name in self.constants
        }
        numbers = {name: array for name, array in constants.items() if array.dtype.kind == "f"}

        def compute(x: NDArray) -> NDArray:
            values: dict[str, NDArray] = {source: x}
            waiting = list(ordered)
            while waiting:
                node = waiting.pop(0)
                if any(n and n not in values and n not in self.constants for n in node.inputs):
                    waiting.append(node)
                    continue
                operands = [
                    None if not n else values[n] if n in values else self._wide(n) for n in node.inputs
                ]
                result = evaluate(node.op, operands, node.attributes)
                if result is None:
                    raise ValueError(node.op)
                values[node.outputs[0]] = result
            return values[last.outputs[0]]

        try:
            if not any(node.op in REDUCTIONS for node in nodes):
                if any(array.size != 1 for array in constants.values()):
                    return None
                return _same(compute, activations(compute), [_POINTS])
            axes = {
                axes_of(n.op, [self.constants.get(i) if i else None for i in n.inputs], n.attributes)
                for n in nodes
                if n.op in REDUCTIONS
            }
            (only,) = axes
            if not only:
                return None
            small = sorted(
                {float(x) for a in numbers.values() if a.size == 1 for x in a.flat if 0 < x < 0.02}
            )
            sized = [array.shape for array in numbers.values() if array.size > 1]
            idiom = _along_last(compute, only, sized, small) if len(only) == 1 else None
            if idiom is not None and (sized or only[0] < 0 or idiom.op == "Softmax"):
                return idiom
            kept = all(n.attributes.get("keepdims", 1) for n in nodes if n.op in REDUCTIONS)
            return _along_any(compute, only, sized, small) if kept else idiom
        except (ValueError, TypeError, IndexError, FloatingPointError):
            return None

    def _wide(self, name: str) -> NDArray:
        """A constant in float64. A single number loses its axes, so that it adds none."""
        array = self.constants[name]
        array = array.reshape(()) if array.size == 1 else array
        return array.astype(np.float64) if array.dtype.kind == "f" else array

    def node(self, candidate: Candidate, nodes: list[Node], source: str, last: Node) -> Node:
        inputs = [source]
        arrays = {n: self.constants[n] for node in nodes for n in node.inputs if n in self.constants}
        for position, array in enumerate(candidate.constants):
            name = next(
                (
                    n
                    for n, a in arrays.items()
                    if a.shape == array.shape and np.allclose(a, array, 1e-5, 1e-6)
                ),
                "",
            )
            if not name or name not in self.graph.constants:
                name = f"{last.outputs[0]}, operand {position + 1}"
                kind = next((a.dtype for a in arrays.values() if a.dtype.kind == "f"), np.dtype(np.float32))
                self.added[name] = array.astype(kind)
            inputs.append(name)
        spelled = {node.outputs[0]: node for node in nodes}
        ordered = tuple(sorted(spelled.values(), key=lambda node: self.place[node.outputs[0]]))
        return replace(
            last,
            op=candidate.op,
            inputs=tuple(inputs),
            attributes=dict(candidate.attributes),
            captures=(),
            spelled=ordered,
        )


def _along_last(
    compute: Function, axes: tuple[int, ...], sized: list[tuple[int, ...]], small: list[float]
) -> Candidate | None:
    """Matches a cluster that reduces only along the last axis."""
    widths = {shape[-1] for shape in sized}
    if len(widths) > 1:
        return None
    before = (2, 3) if axes[0] < 0 else (2, 3, 2, 2)[: axes[0]]
    if axes[0] not in (-1, len(before)):
        return None

    def found(width: int) -> Candidate | None:
        shape = (*before, width)
        return _same(compute, normalizations(compute, shape, axes[0], small), _points(shape))

    with suppress(ValueError):
        if widths:
            return found(*widths)
        narrow, wide = (_of_any_width(match) for match in map(found, _WIDTHS))
        return narrow if narrow is not None and wide is not None and _are_alike(narrow, wide) else None
    return None


def _along_any(
    compute: Function, axes: tuple[int, ...], sized: list[tuple[int, ...]], small: list[float]
) -> Candidate | None:
    """Matches a cluster that reduces along any axes and keeps them all; the match holds for any number of axes."""
    given = np.broadcast_shapes(*sized)
    rank = max(len(given) + 1, max(axes) + 1, -min(axes))
    if rank > _MOST_AXES:
        return None
    sizes = (1,) * (rank - len(given)) + given
    places = [axis for axis, size in enumerate(sizes) if size > 1]
    shape, other = (
        tuple(size if size > 1 else chosen[axis % 3] for axis, size in enumerate(sizes))
        for chosen in ((2, 3, 4), (3, 4, 2))
    )
    if max(prod(shape), prod(other)) > MOST_NUMBERS:
        return None
    # A sum in place of a mean is the same but for a factor, which is another one for each size.
    return _same(compute, over_axes(compute, shape, axes, places, small), [*_points(shape), *_points(other)])


def _points(shape: tuple[int, ...]) -> list[NDArray]:
    """Arrays on which normalizations are compared."""
    generator = np.random.default_rng(3)
    return [generator.normal(size=shape) * scale + shift for scale, shift in ((1, 0), (5, 2), (0.02, 0))]


def _are_alike(narrow: Candidate, wide: Candidate) -> bool:
    """Whether matches of two widths are the same one. A sum in place of a mean makes a scale that follows the width."""
    alike = (narrow.op, narrow.attributes, len(narrow.constants)) == (
        wide.op,
        wide.attributes,
        len(wide.constants),
    )
    return alike and all(
        np.allclose(a, b, 1e-5) for a, b in zip(narrow.constants, wide.constants, strict=True)
    )


def _of_any_width(candidate: Candidate | None) -> Candidate | None:
    """A candidate without constants whose width is known: its scale is one number, and there is no bias."""
    if candidate is None:
        return None
    gamma, *rest = candidate.constants or (np.ones(1),)
    if not np.allclose(gamma, gamma[0], 1e-5, 0) or any(np.abs(beta).max() > 1e-7 for beta in rest):
        return None
    return replace(candidate, constants=(np.ones(1) * gamma[:1].round(6),) if candidate.constants else ())


def _same(compute, candidates: Iterator[Candidate], points: list[NDArray]) -> Candidate | None:  # type: ignore[no-untyped-def]
    """The candidate that agrees at all points."""
    values = [compute(x) for x in points]
    for candidate in candidates:
        if all(
            value.shape == (y := candidate.compute(x)).shape
            and np.all(np.abs(y - value) <= 2e-6 * np.maximum(1, np.abs(value)))
            for x, value in zip(points, values, strict=True)
        ):
            return candidate
    return None
