"""Places boxes and arrows: ranks one below the other, columns by least squares.

The horizontal positions are least-squares solutions that keep the order within each rank (pool adjacent violators), so
nothing overlaps, and long arrows are straight where possible.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from .order import Node, box_ranks, make_nodes, order_ranks
from .picture import Arrow, Picture
from .sizes import BOX_GAP, MARGIN, RANK_GAP, STATE_GAP, TIMELINE_GAP, box_size, text_width

#: The weight of a box that has its place: nothing else moves it.
_FIXED = 1e9


@dataclass
class Place:
    """A box's centre and size."""

    x: float = 0.0
    y: float = 0.0
    width: float = 0.0
    height: float = 0.0


@dataclass
class Layout:
    """The places of boxes by id, the points of each arrow, and the picture's size."""

    places: dict[str, Place]
    routes: list[tuple[Arrow, list[tuple[float, float]]]]
    width: float
    height: float


def arrange(picture: Picture) -> Layout:
    """Places everything. For pictures of usual size the time is about linear in the number of boxes and arrows."""
    ranks = box_ranks(picture)
    nodes, layers, chains = make_nodes(picture, ranks)
    order_ranks(layers, len(nodes))
    _columns(layers)
    return _placed(picture, nodes, layers, chains)


def _gap(left: Node, right: Node) -> float:
    in_one_row = left.row and left.row == right.row
    gap = STATE_GAP if in_one_row else BOX_GAP
    if left.is_step and right.is_step and left.timeline != right.timeline:
        gap = TIMELINE_GAP
    return (left.width + right.width) / 2 + gap


def _place_steps(layers: list[list[Node]]) -> None:
    """Gives each box of a step in time its place: all of a step are one below the other, so far from those of the next
    step that everything between them fits. Several of a step in one rank are side by side around its middle.
    """
    distances: dict[tuple[int, int], float] = {}
    for layer in layers:
        before: tuple[int, float] | None = None  # the last step, and where its middle is
        for column, places in _steps_of(layer).items():
            middle = (places[0] + places[-1]) / 2
            if before is not None:
                key = (before[0], column)
                distances[key] = max(distances.get(key, 0.0), middle - before[1])
            before = column, middle
    slots: dict[int, float] = {}
    for column in sorted({node.column for layer in layers for node in layer if node.is_step}):
        ends = [slots[a] + distance for (a, b), distance in distances.items() if b == column]
        slots[column] = max(ends, default=max(slots.values(), default=0.0))
    for layer in layers:
        for column, places in _steps_of(layer).items():
            middle = (places[0] + places[-1]) / 2
            steps = [node for node in layer if node.is_step and node.column == column]
            for node, place in zip(steps, places, strict=True):
                node.slot = slots[column] + place - middle


def _steps_of(layer: list[Node]) -> dict[int, list[float]]:
    """For each step in a rank, where its boxes would be if everything was as narrow as possible."""
    places: dict[int, list[float]] = {}
    x = 0.0
    for position, node in enumerate(layer):
        x += _gap(layer[position - 1], node) if position else 0.0
        if node.is_step:
            places.setdefault(node.column, []).append(x)
    return places


def _columns(layers: list[list[Node]]) -> None:
    _place_steps(layers)
    for layer in layers:
        x = 0.0
        for position, node in enumerate(layer):
            x += _gap(layer[position - 1], node) if position else 0.0
            node.x = x
        first = next((node for node in layer if node.slot is not None), None)
        shift = x / 2 if first is None or first.slot is None else first.x - first.slot
        for node in layer:
            node.x -= shift

    def settle(order: Sequence[list[Node]], up: bool, down: bool) -> None:
        for layer in order:
            wanted, weights = [], []
            for node in layer:
                if node.slot is not None:
                    weights.append(_FIXED)
                    wanted.append(node.slot)
                    continue
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


def _pull(node: Node, other: Node) -> float:
    """The weight of an arrow's straightness: largest for long ones (Gansner et al., 1993)."""
    return 1.0 if node.box and other.box else 2.0 if node.box or other.box else 8.0


def _separate(layer: list[Node], wanted: list[float], weights: list[float]) -> None:
    """The positions closest to the wanted ones that keep the order and the gaps: isotonic least squares."""
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
    picture: Picture, nodes: dict[str, Node], layers: list[list[Node]], chains: list[list[Node]]
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
    chain: list[Node],
    places: dict[str, Place],
    spans: list[tuple[float, float]],
    left: float,
) -> list[tuple[float, float]]:
    source, target = places[arrow.source], places[arrow.target]
    if chain[0].rank == chain[-1].rank or arrow.kind == "state":
        side = 1 if source.x <= target.x else -1
        lift = 0 if side == 1 else 8  # the two directions, side by side
        return [
            (source.x + side * source.width / 2, source.y + lift),
            (target.x - side * target.width / 2, target.y + lift),
        ]
    points = [(source.x, source.y + source.height / 2)]
    for node in chain[1:-1]:
        points += [(node.x - left, spans[node.rank][0]), (node.x - left, spans[node.rank][1])]
    return [*points, (target.x, target.y - target.height / 2)]


def _spread(routes: list[tuple[Arrow, list[tuple[float, float]]]], places: dict[str, Place]) -> None:
    """Spreads the arrows into one box along its border, in the order of their sources."""
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
