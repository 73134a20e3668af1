"""Where boxes and arrows stand: ranks by longest path, order by barycenters, columns by least squares.

The method of Sugiyama, Tagawa and Toda (1981). Arrows over several ranks pass through a point in each; the order
within a rank is that of the fewest crossings found while sorting by the mean position of neighbours; horizontal
places are least-squares solutions that keep the order (pool adjacent violators), so nothing overlaps. Lengths are
in SVG user units.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from .picture import Arrow, Box, Picture

BOX_GAP, STATE_GAP, RANK_GAP, LOOP_REACH, MARGIN = 28.0, 58.0, 38.0, 32.0, 28.0
LINE, TITLE_LINE, PADDING = 17.0, 20.0, 9.0
_SWEEPS = 12
#: Above this many boxes counting crossings costs more than a better order is worth.
_MANY = 3000

_NARROW, _WIDE = set("iljtfrI.,:;'|!()[]·1 "), set("mwMW@—−⋯×")


def text_width(text: str, size: float, *, mono: bool = False) -> float:
    """About how wide a text is; rather too wide than too narrow."""
    if mono:
        return 0.62 * size * len(text)
    return size * sum(
        0.36 if c in _NARROW else 0.92 if c in _WIDE else 0.7 if c.isupper() else 0.58 for c in text
    )


@dataclass
class Place:
    """A box's centre and size."""

    x: float = 0.0
    y: float = 0.0
    width: float = 0.0
    height: float = 0.0


@dataclass
class Layout:
    """Places of boxes by id, the points each arrow goes through, and the picture's size."""

    places: dict[str, Place]
    routes: list[tuple[Arrow, list[tuple[float, float]]]]
    width: float
    height: float


@dataclass
class _Node:
    """A box, or the point where a long arrow passes a rank."""

    rank: int
    width: float
    column: int
    row: str = ""
    order: float = 0.0
    x: float = 0.0
    above: list[_Node] = field(default_factory=list)
    below: list[_Node] = field(default_factory=list)
    box: Box | None = None


def box_size(box: Box) -> tuple[float, float]:
    """Width and height of a box around its text."""
    if box.family == "ghost":
        return max(text_width(line, 13) for line in (box.title, *box.lines)) + 16, 24.0 + LINE * len(
            box.lines
        )
    widths = [1.08 * text_width(box.title, 15), *(text_width(line, 12.5) for line in box.lines)]
    widths += [text_width(box.shape, 12, mono=True), text_width(box.tag, 11.5) + 14]
    lines = len(box.lines) + bool(box.shape) + bool(box.tag)
    return max(92.0, max(widths) + 26), 2 * PADDING + TITLE_LINE + LINE * lines


def loop_width(box: Box) -> float:
    """The room that a box's loops and their labels need on either side."""
    return max((LOOP_REACH + text_width(label, 12) for label in box.loops), default=0.0)


def arrange(picture: Picture) -> Layout:
    """Places everything; takes time about linear in boxes and arrows for pictures of everyday size."""
    ranks = _ranks(picture)
    nodes, layers, chains = _nodes(picture, ranks)
    _order(layers, len(nodes))
    _columns(layers)
    return _placed(picture, nodes, layers, chains)


def _ranks(picture: Picture) -> dict[str, int]:
    """A rank for each box: one more than the highest it reads, and for what leads straight from a source as low
    as its readers allow. A row with arrows from step to step has a rank of its own."""
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
    final: dict[str, int] = {}
    level = -1
    previous: tuple[int, str] | None = None
    for name in sorted(rank, key=lambda name: rank[name]):
        key = (rank[name], name if name in stepping else "")
        level += key != previous
        previous, final[name] = key, level
    return {box.id: final[row[box.id]] for box in picture.boxes}


def _nodes(
    picture: Picture, ranks: dict[str, int]
) -> tuple[dict[str, _Node], list[list[_Node]], list[list[_Node]]]:
    nodes: dict[str, _Node] = {}
    layers: list[list[_Node]] = [[] for _ in range(max(ranks.values(), default=0) + 1)]
    for box in picture.boxes:
        width = box_size(box)[0] + 2 * loop_width(box)
        node = _Node(ranks[box.id], width, box.column, box.row or box.id, box=box)
        nodes[box.id] = node
        layers[node.rank].append(node)
    chains = []
    for arrow in picture.arrows:
        source, target = nodes[arrow.source], nodes[arrow.target]
        chain = [source]
        if source.rank < target.rank:
            for rank in range(source.rank + 1, target.rank):
                point = _Node(rank, 12.0, target.column)
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


def _order(layers: list[list[_Node]], count: int) -> None:
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


def _number(layer: list[_Node]) -> None:
    # Centred, so that the positions of ranks with few and with many boxes can be compared.
    for position, node in enumerate(layer):
        node.order = position - (len(layer) - 1) / 2


def _crossings(layers: list[list[_Node]]) -> int:
    total = 0
    for layer in layers:
        seen: list[float] = []
        for node in layer:
            ends = sorted(other.order for other in node.below)
            total += sum(len(seen) - bisect_right(seen, end) for end in ends)
            for end in ends:
                insort(seen, end)
    return total


def _gap(left: _Node, right: _Node) -> float:
    in_one_row = left.row and left.row == right.row
    gap = STATE_GAP if in_one_row else BOX_GAP
    return (left.width + right.width) / 2 + gap


def _columns(layers: list[list[_Node]]) -> None:
    for layer in layers:
        x = 0.0
        for position, node in enumerate(layer):
            x += _gap(layer[position - 1], node) if position else 0.0
            node.x = x
        for node in layer:
            node.x -= x / 2

    def settle(order: Sequence[list[_Node]], up: bool, down: bool) -> None:
        for layer in order:
            wanted, weights = [], []
            for node in layer:
                pulls = [(_pull(node, other), other.x) for other in node.above if up]
                pulls += [(_pull(node, other), other.x) for other in node.below if down]
                weight = sum(pull for pull, _ in pulls)
                weights.append(weight or 0.01)
                wanted.append(sum(pull * x for pull, x in pulls) / weight if weight else node.x)
            _separate(layer, wanted, weights)

    count = sum(map(len, layers))
    for _ in range(4):
        settle(layers, True, False)
        settle(layers[::-1], False, True)
    for _ in range(60 if count <= 300 else 8):
        settle(layers, True, True)
        settle(layers[::-1], True, True)


def _pull(node: _Node, other: _Node) -> float:
    """How much an arrow wants to be straight: long ones most (Gansner et al., 1993)."""
    return 1.0 if node.box and other.box else 2.0 if node.box or other.box else 8.0


def _separate(layer: list[_Node], wanted: list[float], weights: list[float]) -> None:
    """The places nearest to those wanted that keep the order and the gaps: isotonic least squares."""
    offsets = [0.0]
    for left, right in pairwise(layer):
        offsets.append(offsets[-1] + _gap(left, right))
    blocks: list[list[float]] = []  # mean, weight, count
    for want, offset, weight in zip(wanted, offsets, weights, strict=True):
        blocks.append([want - offset, weight, 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            mean, weight, count = blocks.pop()
            last = blocks[-1]
            last[0] = (last[0] * last[1] + mean * weight) / (last[1] + weight)
            last[1] += weight
            last[2] += count
    means = [block[0] for block in blocks for _ in range(int(block[2]))]
    for node, mean, offset in zip(layer, means, offsets, strict=True):
        node.x = mean + offset


def _placed(
    picture: Picture, nodes: dict[str, _Node], layers: list[list[_Node]], chains: list[list[_Node]]
) -> Layout:
    left = min((node.x - node.width / 2 for layer in layers for node in layer), default=0.0) - MARGIN
    right = max((node.x + node.width / 2 for layer in layers for node in layer), default=0.0) + MARGIN
    heading = max(text_width(picture.title, 20), text_width(picture.subtitle, 13)) + 2 * MARGIN
    if right - left < heading:
        left -= (heading - (right - left)) / 2
        right = left + heading
    top = MARGIN + (26 if picture.title else 0) + (22 if picture.subtitle else 0) + 12
    spans: list[tuple[float, float]] = []
    for layer in layers:
        height = max((box_size(node.box)[1] for node in layer if node.box), default=0.0)
        spans.append((top, top + height))
        top += height + RANK_GAP
    places = {}
    for id, node in nodes.items():
        assert node.box is not None
        width, height = box_size(node.box)
        middle = sum(spans[node.rank]) / 2
        places[id] = Place(node.x - left, middle, width, height)
    routes = [
        (arrow, _route(arrow, chain, places, spans, left))
        for arrow, chain in zip(picture.arrows, chains, strict=True)
    ]
    _spread(routes, places)
    return Layout(places, routes, right - left, (spans[-1][1] if spans else top) + MARGIN)


def _route(
    arrow: Arrow,
    chain: list[_Node],
    places: dict[str, Place],
    spans: list[tuple[float, float]],
    left: float,
) -> list[tuple[float, float]]:
    source, target = places[arrow.source], places[arrow.target]
    if chain[0].rank == chain[-1].rank:
        side = 1 if source.x <= target.x else -1
        lift = 0 if side == 1 else 8  # two directions side by side
        return [
            (source.x + side * source.width / 2, source.y + lift),
            (target.x - side * target.width / 2, target.y + lift),
        ]
    points = [(source.x, source.y + source.height / 2)]
    for node in chain[1:-1]:
        points += [(node.x - left, spans[node.rank][0]), (node.x - left, spans[node.rank][1])]
    return [*points, (target.x, target.y - target.height / 2)]


def _spread(routes: list[tuple[Arrow, list[tuple[float, float]]]], places: dict[str, Place]) -> None:
    """Arrows into one box end side by side, in the order they come from."""
    ending: dict[str, list[list[tuple[float, float]]]] = {}
    for arrow, points in routes:
        if points[0][1] < points[-1][1] and arrow.kind == "data":
            ending.setdefault(arrow.target, []).append(points)
    for target, group in ending.items():
        place = places[target]
        step = min(22.0, place.width * 0.7 / len(group))
        group.sort(key=lambda points: points[-2][0])
        for position, points in enumerate(group):
            points[-1] = (place.x + (position - (len(group) - 1) / 2) * step, points[-1][1])
