"""Scan: a recurrent layer with a cell of its own."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netwright.specs.dims import Dim, DimLike
from netwright.specs.models.layers.recurrent import LENGTHS

from ..cells import CellBody, cell_of_body
from ..context import Context
from ..errors import OnnxError, Refusal
from ..names import safe
from ..reading import Body, Subgraph
from ..values import Held
from .table import op

_ATTRIBUTES = (
    "body directions num_scan_inputs scan_input_axes scan_input_directions"
    " scan_output_axes scan_output_directions"
)


@op("Scan", attributes=_ATTRIBUTES, since=8)
def scan(ctx: Context) -> None:
    """A loop over time whose body is a cell of the language: a recurrent layer. The first axis of what a step reads
    and gives are the samples; in a body that works across it, or in opset 8, a step is of one sample."""
    _Scan(ctx).convert()


@dataclass(frozen=True)
class _Operand:
    """A state or scan input: the value, and its axes for the samples, for time, and for a sample's features."""

    value: Held
    samples: int | None
    time: int | None
    features: tuple[int, ...]

    def shape(self) -> tuple[int, ...]:
        """The shape of one sample. Raises Refusal."""
        sizes = [self.value.shape[axis] for axis in self.features]
        if any(isinstance(size, Dim) for size in sizes):
            raise Refusal(f"a step reads the open sizes {[str(size) for size in sizes]}")
        return tuple(int(size) for size in sizes)  # type: ignore[arg-type]

    def axes(self) -> tuple[int | None, ...]:
        """How the layer reads it."""
        time = () if self.time is None else (self.time,)
        return (self.samples, *time, *self.features)


class _Scan:
    def __init__(self, ctx: Context):
        self.ctx = ctx
        graph = ctx.attribute("body")
        if not isinstance(graph, Subgraph):
            raise Refusal("a graph is expected", "body")
        try:
            self.body: Body = graph.read(ctx.captured)
        except OnnxError as error:
            raise Refusal(str(error), "body") from None
        self.old = ctx.opset < 9
        self.prefix = f"{safe(ctx.node.name)}_" if ctx.node.name else ""
        inputs = list(range(1 if self.old else 0, len(ctx.node.inputs)))
        self.count = ctx.integer("num_scan_inputs", 0)
        states = len(inputs) - self.count
        if not 0 < self.count <= len(inputs) or len(self.body.inputs) != len(inputs):
            raise Refusal(f"{self.count} scan inputs of {len(inputs)}", "num_scan_inputs")
        if len(self.body.outputs) != len(ctx.node.outputs) or len(self.body.outputs) < states:
            raise Refusal("the outputs are not those of the body", "body")
        self.states, self.scanned = inputs[:states], inputs[states:]
        self.ys = len(self.body.outputs) - states
        self.reverse = self.direction()

    def direction(self) -> bool:
        """Whether time runs backwards: for all that is read and given alike. Raises Refusal."""
        name = "directions" if self.old else "scan_input_directions"
        read = self.ctx.integers(name) or [0] * self.count
        given = (
            [read[0]] * self.ys if self.old else self.ctx.integers("scan_output_directions") or [0] * self.ys
        )
        if len(read) != self.count or len(given) != self.ys or len({*read, *given}) != 1:
            raise Refusal("inputs and outputs of one loop run in different directions", name)
        return bool(read[0])

    def convert(self) -> None:
        """Samples first; else as a loop of one sample."""
        if self.old:
            return self.layer(0)
        try:
            self.operands(samples=True)
            self.layer(1)
        except Refusal as refusal:
            try:
                self.layer(None)
            except Refusal:
                raise refusal from None

    # Operands.

    def operands(self, samples: bool) -> tuple[list[_Operand], list[_Operand]]:
        """States and scan inputs."""
        ctx = self.ctx
        axes = ctx.integers("scan_input_axes") or [0] * self.count
        if len(axes) != self.count:
            raise Refusal(f"{len(axes)} axes for {self.count} inputs", "scan_input_axes")
        states, read = [], []
        for position in self.states:
            value = ctx.held(position)
            rest = list(range(value.rank))
            first = rest.pop(0) if samples and rest else None
            states.append(_Operand(value, first, None, tuple(rest)))
        for position, axis in zip(self.scanned, axes, strict=True):
            value = ctx.held(position)
            if self.old:
                if value.rank < 2:
                    raise Refusal(f"a scan input of {value.rank} axes")
                read.append(_Operand(value, 0, 1, tuple(range(2, value.rank))))
                continue
            rest = list(range(value.rank))
            if not -value.rank <= axis < value.rank:
                raise Refusal(f"there is no axis {axis} among {value.rank}", "scan_input_axes")
            time = rest.pop(axis)
            first = rest.pop(0) if samples and rest else None
            read.append(_Operand(value, first, time, tuple(rest)))
        if samples or self.old:
            found = {
                str(one.value.shape[one.samples]) if one.samples is not None else ""
                for one in (*states, *read)
            }
            if len(found) > 1 or "" in found:
                raise Refusal("what a step reads has no first axis of samples in common")
        return states, read

    # The layer.

    def layer(self, first: int | None) -> None:
        """``first``: 1 where samples are the first axis of a step, 0 where they are that of the operands (opset 8),
        None where there is one sample."""
        ctx = self.ctx
        states, read = self.operands(samples=first is not None)
        floats = [one for one in (*states, *read) if one.value.dtype != "bool"]
        if any(one.value.dtype != ctx.writer.dtype for one in floats):
            raise Refusal(f"a loop over {', '.join(sorted({one.value.dtype for one in floats}))}")
        mask, lengths = "", None
        inputs = list(zip(self.body.inputs[len(states) :], read, strict=True))
        for name, operand in list(inputs):
            if operand.value.dtype == "bool":
                lengths = self.lengths(operand)
                mask = name
                inputs.remove((name, operand))
        if not inputs:
            raise Refusal("a loop without an input of floats")
        samples: DimLike | None = read[0].value.shape[read[0].samples or 0] if first == 1 else None
        cell = cell_of_body(
            self.body,
            ctx.captured,
            ctx.opset,
            self.prefix,
            {name: (self.spoken(name, "x"), one.shape()) for name, one in inputs},
            {
                name: (self.spoken(name, "h"), one.shape())
                for name, one in zip(self.body.inputs, states, strict=False)
            },
            [ctx.wants(len(states) + i) for i in range(self.ys)],
            samples=samples,
            dtype=ctx.writer.dtype,
            mask=mask,
        )
        keys, given, weights = self.starts(cell, states)
        if lengths is not None:
            given[LENGTHS] = keys["lengths"] = lengths
        elif self.old and ctx.has(0):
            given[LENGTHS] = keys["lengths"] = ctx.arranged(ctx.held(0), (0,))
        refs = [ctx.arranged(one.value, one.axes()) for _, one in inputs]
        sequences = [name for name, want in zip(cell.sequences, self.wanted(states), strict=True) if want]
        if self.reverse:
            keys["reverse"] = True
        if "" not in sequences and cell.tree["output"] in cell.states:
            keys["return_sequences"] = False
        ports = [name for i, name in enumerate(cell.states) if ctx.wants(i)]
        ports += [f"{name}_all" for name in sequences if name]
        name = ctx.writer.cell(cell.tree, [ctx.names[0] if ctx.names else None])
        ref = ctx.layer("recurrent", refs, {"cell": name, **keys}, weights, given=given, ports=ports)
        self.results(ref, cell, states, first)

    def wanted(self, states: list[_Operand]) -> list[bool]:
        return [self.ctx.wants(len(states) + i) for i in range(self.ys)]

    def spoken(self, name: str, fallback: str) -> str:
        """A short name for one of the body's inputs: without its layer's, and without `prev`."""
        own = (safe(name) or fallback).removeprefix(self.prefix)
        return re.sub(r"^prev_|_(prev|in|old)$", "", own) or fallback

    def starts(
        self, cell: CellBody, states: list[_Operand]
    ) -> tuple[dict, dict[str, str], dict[str, NDArray]]:
        """Where the states start: zeros, learned (what is stretched over the samples), or given."""
        ctx = self.ctx
        weights = dict(cell.weights)
        given: dict[str, str] = {}
        for name, operand, position in zip(cell.states, states, self.states, strict=True):
            known, stored = ctx.start(position) or (None, False)
            shape = operand.shape()
            if known is not None and not stored and not known.any():
                continue
            if known is not None and _is_number(known):
                cell.tree["states"][name]["init"] = {"type": "constant", "value": float(known.flat[0])}
                continue
            if known is not None and known.size == int(np.prod(shape)):
                cell.tree["states"][name]["learn_init"] = True
                weights[f"{name}_init"] = known.reshape(shape)
                continue
            given[name] = ctx.arranged(operand.value, operand.axes())
        return ({"initial_state": dict(given)} if given else {}), given, weights

    def lengths(self, mask: _Operand) -> str:
        """The number of steps of each sequence, where that is what a mask says. Raises Refusal."""
        found = self.ctx.writer.masks.get(mask.value.ref)
        if found is None or mask.value.axes != (mask.time, mask.samples):
            raise Refusal("a loop input of truth values is no mask of the steps that exist")
        return found

    def results(self, ref: str, cell: CellBody, states: list[_Operand], first: int | None) -> None:
        """The last states, and the sequences with time where it is wanted."""
        ctx = self.ctx
        for position, name in enumerate(cell.states):
            if ctx.wants(position):
                rank = states[position].value.rank
                features = tuple(range(rank - len(states[position].features), rank))
                axes = (None if first is None else 0, *features)
                ctx.give(ctx.held_as(f"{ref}.{name}", axes, rank), position)
        out_axes = ctx.integers("scan_output_axes") or [0] * self.ys
        for i, name in enumerate(cell.sequences):
            if not ctx.wants(len(states) + i):
                continue
            source = f"{ref}.{name}_all" if name else ref
            rank = len(ctx.writer.sketch.type_of(source).shape) - (first is None)
            rest = list(range(rank))
            time = rest.pop(1 if self.old else out_axes[i])
            samples = None if first is None else rest.pop(0)
            ctx.give(ctx.held_as(source, (samples, time, *rest), rank), len(states) + i)


def _is_number(start: NDArray) -> bool:
    """Whether a state starts from one number. Zeros that are stored as an array are not so: they are learned ones."""
    return start.ndim == 0 or bool(start.size > 1 and start.any() and (start == start.flat[0]).all())
