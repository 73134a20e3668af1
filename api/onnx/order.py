"""Sorts the nodes of a graph so that each comes after those it reads, and drops nodes that nothing reads."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

from .errors import Finding, OnnxError

if TYPE_CHECKING:
    from .reading import Node


def in_order(nodes: Sequence[Node], known: Collection[str], outputs: Iterable[str]) -> tuple[Node, ...]:
    """The nodes that the outputs depend on, sorted.

    ``known`` are the names from outside the graph. Nodes keep the order of the file where possible. Raises OnnxError
    for names that are defined twice or not at all, and for cycles.
    """
    givers = _givers(nodes, known)
    ordered = nodes if _is_ordered(nodes, known) else _sorted(nodes, known, givers)
    outputs = list(outputs)
    for name in outputs:
        if not name or not (name in known or name in givers):
            raise OnnxError(f"nothing gives the output {name!r}")
    return tuple(needed(ordered, outputs))


def _givers(nodes: Sequence[Node], known: Collection[str]) -> dict[str, int]:
    """The position of the node that computes each name."""
    givers: dict[str, int] = {}
    for position, node in enumerate(nodes):
        for name in node.outputs:
            if name and (name in known or name in givers):
                raise OnnxError([Finding(f"gives {name!r} a second time", node.title, node.op)])
            if name:
                givers[name] = position
    return givers


def _is_ordered(nodes: Sequence[Node], known: Collection[str]) -> bool:
    given = {""}
    for node in nodes:
        if any(name not in given and name not in known for name in node.reads):
            return False
        given.update(node.outputs)
    return True


def _sorted(nodes: Sequence[Node], known: Collection[str], givers: dict[str, int]) -> list[Node]:
    """Each node as soon as all its operands are available, the first in the file first."""
    waits: list[set[int]] = []
    readers: dict[int, list[int]] = {}
    for position, node in enumerate(nodes):
        names = [name for name in node.reads if name and name not in known]
        for name in names:
            if name not in givers:
                raise _ungiven(node, name)
        waits.append({givers[name] for name in names})
        for giver in waits[-1]:
            readers.setdefault(giver, []).append(position)
    ready = [position for position, waiting in enumerate(waits) if not waiting]
    ordered: list[Node] = []
    while ready:
        position = heapq.heappop(ready)
        ordered.append(nodes[position])
        for reader in readers.get(position, ()):
            waits[reader].discard(position)
            if not waits[reader]:
                heapq.heappush(ready, reader)
    if len(ordered) < len(nodes):
        position = next(i for i, waiting in enumerate(waits) if waiting)
        name = next(value for value in nodes[position].reads if givers.get(value) in waits[position])
        raise _ungiven(nodes[position], name)
    return ordered


def _ungiven(node: Node, name: str) -> OnnxError:
    return OnnxError([Finding(f"reads {name!r}, which nothing before it gives", node.title, node.op)])


def needed(nodes: Sequence[Node], outputs: Iterable[str]) -> list[Node]:
    """The nodes that the outputs depend on."""
    wanted = set(outputs)
    kept = []
    for node in reversed(nodes):
        if any(name and name in wanted for name in node.outputs):
            wanted.update(node.reads)
            kept.append(node)
    return kept[::-1]
