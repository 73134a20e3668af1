"""Converts a loop whose cell is an RNN, LSTM or GRU to these layers, and to dense layers for what needs no state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from netwright.specs.models.layers.recurrent import LENGTHS

from ...yaml_text import block
from ..cells import CellBody
from ..context import Context
from ..gates import Added, Gated, Plan, Source, Value, layers_of
from ..network import Layer
from ..sketch import compiled


@dataclass(frozen=True)
class Start:
    """The initial value of a state: zeros, a number, an array that is the same for all samples, or a reference."""

    number: float | None = None
    array: NDArray | None = None
    ref: str | None = None


@dataclass(frozen=True)
class Written:
    """References to the states after the last step, and to the values wanted at all steps, by the cell's names."""

    last: Mapping[str, str]
    sequences: Mapping[str, str]


def as_layers(
    ctx: Context,
    cell: CellBody,
    refs: Sequence[str],
    sequences: Sequence[str],
    last: Sequence[str],
    starts: Mapping[str, Start],
    lengths: str | None,
    *,
    reverse: bool,
) -> Written | None:
    """The layers that compute what a cell computes over the sequences ``refs``; None if there are none."""
    if any(start.number is not None for start in starts.values()):
        return None
    typed = compiled("cell", block(cell.tree))
    plan = layers_of(typed, cell.weights, ctx.writer.dtype, sequences, last)
    if plan is None:
        return None
    if lengths is not None and any(not isinstance(value, Source) for value in plan.given.values()):
        return None  # past a sequence's end a dense layer does not return 0
    inputs = dict(zip(cell.tree["input"], refs, strict=True))
    writing = _Writing(ctx, plan, inputs, last, starts, lengths, reverse)
    if any(layer.places is not None and writing.projection(layer) is None for layer in plan.layers):
        return None
    return writing.run()


class _Writing:
    def __init__(
        self,
        ctx: Context,
        plan: Plan,
        inputs: Mapping[str, str],
        last: Sequence[str],
        starts: Mapping[str, Start],
        lengths: str | None,
        reverse: bool,
    ):
        self.ctx, self.plan, self.inputs = ctx, plan, inputs
        self.wanted, self.starts, self.lengths, self.reverse = last, starts, lengths, reverse
        self.sequences: dict[str, str] = {}
        """References to states at all steps."""
        self.last: dict[str, str] = {}
        self.refs: dict[int, str] = {}
        """References to the plan's values, each made once."""
        self.read = {
            source.name
            for value in (*plan.given.values(), *(layer.source for layer in plan.layers))
            for source in _sources(value)
            if source.kind == "state"
        }
        """The states that are read at all steps."""

    def run(self) -> Written:
        for layer in self.plan.layers:
            self.layer(layer)
        return Written(self.last, {name: self.ref(value) for name, value in self.plan.given.items()})

    def layer(self, layer: Gated) -> None:
        ctx = self.ctx
        weights = dict(layer.weights)
        if layer.places is None:
            source = self.ref(layer.source)
        else:
            projection = self.projection(layer)
            assert projection is not None
            source, weights["kernel"], bias = projection
            if bias is not None:
                weights["bias"] = weights["bias"] + bias if "bias" in weights else bias
        keys = dict(layer.keys)
        if "bias" in weights:
            keys.pop("use_bias", None)
        elif keys.get("use_bias", True):
            keys["use_bias"] = False
        keys, given = {**keys, **self.options(layer, weights)}, self.given(layer)
        h, *others = layer.states.values()
        if h not in self.read:
            keys["return_sequences"] = False
        names = {name: own for own, name in layer.states.items()}
        ports = [names[name] for name in names if name in self.wanted and (name != h or h in self.read)]
        ports += [f"{names[name]}_all" for name in others if name in self.read]
        # The layers stacked on the first one are named after it.
        add = ctx.layer if layer is self.plan.layers[0] else ctx.writer.add
        made = add(layer.kind, [source], keys, weights, given=given, ports=ports)
        for name, own in names.items():
            plain = name == h
            self.sequences[name] = made if plain else f"{made}.{own}_all"
            if name in self.wanted:
                self.last[name] = made if plain and h not in self.read else f"{made}.{own}"

    def given(self, layer: Gated) -> dict[str, str]:
        """References to initial states and lengths, by their names in the layer."""
        starts = {own: self.starts[name].ref for own, name in layer.states.items() if name in self.starts}
        given = {own: ref for own, ref in starts.items() if ref is not None}
        return given if self.lengths is None else {**given, LENGTHS: self.lengths}

    def options(self, layer: Gated, weights: dict[str, NDArray]) -> dict[str, Any]:
        """The keys for initial states, lengths, and direction."""
        keys: dict[str, Any] = {}
        starts: dict[str, str] = {}
        for own, name in layer.states.items():
            start = self.starts.get(name, Start())
            if start.array is not None:
                starts[own], weights[f"{own}_init"] = "learned", start.array
            elif start.ref is not None:
                starts[own] = start.ref
        if starts:
            learned = len(starts) == len(layer.states) and set(starts.values()) == {"learned"}
            keys["initial_state"] = "learned" if learned else starts
        if self.lengths is not None:
            keys["lengths"] = self.lengths
        if self.reverse:
            keys["reverse"] = True
        return keys

    def ref(self, value: Value) -> str:
        """A reference to a value at all steps."""
        if id(value) not in self.refs:
            self.refs[id(value)] = self._ref(value)
        return self.refs[id(value)]

    def _ref(self, value: Value) -> str:
        if isinstance(value, Added):
            return self.ctx.writer.add("add", [self.ref(part) for part in value.parts], {}, {})
        if isinstance(value, Source):
            return self.inputs[value.name] if value.kind == "input" else self.sequences[value.name]
        source = self.ref(value.source)
        if not value.weights:
            kind, keys = _split(value.activation)
            return self.ctx.writer.add(kind, [source], keys, {})
        keys = {"units": value.weights["kernel"].shape[1]}
        if "bias" not in value.weights:
            keys["use_bias"] = False
        if value.activation != "linear":
            keys["activation"] = value.activation
        return self.ctx.writer.add("dense", [source], keys, value.weights)

    def projection(self, layer: Gated) -> tuple[str, NDArray, NDArray | None] | None:
        """If a dense layer computes exactly what the gates add up: what it reads, and its kernel and bias for them."""
        assert isinstance(layer.source, Source)
        assert layer.places is not None
        layers = self.ctx.writer.layers
        ref, behind = self.inputs[layer.source.name], []
        while (base := layers.get(ref)) is not None and _is_along_time(
            base
        ):  # a sequence that is reversed or cut
            behind.append(base)
            ref = base.inputs[0]
        if base is None or base.type != "dense" or "activation" in base.keys or "kernel" not in base.weights:
            return None
        source = base.inputs[0]
        for moving in reversed(behind):
            keys = {key: value for key, value in moving.keys.items() if key not in ("name", "type")}
            source = self.ctx.writer.add(moving.type, [source], keys, {})
        bias, places = base.weights.get("bias"), list(layer.places)
        return source, base.weights["kernel"][:, places], None if bias is None else bias[places]


def _is_along_time(layer: Layer) -> bool:
    """Whether a layer treats all features of a step alike."""
    if layer.type == "slice":
        return layer.keys.get("axes") == [1]
    return layer.type == "reverse" and layer.keys.get("axis") == 1


def _sources(value: Value) -> list[Source]:
    """The values that a value is computed from."""
    if isinstance(value, Source):
        return [value]
    parts = value.parts if isinstance(value, Added) else (value.source,)
    return [source for part in parts for source in _sources(part)]


def _split(activation: Any) -> tuple[str, dict[str, Any]]:
    """The layer of an activation."""
    if isinstance(activation, str):
        return activation, {}
    keys = dict(activation)
    return keys.pop("type"), keys
