"""Converts a loop over time to a recurrent layer with its own cell."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from netwright.specs.dims import Dim, DimLike
from netwright.specs.models.layers.recurrent import LENGTHS

from ..agreement import Sizes
from ..cells import CellBody, OtherOrder, cell_of_body
from ..context import Context
from ..errors import Refusal
from ..names import safe, short
from ..operands import Held
from .axes import with_axes
from .gated import Start, Written, as_layers
from .iteration import Iteration, State


def recur(ctx: Context, loop: Iteration) -> None:
    """A recurrent layer for a loop. The first axis of what a step reads and carries are the samples; if that fails, the
    loop is one over a single sample.

    Raises Refusal for a body that can't be a cell.
    """
    if loop.batched:
        return _Recurrence(ctx, loop, truths=False).layer(0)
    loop = with_axes(ctx, loop)
    first: Refusal | None = None
    truths = (False, True) if any(read.value.dtype == "bool" for read in loop.reads) else (False,)
    images = (False, True) if any(node.op == "Conv" for node in loop.body.nodes) else (False,)
    for samples in (1, None):
        # Where there is one sample, the first axis of a state may be that of the samples, or one before it.
        for numbers, last, behind in product(truths, images, (True, False) if samples else (False,)):
            try:
                return _Recurrence(ctx, loop, numbers, last, behind).layer(samples)
            except Refusal as refusal:
                # Of the two orders of axes, report the error of the one that gets further.
                unfit = samples == 1 and isinstance(first, OtherOrder)
                first = refusal if first is None or unfit else first
    assert first is not None
    raise first


@dataclass(frozen=True)
class _Operand:
    """A state or scan input: the value, and its axes for the samples, for time, and for the features of a sample."""

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
        """A reference to it as the layer reads it."""
        time = () if self.time is None else (self.time,)
        return (self.samples, *time, *self.features)


class _Recurrence:
    def __init__(self, ctx: Context, loop: Iteration, truths: bool, last: bool = False, behind: bool = False):
        self.ctx, self.loop = ctx, loop
        self.behind = behind
        """Whether a state's samples may come after an axis of size 1."""
        self.last = last
        """Whether images have their channels first in the body; the cell holds them last."""
        self.truths = truths
        """Whether the cell reads inputs of truth values as numbers. Otherwise they say which steps exist."""
        self.prefix = f"{safe(ctx.node.name)}_" if ctx.node.name else ""

    def features(self, axes: Sequence[int]) -> tuple[int, ...]:
        """The axes of a sample in the order in which a cell holds them."""
        return (*axes[1:], *axes[:1]) if self.last and len(axes) > 1 else tuple(axes)

    def operands(self, samples: bool) -> tuple[list[_Operand], list[_Operand]]:
        """States and scan inputs."""
        states, read = [], []
        for state in self.loop.states:
            value = self.ctx.held(state.operand)
            rest = list(range(value.rank))
            first = rest.pop(0) if samples and rest else None
            states.append(_Operand(value, first, None, self.features(rest)))
        for scanned in self.loop.reads:
            if self.loop.batched:
                read.append(_Operand(scanned.value, 0, 1, tuple(range(2, scanned.value.rank))))
                continue
            rest = list(range(scanned.value.rank))
            time = rest.pop(scanned.time)
            first = rest.pop(0) if samples and rest else None
            read.append(_Operand(scanned.value, first, time, self.features(rest)))
        if self.behind:
            states = [self.behind_first(state, read) for state in states]
        if samples or self.loop.batched:
            samples_of = [
                operand.value.shape[operand.samples] if operand.samples is not None else 0
                for operand in (*states, *read)
            ]
            _check_same(samples_of, "what a step reads has no first axis of samples in common")
        steps = [operand.value.shape[operand.time] for operand in read if operand.time is not None]
        _check_same(steps, "sequences of different lengths are read")
        return states, read

    def behind_first(self, state: _Operand, read: Sequence[_Operand]) -> _Operand:
        """A state whose samples come after an axis of size 1."""
        shape = state.value.shape
        parts = [operand for operand in read if operand.samples is not None and operand.value.dtype != "bool"]
        if len(shape) < 2 or shape[0] != 1 or not parts:
            return state
        samples = parts[0].value.shape[parts[0].samples or 0]
        if shape[1] != samples or (samples == 1 and len(shape) != parts[0].value.rank):
            return state
        return _Operand(state.value, 1, None, self.features(range(2, len(shape))))

    # The layer.

    def layer(self, first: int | None) -> None:
        """``first`` is 1 if the samples are the first axis in a step, 0 if they are the first axis of the operands
        (opset 8), None for a single sample.
        """
        ctx = self.ctx
        states, read = self.operands(samples=first is not None)
        floats = [operand for operand in (*states, *read) if operand.value.dtype != "bool"]
        if any(operand.value.dtype != ctx.writer.dtype for operand in floats):
            raise Refusal(f"a loop over {', '.join(sorted({operand.value.dtype for operand in floats}))}")
        mask, lengths = "", None
        inputs = list(zip(self.loop.body.inputs[len(states) :], read, strict=True))
        for name, operand in list(inputs):
            if operand.value.dtype == "bool" and not self.truths:
                lengths = self.lengths(operand)
                mask = name
                inputs.remove((name, operand))
        if not inputs:
            raise Refusal("a loop without an input of floats")
        samples: DimLike | None = read[0].value.shape[read[0].samples or 0] if first == 1 else None
        cell = cell_of_body(
            self.loop.body,
            self.loop.captured,
            ctx.opset,
            self.prefix,
            {name: (self.spoken(name, "x"), operand.shape()) for name, operand in inputs},
            {
                name: (self.spoken(name, "h"), state.shape())
                for name, state in zip(self.loop.body.inputs, states, strict=False)
            },
            self.wanted(),
            samples=samples,
            dtype=ctx.writer.dtype,
            mask=mask,
            truths=[name for name, operand in inputs if operand.value.dtype == "bool"],
            last=self.last,
            leading=[
                name for name, state in zip(self.loop.body.inputs, states, strict=False) if state.samples == 1
            ],
        )
        if lengths is None and self.loop.batched and ctx.has(0):
            lengths = ctx.arranged(ctx.held(0), (0,))
        refs = [ctx.arranged(self.numbers(operand.value), operand.axes()) for _, operand in inputs]
        starts = {name: self.start(start, state) for name, start, state in self.carried(cell, states)}
        last = [name for name, _, state in self.carried(cell, states) if ctx.wants(state.output)]
        written = None
        if not cell.computed:
            written = as_layers(
                ctx, cell, refs, self.asked(cell), last, starts, lengths, reverse=self.loop.reverse
            )
        if written is None:
            written = self.cell(cell, refs, last, starts, lengths)
        self.results(written, cell, states, first)

    def carried(self, cell: CellBody, states: list[_Operand]) -> list[tuple[str, _Operand, State]]:
        """The cell's states that correspond to the loop's."""
        return list(zip(cell.states, states, self.loop.states, strict=True))

    def asked(self, cell: CellBody) -> list[str]:
        """The values wanted at all steps: states, or "" for the output."""
        return [name for name, want in zip(cell.sequences, self.wanted(), strict=True) if want]

    def cell(
        self,
        cell: CellBody,
        refs: list[str],
        last: list[str],
        starts: Mapping[str, Start],
        lengths: str | None,
    ) -> Written:
        """A layer that runs the cell."""
        ctx, sequences = self.ctx, self.asked(cell)
        keys: dict[str, Any] = {}
        given = {name: start.ref for name, start in starts.items() if start.ref is not None}
        weights = dict(cell.weights)
        for name, start in starts.items():
            if start.number is not None:
                cell.tree["states"][name]["init"] = {"type": "constant", "value": start.number}
            elif start.array is not None:
                cell.tree["states"][name]["learn_init"] = True
                weights[f"{name}_init"] = start.array
        if given:
            keys["initial_state"] = dict(given)
        if lengths is not None:
            given[LENGTHS] = keys["lengths"] = lengths
        if self.loop.reverse:
            keys["reverse"] = True
        if "" not in sequences and cell.tree["output"] in cell.states:
            keys["return_sequences"] = False
        ports = [*last, *(f"{name}_all" for name in sequences if name)]
        name = ctx.writer.cell(cell.tree, [ctx.names[0] if ctx.names else None])
        computed = {key: ctx.arranged(held, range(held.rank)) for key, held in cell.computed.items()}
        options: dict[str, Any] = {"weights": weights, "given": given, "ports": ports}
        ref = ctx.with_computed("recurrent", refs, {"cell": name, **keys}, computed, **options)
        return Written(
            {name: f"{ref}.{name}" for name in last},
            {name: f"{ref}.{name}_all" if name else ref for name in sequences},
        )

    def numbers(self, value: Held) -> Held:
        """A value that a cell can read: truth values become 1 and 0."""
        if value.dtype != "bool":
            return value
        kind = onnx.TensorProto.FLOAT if self.ctx.writer.dtype == "float32" else onnx.TensorProto.DOUBLE
        cast = self.ctx.conversion.operation("Cast", [value], to=kind)
        assert isinstance(cast, Held)
        return cast

    def wanted(self) -> list[bool]:
        return [self.ctx.wants(sequence.output) for sequence in self.loop.given]

    def spoken(self, name: str, fallback: str) -> str:
        """A short name for an input of the body, without its layer's name and without `prev`."""
        own = (short(name) or fallback).removeprefix(self.prefix)
        return re.sub(r"^prev_|_(prev|in|old)$", "", own) or fallback

    def start(self, operand: _Operand, state: State) -> Start:
        """The initial state: zeros, a number, learned (an array broadcast over the samples), or given."""
        ctx = self.ctx
        known, stored = ctx.start(state.operand, operand.samples or 0) or (None, False)
        shape = operand.shape()
        if known is not None and not stored and not known.any():
            return Start()
        if known is not None and _is_number(known):
            return Start(number=float(known.flat[0]))
        if known is not None and known.size == int(np.prod(shape)):
            order = [sorted(operand.features).index(axis) for axis in operand.features]
            logical = [shape[order.index(axis)] for axis in range(len(order))]
            return Start(array=known.reshape(logical).transpose(order))
        return Start(ref=ctx.arranged(operand.value, operand.axes()))

    def lengths(self, mask: _Operand) -> str:
        """The number of steps of each sequence, if a mask says that. Raises Refusal."""
        lengths = self.ctx.writer.masks.get(mask.value.ref)
        if lengths is None or mask.value.axes != (mask.time, mask.samples):
            raise Refusal("a loop input of truth values is no mask of the steps that exist")
        return lengths

    def results(self, written: Written, cell: CellBody, states: list[_Operand], first: int | None) -> None:
        """The last states, and the sequences with time as the wanted axis."""
        ctx = self.ctx
        for name, operand, state in self.carried(cell, states):
            if ctx.wants(state.output):
                rank = operand.value.rank
                axes = (None if first is None else operand.samples, *operand.features)
                ctx.give(ctx.held_as(written.last[name], axes, rank), state.output)
        rows = zip(self.loop.given, cell.sequences, cell.ranks, cell.leading, strict=True)
        for given, name, inner, before in rows:
            if not ctx.wants(given.output):
                continue
            source = written.sequences[name]
            held = len(ctx.writer.sketch.type_of(source).shape) - 2
            rank = inner + 1 + (first is not None) + before
            rest = list(range(rank))
            time = rest.pop(1 if self.loop.batched else given.time)
            rest = rest[1:] if before else rest
            samples = None if first is None else rest.pop(0)
            ctx.give(
                ctx.held_as(source, (samples, time, *self.features(rest)[len(rest) - held :]), rank),
                given.output,
            )


def _check_same(sizes: Sequence[DimLike], reason: str) -> None:
    """Raises Refusal for sizes that differ or are missing."""
    for size in sizes:
        if size != sizes[0] or size == 0:
            raise Refusal(reason, mismatches=[Sizes(sizes[0], size)])


def _is_number(start: NDArray) -> bool:
    """Whether a state starts from one number. An array of zeros does not count: it is learned."""
    return start.ndim == 0 or bool(start.size > 1 and start.any() and (start == start.flat[0]).all())
