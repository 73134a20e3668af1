"""Expresses a cell as a stack of layers.

Its states are divided into groups that depend on each other, each an RNN, LSTM or GRU. Everything that depends on no
earlier step becomes dense layers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.specs.equations.builtin_cells import cell_of
from netwright.specs.equations.cells import Cell
from netwright.specs.models.layers.recurrent import GatedLayer, Gru, Lstm, Rnn

from .elements import Ids
from .equations import results, vector
from .forms import Forms, Function, Poly, Product, Read, Unlike, Vector, Weights, matrix
from .gate import activation
from .matching import Match, Matcher

_LAYERS: dict[str, type[GatedLayer]] = {"rnn": Rnn, "lstm": Lstm, "gru": Gru}


@dataclass(frozen=True)
class Source:
    """A value at all steps: an input of the cell, or a state."""

    kind: str
    name: str


@dataclass(frozen=True)
class Made:
    """The output of a dense layer at all steps; without arrays, only an activation."""

    source: Value
    weights: Mapping[str, NDArray]
    activation: Any


@dataclass(frozen=True)
class Added:
    """The sum of values at all steps."""

    parts: tuple[Value, ...]


Value = Source | Made | Added


@dataclass(frozen=True)
class Gated:
    """A recurrent layer. ``states`` are the cell's states by their names in the layer."""

    kind: str
    keys: Mapping[str, Any]
    weights: Mapping[str, NDArray]
    source: Value
    places: Sequence[int] | None
    """If nothing is multiplied: which elements of the source the gates take, in their order."""
    states: Mapping[str, str]


@dataclass(frozen=True)
class Plan:
    """Layers in order, and where the wanted values come from."""

    layers: tuple[Gated, ...]
    given: Mapping[str, Value]


def layers_of(
    cell: Cell, weights: Mapping[str, NDArray], dtype: str, wanted: Collection[str], last: Collection[str]
) -> Plan | None:
    """The layers that compute what a cell computes; None if there are no such layers.

    ``wanted`` are the states, or "" for the output, whose values at all steps are needed. ``last`` are states whose
    last value is needed.
    """
    for projected in (False, True):
        with suppress(Unlike, OverflowError):
            return _Cell(cell, weights, dtype, projected=projected).plan(wanted, last)
    return None


class _Cell:
    """``projected``: each input has already been multiplied by a kernel, which is not known here."""

    def __init__(self, cell: Cell, weights: Mapping[str, NDArray], dtype: str, *, projected: bool):
        self.dtype, self.forms, self.projected = dtype, Forms(dtype), projected
        shapes = [*cell.inputs.values(), *(state.shape for state in cell.states.values())]
        if any(len(shape) != 1 for shape in shapes) or any(not 0 < w.ndim < 3 for w in weights.values()):
            raise Unlike
        self.sizes = {name: int(state.shape[0]) for name, state in cell.states.items()}  # type: ignore[arg-type]
        self.inputs = {name: int(shape[0]) for name, shape in cell.inputs.items()}  # type: ignore[arg-type]
        params = {name: self.forms.elements.of_array(array) for name, array in weights.items()}
        self.results = results(
            cell,
            self.forms,
            {name: self.input(name, size) for name, size in self.inputs.items()},
            params,
            {name: self.whole("old", name, size) for name, size in self.sizes.items()},
            {name: self.whole("new", name, size) for name, size in self.sizes.items()},
        )
        self.done: dict[str, Match] = {}
        self.known: dict[Vector, Value] = {}
        """The values that are available at all steps already."""
        self.used: list[Ids] = []
        """The weights of all layers."""

    def input(self, name: str, size: int) -> Vector:
        if not self.projected:
            return self.whole("input", name, size)
        kernel = self.forms.elements.of_array(np.arange(size, dtype=np.float64).reshape(1, size))
        return vector(self.forms.product(self.whole("input", name, 1), kernel), size)

    def whole(self, kind: Any, name: str, size: int) -> Vector:
        return vector(self.forms.of(Read(kind, name, 0, size)), size)

    def size(self, read: Read) -> int:
        if read.kind != "input":
            return self.sizes[read.name]
        return 1 if self.projected else self.inputs[read.name]

    def single(self, value: Vector) -> Poly:
        """A vector of one piece. Raises Unlike."""
        if len(value) != 1 or value[0][0] is None:
            raise Unlike
        return value[0][1]

    def plan(self, wanted: Collection[str], last: Collection[str]) -> Plan:
        reads = {
            name: self.forms.reads(poly) for name, value in self.results.states.items() for _, poly in value
        }
        remembered = {read.name for own in reads.values() for read in own if read.kind == "old"}
        layers = [self.gated(match) for match in self.groups(reads, remembered)]
        states = {name for layer in layers for name in layer.states.values()}
        if not layers or not states.issuperset(last):
            raise Unlike
        given = {name: self.asked(name, states) for name in wanted}
        if not self.forms.elements.are_single(self.used):  # values that are trained as one must stay one
            raise Unlike
        return Plan(tuple(layers), given)

    def asked(self, name: str, states: Collection[str]) -> Value:
        if name in states:
            return Source("state", name)
        value = self.results.states[name] if name else self.results.output
        same = next((state for state in states if self.results.states[state] == value), None)
        return Source("state", same) if same is not None else self.lifted(value)

    def groups(self, reads: Mapping[str, set[Read]], remembered: Collection[str]) -> Iterator[Match]:
        """The recurrent states in groups, each after those that it reads."""
        above = {name: {read.name for read in reads[name] if read.name in remembered} for name in remembered}
        for _ in remembered:
            above = {name: own.union(*(above[state] for state in own)) for name, own in above.items()}
        waiting = [name for name in self.sizes if name in remembered]
        while waiting:
            # A state that waits only for itself: everything waiting that it reads, directly or not, belongs to its
            # group.
            first = min(waiting, key=lambda name: len(above[name] & set(waiting)))
            names = [name for name in waiting if name == first or name in above[first]]
            waiting = [name for name in waiting if name not in names]
            if len(names) > 2 or len({self.sizes[name] for name in names}) > 1:
                raise Unlike
            news = {name: self.single(self.results.states[name]) for name in names}
            match = Matcher(self.forms, news, {name: self.sizes[name] for name in names}).find()
            self.prove(match, news)
            self.done.update(dict.fromkeys(names, match))
            yield match

    def prove(self, match: Match, news: Mapping[str, Poly]) -> None:
        """Raises Unlike unless the layer's own equations give the same result."""
        self.used += match.weights.values()
        cell, _ = cell_of(_LAYERS[match.kind].model_validate({"name": "layer", **match.keys}), {})
        units = match.keys["units"]
        old = {own: self.whole("old", name, units) for own, name in match.states.items()}
        new = {own: self.whole("new", name, units) for own, name in match.states.items()}
        own = results(cell, self.forms, {"x": match.source}, match.weights, old, new)
        if any(self.single(own.states[state]) != news[name] for state, name in match.states.items()):
            raise Unlike

    # What layers read.

    def gated(self, match: Match) -> Gated:
        weights = {name: self.forms.elements.values(ids, self.dtype) for name, ids in match.weights.items()}
        source, places = self.lifted(match.source), None
        if self.projected:
            places = weights.pop("kernel").astype(np.int64).reshape(-1).tolist()
            if not isinstance(source, Source) or sorted(places) != list(range(self.inputs[source.name])):
                raise Unlike
        return Gated(match.kind, match.keys, weights, source, places, match.states)

    def lifted(self, value: Vector) -> Value:
        """Moves a value that depends on no earlier step out of the loop, to all steps at once. Raises Unlike."""
        if value not in self.known:
            self.known[value] = self._lifted(value)
        return self.known[value]

    def _lifted(self, value: Vector) -> Value:
        poly = self.single(value)
        size = value[0][0]
        if not poly or (len(poly) == 1 and (poly[0][1] != 1 or len(poly[0][0]) != 1)):
            raise Unlike
        atom = self.forms.atom(poly[0][0][0]) if len(poly) == 1 else None
        if isinstance(atom, Read) and atom.low == 0:
            if atom.kind == "old" or atom.high != self.size(atom):
                raise Unlike
            if atom.kind == "new" and atom.name not in self.done:
                return self.lifted(self.results.states[atom.name])
            return Source("input" if atom.kind == "input" else "state", atom.name)
        if isinstance(atom, Function) and len(atom.operands) == 1:
            inner = self.line(atom.operands[0])
            if inner is None:
                return Made(self.lifted(((size, atom.operands[0]),)), {}, activation(atom))
            return Made(*inner, activation(atom))
        if (line := self.line(poly)) is not None:
            return Made(*line, "linear")
        if len(poly) < 2 or any(len(monomial) != 1 or factor != 1 for monomial, factor in poly):
            raise Unlike
        return Added(tuple(self.lifted(((size, (term,)),)) for term in poly))

    def line(self, poly: Poly) -> tuple[Value, Mapping[str, NDArray]] | None:
        """Splits x·kernel + bias into x, kernel and bias."""
        weights: dict[str, Ids] = {}
        source: Vector | None = None
        for monomial, factor in poly:
            atom = self.forms.atom(monomial[0]) if len(monomial) == 1 and abs(factor) == 1 else None
            sign = np.int32(factor) if abs(factor) == 1 else np.int32(1)
            if isinstance(atom, Product) and source is None:
                source, weights["kernel"] = atom.vector, matrix(atom.ids, atom.columns) * sign
            elif isinstance(atom, Weights) and "bias" not in weights:
                weights["bias"] = np.frombuffer(atom.ids, np.int32) * sign
            else:
                return None
        if source is None:
            return None
        self.used += weights.values()
        arrays = {name: self.forms.elements.values(ids, self.dtype) for name, ids in weights.items()}
        return self.lifted(source), arrays
