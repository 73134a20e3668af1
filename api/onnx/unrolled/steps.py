"""Finds the nodes of one step, and checks that all steps have them: the same operators with the same weights, each
reading the next part of a sequence and the results of the step before.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..reading import Node, OnnxGraph, Subgraph
from .parts import SMALL, Constants, Part

Key = tuple


@dataclass
class Steps:
    """The nodes of a step in order, with the names used in that step. A state is a value that a step passes to the
    next.
    """

    nodes: list[Node]
    states: dict[str, str]
    """What the first step reads instead, by the names of states."""
    reads: dict[str, Part]
    """The parts that are read, by their names in the nodes."""
    names: list[dict[str, str]]
    """For each step the graph's names for the nodes' values."""


def previous(name: str) -> str:
    """The nodes' name for the value of a state from the step before."""
    return f"{name}.h"


class StepFinder:
    """Looks for steps over parts of sequences, given the position of each part by its name, in the order of the
    steps.
    """

    def __init__(
        self, graph: OnnxGraph, constants: Constants, places: Mapping[str, tuple[Part, int]], count: int
    ):
        self.graph, self.constants, self.places, self.count = graph, constants, places, count
        self.makers = {name: node for node in graph.nodes for name in node.outputs if name}
        self.by_place: dict[tuple[str, int, int], str] = {}
        """The first name of each part."""
        for name, (part, step) in places.items():
            self.by_place.setdefault((part.source, part.axis, step), name)
        self.levels: dict[str, int] = {name: step for name, (_, step) in places.items()}
        """The last step whose part a value depends on."""
        self.of_level: dict[int, list[Node]] = {}
        for node in graph.nodes:
            own = [name for name in node.outputs if name not in places]
            if len(own) < len(node.outputs) or not own:
                continue
            level = max((self.levels.get(name, -1) for name in node.reads), default=-1)
            if level >= 0:
                self.levels.update(dict.fromkeys(own, level))
                self.of_level.setdefault(level, []).append(node)
        self.given: dict[Key, list[Node]] = {}
        for node in graph.nodes:
            self.given.setdefault(self.key(node, node.inputs), []).append(node)

    def key(self, node: Node, inputs: Iterable[str]) -> Key:
        """The key by which nodes that compute the same are equal."""
        return self.kind(node), tuple(self.name(name) for name in inputs)

    def name(self, name: str) -> str:
        """One name for equal values: the same part, or equal constants."""
        if name in self.places:
            part, step = self.places[name]
            return self.by_place[part.source, part.axis, step]
        return self.constants.name(name)

    def kind(self, node: Node) -> Key:
        attributes = []
        for name, value in sorted(node.attributes.items()):
            if isinstance(value, Subgraph):
                return (id(node),)
            array = isinstance(value, np.ndarray)
            numbers = (value.shape, value.tobytes() if value.size <= SMALL else id(value)) if array else value
            attributes.append((name, numbers))
        return node.domain, node.op, tuple(attributes), len(node.inputs), len(node.outputs)

    def find(self) -> Steps | None:
        """The steps, if all of them are the same."""
        nodes, states = self.repeated()
        firsts = self.firsts(nodes, states)
        if firsts is None:
            return None
        nodes, starts = self.rolled_back(nodes, states, firsts)
        return self.verified(nodes, starts)

    # What the second and the third step have in common.

    def repeated(self) -> tuple[list[Node], dict[str, str]]:
        """The nodes of the second step that the third one has too; and for each value that they read from the first
        step, what the third step reads in its place.
        """
        nodes = self.of_level.get(1, [])
        while True:
            matched, states = self.matched(nodes, 1, 2)
            given = {name for node in matched for name in node.outputs}
            kept = [
                node
                for node in matched
                if all(states.get(name, name) in given for name in node.inputs if name in states)
            ]
            if len(kept) == len(nodes):
                return kept, {
                    old: new for old, new in states.items() if any(old in node.inputs for node in kept)
                }
            nodes = kept

    def matched(self, nodes: Sequence[Node], step: int, other: int) -> tuple[list[Node], dict[str, str]]:
        """The nodes of one step that another step has too; and for each value that they read from the step before, what
        the other step reads in its place.
        """
        waiting: dict[Key, list[Node]] = {}
        for node in self.of_level.get(other, []):
            waiting.setdefault(self.kind(node), []).append(node)
        images: dict[str, str] = {}
        states: dict[str, str] = {}
        matched: list[Node] = []
        for node in nodes:
            for candidate in waiting.get(self.kind(node), []):
                bound = self.bound(node, candidate, step, other, images, states)
                if bound is not None:
                    waiting[self.kind(node)].remove(candidate)
                    states.update(bound)
                    images.update(zip(node.outputs, candidate.outputs, strict=True))
                    matched.append(node)
                    break
        return matched, states

    def bound(
        self,
        node: Node,
        candidate: Node,
        step: int,
        other: int,
        images: Mapping[str, str],
        states: Mapping[str, str],
    ) -> dict[str, str] | None:
        """What a node of another step reads from the step before it, if it is the same node."""
        reads: dict[str, str] = {}
        for own, its in zip(node.inputs, candidate.inputs, strict=True):
            if own in self.places:
                part, at = self.places[own]
                its_part, its_at = self.places.get(its, (part, -1))
                if (
                    at != step
                    or its_at != other
                    or (part.source, part.axis) != (its_part.source, its_part.axis)
                ):
                    return None
            elif own in images:
                if its != images[own]:
                    return None
            elif self.levels.get(own, -1) == step:
                return None
            elif self.levels.get(own, -1) == step - 1 and step > 0:
                if reads.get(own, states.get(own, its)) != its or self.levels.get(its, -1) != other - 1:
                    return None
                reads[own] = its
            elif self.constants.name(own) != self.constants.name(its) or self.levels.get(own, -1) >= 0:
                return None
        return reads

    # What the first step reads.

    def firsts(self, nodes: Sequence[Node], states: Mapping[str, str]) -> dict[str, str] | None:
        """The values in the first step that take the place of states, by the states' names."""
        if not states:
            return None
        matched, starts = self.matched(nodes, 1, 0)
        if any(name not in starts for name in states) or not matched:
            return None
        result: dict[str, str] = {}
        for old, new in states.items():
            if result.setdefault(new, starts[old]) != starts[old]:
                return None
        return result

    def rolled_back(
        self, nodes: Sequence[Node], states: Mapping[str, str], firsts: Mapping[str, str]
    ) -> tuple[list[Node], dict[str, str]]:
        """The nodes of a step with the names of states. Nodes that only prepare the next step are moved to the
        beginning of that step, since the first step has them too.
        """
        renamed = {old: previous(new) for old, new in states.items()}
        own = [reading(node, renamed) for node in nodes]
        starts, before = dict(firsts), []
        every, names = dict(firsts), dict[str, str]()
        waiting = list(starts)
        while waiting:
            name = waiting.pop()
            makers = {name: node for node in own for name in node.outputs}
            node, first = makers[name], self.makers.get(starts[name])
            inner = None if first is None else self.inner(node, first, name, starts[name], makers, every)
            if inner is None:
                continue
            starts.pop(name)
            prepared = tuple(f"{output}, prepared" for output in node.outputs)
            if all(other.outputs != prepared for other in before):
                inputs = tuple(previous(read) if read in inner else read for read in node.inputs)
                before.append(reading(replace(node, inputs=inputs, outputs=prepared), names))
                fresh = {state: start for state, start in inner.items() if state not in every}
                waiting += fresh
                starts |= fresh
                every |= fresh
            names[previous(name)] = prepared[node.outputs.index(name)]
            own, before = ([reading(node, names) for node in nodes] for nodes in (own, before))
        return [*_sorted(before), *own], starts

    def inner(
        self,
        node: Node,
        first: Node,
        name: str,
        start: str,
        makers: Mapping[str, Node],
        every: Mapping[str, str],
    ) -> dict[str, str] | None:
        """What the node that computes a state reads from its step, and what takes its place before the first step, if
        the same node exists there.
        """
        if self.kind(node) != self.kind(first) or node.outputs.index(name) != first.outputs.index(start):
            return None
        reads: dict[str, str] = {}
        for own, its in zip(node.inputs, first.inputs, strict=True):
            if own in makers:
                if reads.get(own, every.get(own, its)) != its:
                    return None
                reads[own] = its
            elif (
                own in self.places
                or own in map(previous, every)
                or self.constants.name(own) != self.constants.name(its)
            ):
                return None
        return reads or None

    # All steps.

    def verified(self, nodes: list[Node], starts: dict[str, str]) -> Steps | None:
        """The steps, if each of them is in the graph. Nodes that one of them lacks are left out."""
        own = {name: self.name(name) for node in nodes for name in node.inputs if name in self.places}
        nodes = [reading(node, own) for node in nodes]
        reads = {name: self.places[name][0] for name in own.values()}
        while True:
            names, missing = self.walked(nodes, starts, reads)
            if not missing:
                break
            gone = {name for node in nodes if node.outputs[0] in missing for name in node.outputs}
            kept = [node for node in nodes if node.outputs[0] not in missing and not gone & set(node.inputs)]
            if gone & starts.keys():
                return None
            nodes = kept
        used = {name for node in nodes for name in node.inputs}
        if not starts or not reads or any(previous(name) not in used for name in starts):
            return None
        return Steps(nodes, starts, {name: part for name, part in reads.items() if name in used}, names)

    def walked(
        self, nodes: Sequence[Node], starts: Mapping[str, str], reads: Mapping[str, Part]
    ) -> tuple[list[dict[str, str]], set[str]]:
        """The names of all steps' values, or the first outputs of nodes that a step lacks."""
        current = {previous(name): start for name, start in starts.items()}
        steps: list[dict[str, str]] = []
        for step in range(self.count):
            values = dict(current)
            for name, part in reads.items():
                values[name] = self.by_place[part.source, part.axis, step]
            missing: set[str] = set()
            for node in nodes:
                inputs = [values.get(name, name) for name in node.inputs]
                there = self.given.get(self.key(node, inputs))
                if there:
                    values.update(zip(node.outputs, there[0].outputs, strict=True))
                    continue
                missing.add(node.outputs[0])
                if step < self.count - 1:
                    return [], missing
                values.update({name: f"{name}, after the last step" for name in node.outputs})
            # The last step may lack nodes that only prepare a step after it.
            unread = missing & _needed(nodes, starts)
            missing = missing - unread if len(unread) * 4 <= len(nodes) else missing
            if missing:
                return [], missing
            steps.append(values)
            current = {previous(name): values[name] for name in starts}
        return steps, set()


def _needed(nodes: Sequence[Node], names: Iterable[str]) -> set[str]:
    """The first outputs of nodes that values depend on."""
    wanted, needed = set(names), set()
    for node in reversed(nodes):
        if wanted & set(node.outputs):
            wanted.update(node.inputs)
            needed.add(node.outputs[0])
    return needed


def _sorted(nodes: Sequence[Node]) -> list[Node]:
    """Sorts nodes after those that they read."""
    ordered: list[Node] = []
    waiting = list(nodes)
    while waiting:
        given = {name for node in waiting for name in node.outputs}
        ready = [node for node in waiting if not given & set(node.inputs)]
        if not ready:
            return [*ordered, *waiting]
        ordered += ready
        waiting = [node for node in waiting if node not in ready]
    return ordered


def reading(node: Node, names: Mapping[str, str]) -> Node:
    """A node with some of the values it reads replaced."""
    return replace(node, inputs=tuple(names.get(name, name) for name in node.inputs))


def places_of(
    parts: Mapping[str, Part], chosen: Collection[tuple[str, int]], low: int, count: int, *, reverse: bool
) -> dict[str, tuple[Part, int]]:
    """The parts of some axes, each with the step that reads it."""
    places = {}
    for name, part in parts.items():
        step = part.position - low
        if (part.source, part.axis) in chosen and 0 <= step < count:
            places[name] = part, count - 1 - step if reverse else step
    return places
