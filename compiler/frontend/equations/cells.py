"""A cell's equations as the body graph of a scan, for built-in and users' cells alike.

Tensors in equations are those of one sample. In the body, what depends on data has the batch as its first axis; what
depends on parameters alone does not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from netwright.specs.dims import DimLike, Shape
from netwright.specs.equations.cells import Cell
from netwright.specs.random import Key

from ...graph.graph import Graph
from ...graph.types import TensorType
from ...ops.random.random_bits import RandomBitsAttributes
from ..functions.selection import kept_of
from ..problem import Label
from ..tensor import Tensor, where
from .evaluate import Equations, Item, declarations


@dataclass(frozen=True, slots=True)
class CellShapes:
    """The shapes of a cell's arrays for one sample, and the values of its arguments."""

    inputs: Mapping[str, Shape]
    states: Mapping[str, tuple[int, ...]]
    params: Mapping[str, tuple[int, ...]]
    arguments: Mapping[str, int | float]


@dataclass(frozen=True, slots=True)
class CellBody:
    """The body of a scan.

    Consts: the parameters; with noise, for each state with dropout, the factors of its elements ([N, …]); then, if
    anything is drawn at random, the number of the update. Carries: the states. Xs: the inputs; if anything is drawn,
    the number of the step; with ``masked``, which samples have this step (bool [N]). Ys: the ``sequences``.
    """

    graph: Graph
    sequences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Noise:
    """Regularization of a recurrence: for each state the probability that an element keeps its old value, and the
    states whose elements are dropped in matrix products. ``keys`` has the random stream of each state in training,
    and is None otherwise; ``first`` the number of its first element, if not 0."""

    zoneout: Mapping[str, float]
    dropped: Sequence[str] = ()
    keys: Mapping[str, Key] | None = None
    first: Mapping[str, DimLike] = field(default_factory=dict)


#: The name of the cell's output among the sequences; states have their own names.
OUTPUT = ""


def cell_body(
    cell: Cell,
    shapes: CellShapes,
    batch: DimLike,
    dtype: str,
    *,
    sequences: Sequence[str],
    masked: bool,
    layer: str,
    used_at: Sequence[Label] = (),
    noise: Noise = Noise({}),
) -> CellBody:
    """Compiles a cell for one step of a batch. ``sequences`` names the states (and OUTPUT) wanted for all steps.

    If a sample does not have the step, its states stay, and its part of the sequences is zero. Raises Problem.
    """
    graph = Graph(layer)
    graph.layer = layer
    params = {name: _input(graph, name, dtype, shape) for name, shape in shapes.params.items()}
    factors = {
        name: _input(graph, f"kept({name})", dtype, (batch, *shapes.states[name])) for name in noise.dropped
    }
    draws = noise.keys is not None and any(noise.zoneout.values())
    update = _input(graph, "update", "int64", ()) if draws else None
    states = {
        name: _input(graph, f"prev({name})", dtype, (batch, *shape)) for name, shape in shapes.states.items()
    }
    inputs = {name: _input(graph, name, dtype, (batch, *shape)) for name, shape in shapes.inputs.items()}
    time = _input(graph, "time", "int64", ()) if draws else None
    exists = _input(graph, "exists", "bool", (batch,)) if masked else None

    names = {name: Item(tensor, False) for name, tensor in params.items()}
    names |= {name: Item(tensor, True) for name, tensor in inputs.items()}
    compiler = Equations(graph, batch, dtype, names, states, shapes.arguments, used_at)
    compiler.places = declarations(cell)
    compiler.states_in_products = {
        **states,
        **{name: states[name] * factor for name, factor in factors.items()},
    }
    for step in cell.steps:
        for name, item in zip(step.targets, compiler.items(step.value), strict=True):
            if name in states:
                item = compiler.as_state(name, item, shapes.states[name], step.value, cell.states[name].span)
            compiler.names[name] = item
    results = {name: compiler.names[name].tensor for name in states}
    for name, rate in noise.zoneout.items():
        if rate:
            results[name] = _zoned(noise, name, states[name], results[name], update, time)
            compiler.names[name] = Item(results[name], True)
    if exists is not None:
        results = {
            name: where(exists.broadcast(new.shape, [0]), new, states[name]) for name, new in results.items()
        }
    for name, new in results.items():
        graph.set_output(name, new.value)
    for name in sequences:
        value = compiler.output(cell.output) if name == OUTPUT else results[name]
        if exists is not None:
            value = where(exists.broadcast(value.shape, [0]), value, 0)
        graph.set_output(f"{name}[t]", value.value)
    return CellBody(graph, tuple(sequences))


def _zoned(
    noise: Noise, name: str, old: Tensor, new: Tensor, update: Tensor | None, time: Tensor | None
) -> Tensor:
    """Mixes old and new elements at random or, if nothing is drawn, takes the expected value."""
    rate = noise.zoneout[name]
    if noise.keys is None or update is None or time is None:
        return old * rate + new * (1 - rate)
    attrs = RandomBitsAttributes(noise.keys[name], new.shape, noise.first.get(name, 0))
    bits = update.apply("random_bits", time, attrs=attrs)
    return where(kept_of(bits, rate), new, old)


def _input(graph: Graph, name: str, dtype: str, shape: Shape) -> Tensor:
    return Tensor(graph, graph.input(name, TensorType(dtype, shape), "body"))
