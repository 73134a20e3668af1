"""Finds the products with weights of a graph that can be products of bytes, and says why the others can't."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..graph.graph import Graph
from ..graph.node import InputAttributes, Node, Value
from ..interpreter import evaluate
from ..ops.products.dot import DotAttributes
from ..ops.protocols import contraction
from ..ops.scans.scan_attributes import ScanAttributes
from ..ops.views.slice_pad import SliceAttributes
from ..ops.windows.geometry import ConvAttributes
from ..passes.split_prepare import fixed_values
from .bodies import outside
from .following import Step, following


class Key(NamedTuple):
    """A product in any entry of a network: the layer, the operation, and its number among those of the layer."""

    layer: str
    op: str
    number: int

    def __str__(self) -> str:
        return self.layer if self.number == 0 else f"{self.layer} ({self.number + 1})"


@dataclass(frozen=True, slots=True)
class Site:
    """A product of data with weights, which depend on parameters alone. ``data`` and ``weights`` are operands of
    ``node``, the weights the one at ``position``. ``steps`` are those after it that its scales can have in them.
    ``loops``: the scans in whose bodies it is, the outermost first."""

    key: Key
    node: Node
    data: Value
    weights: Value
    position: int
    steps: tuple[Step, ...] = ()
    loops: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True)
class Constant:
    """Weights that the scan ``node`` reads in each step: its operand at ``position``, the same one of its body."""

    key: Key
    node: Node
    weights: Value
    position: int


@dataclass(frozen=True, slots=True)
class Kept:
    """A product that stays in floats, and why."""

    key: Key
    reason: str


def find_sites(graph: Graph) -> tuple[list[Site], list[Kept]]:
    """The products of a graph and of the loops in it that can be quantized, and the others, each in topological
    order."""
    search = _Search()
    search.look(graph, (), fixed_values(graph))
    return search.sites, search.kept


class _Search:
    def __init__(self) -> None:
        self.sites: list[Site] = []
        self.kept: list[Kept] = []
        self.counts: dict[tuple[str, str], int] = {}

    def look(self, graph: Graph, loops: tuple[Node, ...], fixed: Container[Value]) -> None:
        """Finds the products of ``graph``, the body of the last of ``loops``."""
        for node in graph:
            operands = graph.operands(node)
            if node.values and all(value in fixed for value in node.values):
                continue  # weights made of weights, once after loading
            if isinstance(node.attrs, ScanAttributes):
                inputs = list(node.attrs.body.inputs.values())[: node.attrs.n_consts]
                given = [own for own, value in zip(inputs, operands, strict=False) if value in fixed]
                self.look(node.attrs.body, (*loops, node), fixed_values(node.attrs.body, given))
                continue
            if not _is_product(node):
                continue
            key = _key(node, self.counts)
            known = [position for position, value in enumerate(operands) if value in fixed]
            reason = _why_not(graph, node, known)
            if reason is not None:
                self.kept.append(Kept(key, reason))
                continue
            (position,) = known
            steps = _steps(graph, node, position, fixed)
            data, weights = operands[1 - position], operands[position]
            self.sites.append(Site(key, node, data, weights, position, steps, loops))


def _steps(graph: Graph, node: Node, position: int, fixed: Container[Value]) -> tuple[Step, ...]:
    """The steps after a product whose last axis has its columns."""
    steps = following(graph, node, fixed)
    if isinstance(node.attrs, ConvAttributes):
        return tuple(steps)
    if position == 0 or len(graph.type(graph.operands(node)[1]).shape) != 2:
        return ()
    return tuple(takewhile(lambda step: step.kind != "maximum", steps))


def find_products(graph: Graph) -> list[Site]:
    """All products of data with weights in float32, outside of recurrences. Products with the same weights, such as the
    copies of a step, have one key."""
    fixed = fixed_values(graph)
    keys: dict[Value, Key] = {}
    sites: list[Site] = []
    counts: dict[tuple[str, str], int] = {}
    for node in graph:
        if not _is_product(node) or all(value in fixed for value in node.values):
            continue
        key, operands = _key(node, counts), graph.operands(node)
        known = [position for position, value in enumerate(operands) if value in fixed]
        if len(operands) == 2 and len(known) == 1 and graph.type(operands[known[0]]).dtype == "float32":
            key = keys.setdefault(operands[known[0]], key)
            sites.append(Site(key, node, operands[1 - known[0]], operands[known[0]], known[0]))
    return sites


def find_constant_weights(graph: Graph) -> list[Constant]:
    """The weights in float32 that the products in recurrences read in each step, and that nothing else reads there."""
    fixed = fixed_values(graph)
    counts: dict[tuple[str, str], int] = {}
    keys: dict[Value, Key] = {}
    constants: list[Constant] = []
    for node in graph:
        if not isinstance(node.attrs, ScanAttributes) or all(value in fixed for value in node.values):
            continue
        body, operands = node.attrs.body, graph.operands(node)
        key = _key(node, counts)
        for position, value in enumerate(list(body.inputs.values())[: node.attrs.n_consts]):
            type, weights = body.type(value), operands[position]
            if (
                weights in fixed
                and type.dtype == "float32"
                and type.rank > 1
                and _is_read_by_products(body, value)
            ):
                own = keys.setdefault(weights, Key(key.layer, f"{key.op}{key.number or ''}.const", position))
                constants.append(Constant(own, node, weights, position))
    return constants


def _is_read_by_products(body: Graph, value: Value) -> bool:
    """Whether only products read ``value``, whole or in slices."""
    uses = body.uses(value)
    return (
        bool(uses)
        and value not in body.outputs.values()
        and all(
            _is_read_by_products(body, user.values[0])
            if isinstance(user.attrs, SliceAttributes)
            else _is_product(user)
            for user, _ in uses
        )
    )


def weights_of(
    graph: Graph, sites: Sequence[Site | Constant], parameters: Mapping[str, NDArray]
) -> dict[Key, NDArray]:
    """The weights of each product, computed from the network's ``parameters``."""
    places = [(site.loops if isinstance(site, Site) else (), site.weights) for site in sites]
    arrays = arrays_of(graph, places, parameters)
    return {site.key: arrays[number] for number, site in enumerate(sites)}


def arrays_of(
    graph: Graph, places: Sequence[tuple[Sequence[Node], Value]], parameters: Mapping[str, NDArray]
) -> list[NDArray]:
    """Values that depend on the network's ``parameters`` alone, each in the body of the last of so many loops."""
    graph = graph.copy()
    values = [outside(graph, loops, value) for loops, value in places]
    owned = [
        (name, value)
        for name, value in graph.inputs.items()
        if graph.input_role(name) in ("parameter", "statistic")
    ]
    outputs = [(str(number), value) for number, value in enumerate(values)]
    extracted = graph.extract("weights", owned, outputs)
    arrays = evaluate(extracted, {name: np.asarray(parameters[name]) for name, _ in owned})
    return [arrays[str(number)] for number in range(len(values))]


def _key(node: Node, counts: dict[tuple[str, str], int]) -> Key:
    number = counts.get((node.layer, node.op), 0)
    counts[node.layer, node.op] = number + 1
    return Key(node.layer, node.op, number)


def _is_product(node: Node) -> bool:
    op = None if isinstance(node.attrs, InputAttributes) else contraction(node)
    return op is not None and op.factor_count > 1


def _why_not(graph: Graph, node: Node, known: list[int]) -> str | None:
    """Why a product stays in floats; ``known`` are the positions of operands that depend on parameters alone."""
    operands = graph.operands(node)
    if not known:
        return "it multiplies two results, none of which are weights"
    if len(operands) != 2 or len(known) != 1:
        return "its sums go on from others"
    if graph.type(operands[0]).dtype != "float32":
        return f"it is computed in {graph.type(operands[0]).dtype}"
    match node.attrs:
        case ConvAttributes() as attrs:
            if known != [1]:
                return "its kernel is no weight"
            return None
        case DotAttributes() as attrs:
            if attrs.batch:
                return "each sample is multiplied by a matrix of its own"
            return None if attrs.lhs_contract else "it sums nothing"
    return f"{node.op} has no form with bytes"
