"""Assigns boxes to ranks and orders them: ranks by longest path, orders by barycenters.

These are the first two steps of Sugiyama, Tagawa and Toda (1981). Arrows over several ranks pass through a point in
each. The order within the ranks is the one with the fewest crossings found while sorting by the mean position of
neighbours.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from dataclasses import dataclass, field
from itertools import pairwise

from .picture import Box, Picture
from .sizes import box_size, loop_width

_SWEEPS = 12
#: With more boxes, counting crossings costs more than a better order is worth.
_MANY = 3000


@dataclass
class Node:
    """A box, or the point where a long arrow passes a rank. ``slot`` is the place of one that may not move."""

    rank: int
    width: float
    column: int
    row: str = ""
    order: float = 0.0
    x: float = 0.0
    above: list[Node] = field(default_factory=list)
    below: list[Node] = field(default_factory=list)
    box: Box | None = None
    slot: float | None = None

    @property
    def is_step(self) -> bool:
        """Whether it is a box of a step in time, which has a place among the steps."""
        return self.box is not None and bool(self.box.row)

    @property
    def timeline(self) -> int:
        """The timeline of such a box."""
        return self.box.timeline if self.box is not None else 0


def box_ranks(picture: Picture) -> dict[str, int]:
    """A rank for each box: one below the lowest box that it reads. Chains that start at a source are moved down as far
    as their readers allow. A row, whose boxes are joined by arrows from step to step, has a rank of its own.
    """
    row = {box.id: box.row or box.id for box in picture.boxes}
    reads: dict[str, list[str]] = {row[box.id]: [] for box in picture.boxes}
    read_by: dict[str, list[str]] = {name: [] for name in reads}
    stepping: set[str] = set()
    for arrow in picture.arrows:
        source, target = row[arrow.source], row[arrow.target]
        if arrow.kind == "state":
            stepping.add(target)
        elif source != target:
            reads[target].append(source)
            read_by[source].append(target)
    rank: dict[str, int] = {}
    waiting = {name: len(sources) for name, sources in reads.items()}
    ready = [name for name, count in waiting.items() if count == 0]
    for name in ready:
        rank[name] = max((rank[source] + 1 for source in reads[name]), default=0)
        for reader in read_by[name]:
            waiting[reader] -= 1
            if waiting[reader] == 0:
                ready.append(reader)
    chained: set[str] = set()
    for name in ready:
        if not reads[name] or (len(reads[name]) == 1 and reads[name][0] in chained):
            chained.add(name)
    for name in reversed(ready):
        if name in chained and read_by[name]:
            rank[name] = min(rank[reader] for reader in read_by[name]) - 1
    return _levels(picture, row, rank, stepping)


def _levels(
    picture: Picture, row: dict[str, str], rank: dict[str, int], stepping: set[str]
) -> dict[str, int]:
    """The final rank of each box: rows whose boxes are joined from step to step have one of their own, which they share
    with such rows of other timelines.
    """
    timeline = {row[box.id]: box.timeline for box in picture.boxes}
    beside: dict[tuple[int, int], int] = {}
    places: dict[str, tuple[int, int]] = {}
    for name in sorted(rank, key=lambda name: rank[name]):
        place = 0
        if name in stepping:
            key = (rank[name], timeline[name])
            place = beside[key] = beside.get(key, 0) + 1
        places[name] = (rank[name], place)
    levels = {place: level for level, place in enumerate(sorted(set(places.values())))}
    return {box.id: levels[places[row[box.id]]] for box in picture.boxes}


def make_nodes(
    picture: Picture, ranks: dict[str, int]
) -> tuple[dict[str, Node], list[list[Node]], list[list[Node]]]:
    """The boxes by id, the content of each rank, and the boxes and points along each arrow."""
    nodes: dict[str, Node] = {}
    layers: list[list[Node]] = [[] for _ in range(max(ranks.values(), default=0) + 1)]
    for box in picture.boxes:
        width = box_size(box)[0] + 2 * loop_width(box)
        node = Node(ranks[box.id], width, box.column, box.row or box.id, box=box)
        nodes[box.id] = node
        layers[node.rank].append(node)
    chains = []
    for arrow in picture.arrows:
        source, target = nodes[arrow.source], nodes[arrow.target]
        chain = [source]
        if source.rank < target.rank and arrow.kind == "data":
            for rank in range(source.rank + 1, target.rank):
                point = Node(rank, 12.0, target.column)
                layers[rank].append(point)
                chain.append(point)
            chain.append(target)
            for upper, lower in pairwise(chain):
                upper.below.append(lower)
                lower.above.append(upper)
        else:
            chain.append(target)
        chains.append(chain)
    return nodes, layers, chains


def order_ranks(layers: list[list[Node]], count: int) -> None:
    """Sorts every rank to reduce crossings."""
    for layer in layers:
        layer.sort(key=lambda node: node.column)
        _number(layer)
    best, fewest = [list(layer) for layer in layers], _crossings(layers) if count <= _MANY else 0
    for sweep in range(_SWEEPS if fewest else 0):
        down = sweep % 2 == 0
        for layer in layers if down else reversed(layers):
            for node in layer:
                neighbours = node.above if down else node.below
                if neighbours:
                    node.order = sum(other.order for other in neighbours) / len(neighbours)
            layer.sort(key=lambda node: (node.column, node.order))
            _number(layer)
        crossings = _crossings(layers)
        if crossings < fewest:
            best, fewest = [list(layer) for layer in layers], crossings
    for layer, chosen in zip(layers, best, strict=True):
        layer[:] = chosen
        _number(layer)


def _number(layer: list[Node]) -> None:
    # Centred, so that positions in ranks of different lengths can be compared.
    for position, node in enumerate(layer):
        node.order = position - (len(layer) - 1) / 2


def _crossings(layers: list[list[Node]]) -> int:
    total = 0
    for layer in layers:
        seen: list[float] = []
        for node in layer:
            ends = sorted(other.order for other in node.below)
            total += sum(len(seen) - bisect_right(seen, end) for end in ends)
            for end in ends:
                insort(seen, end)
    return total
