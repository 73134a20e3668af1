"""Recurrent layers: rnn, lstm, gru and users' cells, each direction as one scan.

Sequences are [N, T, …] outside and [T, N, …] inside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from netwright.specs.dims import Dim, product
from netwright.specs.equations.builtin_cells import cell_of
from netwright.specs.equations.cells import Cell
from netwright.specs.equations.expressions import Name
from netwright.specs.models.initializers import Zeros, initialize
from netwright.specs.models.layers.recurrent import LENGTHS, GatedLayer, Recurrent, RecurrentLayer
from netwright.specs.random import Stream

from ...graph.types import TensorType
from ...ops.scans.scan_attributes import ScanAttributes
from ...ops.views.layout import show
from ..analyses.checkpoint import checkpoint_steps
from ..equations.cell_shapes import cell_shapes, declared_input
from ..equations.cells import OUTPUT, cell_body
from ..equations.parameters import declared_parameter
from ..expansion import Expansion
from ..network import Checkpoints
from ..problem import count
from ..scope import Scope, Signal
from ..tensor import Tensor, concat, constant, full, iota, where
from .normalization import dropout
from .recurrent_noise import recurrent_noise, with_dropped_features

#: The most nodes that unrolling a loop may create.
UNROLL_LIMIT = 200_000


@dataclass(frozen=True, slots=True)
class Run:
    """The results of a direction, time first: the last states, and sequences by state (and OUTPUT)."""

    last: Mapping[str, Tensor]
    sequences: Mapping[str, Tensor]


def expand_recurrent(scope: Scope) -> Mapping[str, Signal]:
    """A recurrent layer: its output, and the ports that are read."""
    spec = scope.spec
    assert isinstance(spec, RecurrentLayer)
    cell, arguments = cell_of(spec, scope.expander.load.cells)
    _check_inputs(scope, cell)
    lengths = _lengths(scope)
    layers = spec.layers if isinstance(spec, GatedLayer) else 1
    runs: list[Run] = []
    sources = scope.inputs
    if scope.mode == "train" and LENGTHS in scope.given:
        sources = [replace(signal, lengths=lengths).cleared() for signal in sources]
    inputs = [scope.floats(signal).swap_leading() for signal in sources]
    recurrence = _Recurrence(scope, cell, arguments, lengths)
    for layer in range(layers):
        top = layer == layers - 1
        runs = [
            recurrence.run(inputs, prefix, reverse, wanted=recurrence.wanted(top))
            for prefix, reverse in _directions(spec, layer, layers)
        ]
        if not top:
            joined = concat([run.sequences[OUTPUT] for run in runs], 2)
            rate = spec.dropout if isinstance(spec, GatedLayer) else 0.0
            inputs = [dropout(scope, joined, rate, f"{layer}.dropout", time_first=True)]
    return recurrence.ports(runs)


def _lengths(scope: Scope) -> Tensor | None:
    """The number of steps of each sequence: the inputs', or the layer's own."""
    lengths = next((signal.lengths for signal in scope.inputs if signal.lengths is not None), None)
    own = scope.given.get(LENGTHS)
    if own is None:
        return lengths
    if lengths is not None:
        raise scope.problem("NW0315", "the input has lengths already", "lengths")
    batch = scope.inputs[0].shape[:1]
    if own.dtype not in ("int32", "int64") or own.shape != batch:
        message = f"lengths are integers {show(batch)}, this is {own.tensor.type}"
        raise scope.problem("NW0308", message, "lengths", labels=scope.blame(own))
    return scope.expander.checked_lengths(own.tensor.cast("int64"), scope.inputs[0].shape[1])


def _directions(spec: RecurrentLayer, layer: int, layers: int) -> list[tuple[str, bool]]:
    """The prefixes of the parameters' names, each with whether time runs backwards."""
    prefix = f"{layer}." if layers > 1 else ""
    if isinstance(spec, GatedLayer) and spec.bidirectional:
        return [(f"{prefix}forward.", False), (f"{prefix}backward.", True)]
    return [(prefix, spec.reverse)]


def _check_inputs(scope: Scope, cell: Cell) -> None:
    first = scope.inputs[0]
    for position, (signal, (name, shape)) in enumerate(zip(scope.inputs, cell.inputs.items(), strict=True)):
        expected = "[" + ", ".join(["N", "T", *map(str, shape)]) + "]"
        help = None
        source = scope.expander.layer(scope.refs[position].name)
        if isinstance(source, RecurrentLayer) and not source.return_sequences:
            help = f"return_sequences: true in {source.name} keeps the time axis"
        declared = declared_input(scope, cell, name)
        scope.check_rank(signal, expected, signal.rank == len(shape) + 2, help, declared)
        for axis, what in ((0, "samples"), (1, "steps")):
            if signal.shape[axis] != first.shape[axis]:
                message = f"{signal.shape[axis]} {what} beside {first.shape[axis]} of the first input"
                labels = scope.trace((first, axis), (signal, axis))
                raise scope.problem("NW0308", message, "inputs", position, labels=labels)
        if signal.lengths is not None and first.lengths != signal.lengths:
            raise scope.problem("NW0315", "the inputs have different lengths", "inputs", position)


class _Recurrence:
    def __init__(
        self, scope: Scope, cell: Cell, arguments: Mapping[str, int | float], lengths: Tensor | None
    ):
        assert isinstance(scope.spec, RecurrentLayer)
        self.scope, self.spec = scope, scope.spec
        self.cell, self.arguments, self.lengths = cell, arguments, lengths
        self.batch, self.length = scope.inputs[0].shape[:2]
        self.valid = None
        self.checkpoint = checkpoint_steps(scope.expander.bptt, self.length, scope.expander.ranges)
        #: So many steps are computed; in those after them no sequence goes on.
        self.steps = self.length
        if lengths is not None:
            if self.spec.unroll != "full":
                self.steps = scope.expander.longest.get(lengths, self.length)
            shape = (self.steps, self.batch)
            self.valid = iota(scope.graph, "int64", shape, 0).compare("lt", lengths.broadcast(shape, [1]))
        output = cell.output
        self.output_state = output.id if isinstance(output, Name) and output.id in cell.states else None
        self.used_at = scope.sources()
        if isinstance(scope.spec, Recurrent):
            self.used_at.insert(0, (scope.expander.load.layer_span(scope.name, "cell"), "used here"))

    def wanted(self, top: bool) -> list[str]:
        """The sequences that are read."""
        if not top:
            return [OUTPUT]
        names = [OUTPUT] if self.spec.return_sequences or self.output_state is None else []
        states = {port.removesuffix("_all") for port in self.scope.ports if port.endswith("_all")}
        first = next(iter(self.cell.states), None)
        return names + [s for s in self.cell.states if s in states or (s == first and "state" in states)]

    def run(self, inputs: Sequence[Tensor], prefix: str, reverse: bool, wanted: Sequence[str]) -> Run:
        """One direction of one layer."""
        scope, cell = self.scope, self.cell
        shapes = cell_shapes(scope, cell, self.arguments, inputs, self.used_at)
        params = [
            declared_parameter(
                scope, prefix + name, shape, cell.params[name].init, cell.params[name].span, self.used_at
            )
            for name, shape in shapes.params.items()
        ]
        starts = [self.start(prefix, name, shape, reverse) for name, shape in shapes.states.items()]
        inputs = [
            with_dropped_features(scope, prefix, name, x) for name, x in zip(cell.inputs, inputs, strict=True)
        ]
        inputs = [x.first(0, self.steps) for x in inputs]
        noise, factors = recurrent_noise(scope, prefix, self.batch, shapes)
        masks = [] if self.valid is None else [self.valid]
        path = f"{scope.name}.{prefix}".rstrip(".")
        body = cell_body(
            cell,
            shapes,
            self.batch,
            scope.dtype,
            sequences=wanted,
            masked=bool(masks),
            layer=scope.name,
            used_at=self.used_at,
            noise=noise,
        )
        self.check_unroll(len(body.graph))
        if self.checkpoint is not None:
            scope.expander.checkpoints[path] = Checkpoints(path, self.checkpoint, self.length)
        consts, sequences = [*params, *factors], [*inputs]
        if noise.keys is not None and any(noise.zoneout.values()):
            consts.append(scope.step())
            sequences.append(iota(scope.graph, "int64", (self.steps,), 0))
        attrs = ScanAttributes(
            body.graph, self.steps, len(consts), len(starts), reverse, self.spec.unroll, path, self.checkpoint
        )
        operands = [tensor.value for tensor in (*consts, *starts, *sequences, *masks)]
        values = [Tensor(scope.graph, value) for value in scope.graph.add("scan", operands, attrs).values]
        last = dict(zip(shapes.states, values, strict=False))
        if scope.expander.carries and not reverse:
            for name, value in last.items():
                scope.expander.updates[f"carry.{path}.{name}"] = value
        rest = self.length - self.steps
        ys = [y.pad((0,) * y.rank, (rest, *(0,) * (y.rank - 1))) for y in values[len(last) :]]
        return Run(last, dict(zip(wanted, ys, strict=True)))

    def start(self, prefix: str, state: str, shape: tuple[int, ...], reverse: bool) -> Tensor:
        """The value of a state before the first step, [N, *shape]; in training it may be carried over from the last
        window."""
        scope = self.scope
        type = TensorType(scope.dtype, (self.batch, *shape))
        start = self.written_start(prefix, state, shape, type, reverse)
        if scope.expander.carries and not reverse:
            path = f"{scope.name}.{prefix}{state}"
            carried = scope.expander.state(f"carry.{path}", type)
            if start is None:
                return carried
            started = scope.expander.state("carry.started", TensorType("bool", ()))
            scope.expander.updates["carry.started"] = full(scope.graph, True, started.type)
            return where(started, carried, start)
        return full(scope.graph, 0, type) if start is None else start

    def written_start(
        self, prefix: str, state: str, shape: tuple[int, ...], type: TensorType, reverse: bool
    ) -> Tensor | None:
        """The initial state according to the spec; None for zeros."""
        scope, own = self.scope, self.cell.states[state]
        if state in scope.given:
            return self.given_start(state, type, reverse)
        written = self.spec.initial_state
        word = written if isinstance(written, str) else written.get(state)
        if "initial_state" not in self.spec.model_fields_set:
            word = None
        axes = range(1, len(type.shape))
        if word == "learned" or (word is None and own.learned):
            return scope.parameter(f"{prefix}{state}_init", shape, own.init).broadcast(type.shape, [*axes])
        if word == "zeros" or isinstance(own.init, Zeros):
            return None
        stream = Stream.at(scope.expander.seed, f"{scope.name}.{prefix}{state}_init")
        values = initialize((own.init,), stream, shape, scope.dtype)
        return constant(scope.graph, np.asarray(values)).broadcast(type.shape, [*axes])

    def given_start(self, state: str, type: TensorType, reverse: bool) -> Tensor:
        """A direction's part of a given state. Raises Problem if its type differs."""
        scope, signal = self.scope, self.scope.given[state]
        both = isinstance(self.spec, GatedLayer) and self.spec.bidirectional
        last = type.shape[-1:] if type.shape else ()
        whole = type.with_shape((*type.shape[:-1], *(size * 2 for size in last))) if both else type
        if signal.tensor.type != whole:
            written = self.spec.initial_state
            path = ("initial_state",) if isinstance(written, str) else ("initial_state", state)
            message = f"the state {state} is {whole}, this is {signal.tensor.type}"
            raise scope.problem("NW0308", message, *path, labels=scope.blame(signal))
        if not both:
            return signal.tensor
        size = type.shape[-1]
        start = size if reverse else 0
        return signal.tensor.slice(len(type.shape) - 1, start, start + size)

    def check_unroll(self, nodes: int) -> None:
        steps = self.length if self.spec.unroll == "full" else self.spec.unroll
        if not isinstance(steps, int | Dim):
            return
        help = "unroll: none, or a number of steps"
        if isinstance(steps, Dim):
            message = f"unroll: full needs a known number of steps, not {steps}"
            raise self.scope.problem("NW0314", message, "unroll", help=help)
        if nodes * steps > UNROLL_LIMIT:
            message = f"{steps} steps are too many to unroll: {nodes * steps} operations"
            help = f"{UNROLL_LIMIT // nodes} steps can be unrolled"
            raise self.scope.problem("NW0204", message, "unroll", help=help)

    # Results.

    def ports(self, runs: Sequence[Run]) -> dict[str, Signal]:
        """The layer's output and the ports that are read, with directions joined on the last axis."""
        ports: dict[str, Signal] = {}
        if self.spec.return_sequences:
            ports[""] = self.sequence([run.sequences[OUTPUT] for run in runs])
        elif self.output_state is not None:
            ports[""] = self.joined([run.last[self.output_state] for run in runs])
        else:
            ports[""] = self.joined([self.final(run.sequences[OUTPUT], self.spec.reverse) for run in runs])
        first = next(iter(self.cell.states), None)
        for port in self.scope.ports - {""}:
            state = port.removesuffix("_all") if port not in self.cell.states else port
            state = first if state == "state" and "state" not in self.cell.states else state
            assert state is not None
            if port.endswith("_all") and port not in self.cell.states:
                ports[port] = self.sequence([run.sequences[state] for run in runs])
            else:
                ports[port] = self.joined([run.last[state] for run in runs])
        return ports

    def sequence(self, parts: Sequence[Tensor]) -> Signal:
        joined = concat(parts, parts[0].rank - 1) if len(parts) > 1 else parts[0]
        own = LENGTHS in self.scope.given  # these lengths are for this layer only
        return self.given(joined.swap_leading(), None if own else self.lengths)

    def joined(self, parts: Sequence[Tensor]) -> Signal:
        return self.given(concat(parts, parts[0].rank - 1) if len(parts) > 1 else parts[0], None)

    def given(self, tensor: Tensor, lengths: Tensor | None) -> Signal:
        self.scope.notes.clear()
        if isinstance(self.spec, GatedLayer):
            units = count(self.spec.units, "unit")
            both = " in each direction" if self.spec.bidirectional else ""
            self.scope.notes[tensor.rank - 1] = units + both
        return self.scope.give(tensor, lengths)

    def final(self, sequence: Tensor, reverse: bool) -> Tensor:
        """Each sample's value at the step that was computed last: [T, N, …] gives [N, …]. Raises Problem."""
        least = self.scope.least(self.length)
        if least is None or least < 1:
            message = f"the last step's output is asked for, and of {self.length} steps there may be none"
            labels = self.scope.trace((self.scope.inputs[0], 1))
            raise self.scope.problem(
                "NW0313", message, labels=labels, help="give the dim a minimum: {min: …}"
            )
        if reverse:
            return sequence.take(0, 0)
        if self.lengths is None:
            return sequence.take(0, self.length - 1)
        graph, shape = sequence.graph, (self.batch,)
        last = self.lengths.maximum(1) - 1
        rows = last * self.lengths.count(self.batch) + iota(graph, "int64", shape, 0)
        return sequence.reshape((product(sequence.shape[:2]), *sequence.shape[2:])).gather(rows)


EXPANSIONS = {
    RecurrentLayer: Expansion(expand_recurrent, honours_lengths=True),
}
