"""Gradient flow through recurrences before training: how much of a gradient at the last step reaches the first.

Each recurrence is run with its first weights (or given ones) on random inputs (or given ones), and a random gradient
of its last state is taken back through its steps, one product with the step's Jacobian at a time: ‖∂L/∂h(t)‖ over t. A
gradient that shrinks by the same factor in every step is gone after a few dozen, and the network can't learn from
events so long ago (Bengio, Simard and Frasconi, *Learning long-term dependencies with gradient descent is difficult*,
1994); one that grows makes training diverge (Pascanu, Mikolov and Bengio, *On the difficulty of training recurrent
neural networks*, 2013).
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.table import Table

from netwright.compiler.autodiff import gradients
from netwright.compiler.frontend.analyses.work import layer_of
from netwright.compiler.frontend.build import layer_graph
from netwright.compiler.graph.graph import Graph
from netwright.compiler.graph.node import Node
from netwright.compiler.graph.types import FLOATS, TensorType
from netwright.compiler.interpreter import bind_dims, evaluate
from netwright.compiler.ops.base import EvaluationError
from netwright.compiler.ops.scans.scan_attributes import ScanAttributes
from netwright.compiler.ops.values.reduce import ReduceAttributes
from netwright.specs.dims import Dim
from netwright.specs.dims import evaluate as evaluate_size

from ..errors import RequestError
from ..model import Model
from ..weights.network import weights_or_first
from .measure import random_inputs

#: The number of samples; the default number of steps, for specs that don't limit the length of sequences; and the most
#: steps that are measured by default.
SAMPLES, STEPS, MOST_STEPS = 4, 100, 200
#: A gradient this small, or large, at the first step has vanished, or exploded.
_VANISHED, _FADED, _EXPLODED = 1e-6, 1e-2, 1e4
#: For states larger than this the spectral radius is left out: it would take a minute.
_LARGEST_STATE = 1024
_BARS = "▁▂▃▄▅▆▇█"

Verdict = Literal["vanishes", "fades", "flows", "explodes"]


@dataclass(frozen=True)
class Flow:
    """The gradient of a recurrence.

    ``norms`` are ‖∂L/∂h(t)‖ for t from the first step to the last, where it is 1. ``gain`` is the geometric mean of the
    factors per step. ``radius`` is the spectral radius of ∂h(0)/∂h(−1), None for states that are too large.
    """

    layer: str
    states: int
    norms: tuple[float, ...]
    gain: float
    radius: float | None

    @property
    def left(self) -> float:
        """The norm at the first step."""
        return self.norms[0]

    @property
    def verdict(self) -> Verdict:
        """What happens to it, in a word."""
        if self.left < _VANISHED:
            return "vanishes"
        if self.left < _FADED:
            return "fades"
        return "flows" if self.left < _EXPLODED else "explodes"

    @property
    def halving(self) -> float | None:
        """After how many steps its norm has halved; None if it does not shrink."""
        return math.log(0.5) / math.log(self.gain) if 0 < self.gain < 1 - 1e-9 else None

    def sparkline(self, width: int = 24) -> str:
        """The norms as a row of bars on a logarithmic scale, from 1e-8 to 1e8."""
        count = len(self.norms)
        picked = [self.norms[round(i * (count - 1) / max(width - 1, 1))] for i in range(min(width, count))]
        return "".join(
            _BARS[min(7, max(0, int((math.log10(max(norm, 1e-300)) + 8) / 2)))] if norm < math.inf else "█"
            for norm in picked
        )

    def to_json(self) -> dict[str, Any]:
        """The flow as a JSON object."""
        return {
            "layer": self.layer,
            "states": self.states,
            "steps": len(self.norms) - 1,
            "radius": self.radius,
            "gain": self.gain,
            "left": self.left if math.isfinite(self.left) else None,
            "verdict": self.verdict,
            "norms": [norm if math.isfinite(norm) else None for norm in self.norms],
        }


@dataclass(frozen=True)
class GradientFlow:
    """The flows of all recurrences of a model."""

    model: str
    flows: tuple[Flow, ...]

    def table(self) -> Table:
        """A table with a row for each recurrence."""
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("recurrence", style="bold", no_wrap=True)
        table.add_column("spectral\nradius", justify="right")
        table.add_column("gain\na step", justify="right")
        table.add_column("half gone\nafter", justify="right")
        table.add_column("steps", justify="right")
        table.add_column("left at\nthe first", justify="right")
        table.add_column("first step … last", no_wrap=True)
        table.add_column("the gradient")
        for flow in self.flows:
            table.add_row(
                flow.layer,
                "–" if flow.radius is None else f"{flow.radius:.3g}",
                f"{flow.gain:.3f}",
                f"{flow.halving:.3g} steps" if flow.halving else "–",
                f"{len(flow.norms) - 1:,}",
                f"{flow.left:.1e}",
                flow.sparkline(),
                flow.verdict,
            )
        return table

    def to_text(self) -> str:
        """The table as plain text; one line if there is no recurrence."""
        if not self.flows:
            return f"{self.model} has no recurrence\n"
        file = io.StringIO()
        Console(file=file, width=120, color_system=None, highlight=False, markup=False, emoji=False).print(
            self.table()
        )
        return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"

    def to_json(self) -> dict[str, Any]:
        """The flows as a JSON object."""
        return {"model": self.model, "flows": [flow.to_json() for flow in self.flows]}


def gradient_flow(
    model: Model,
    weights: Mapping[str, NDArray] | None = None,
    *,
    dims: Mapping[str, int] | None = None,
    inputs: Mapping[str, NDArray] | None = None,
    seed: int = 0,
) -> GradientFlow:
    """The gradient flow of every recurrence of a model, with its initial weights or those given, by name.

    The model reads ``inputs``, by name, a row per sample. Without them it reads random ones, in which sequences have
    the lengths in ``dims``, otherwise the greatest that the spec allows (at most 200 steps), otherwise 100 steps.
    Raises SpecError, and RequestError for unknown dims and for inputs that do not fit.
    """
    network = model.network
    graph = layer_graph(model.load)
    scans = [node for node in graph if isinstance(node.attrs, ScanAttributes)]
    sizes = _sizes(model, dims or {}) if inputs is None else _sizes_of(model, inputs, dims or {})
    if not scans:
        return GradientFlow(model.name, ())
    for name in list(graph.outputs):
        graph.drop_output(name)
    for number, node in enumerate(scans):
        for position, value in enumerate(graph.operands(node)):
            graph.set_output(f"{number}.{position}", value)
    samples = random_inputs(network, sizes, seed) if inputs is None else inputs
    given = {**samples, **(weights or weights_or_first(network))}
    try:
        values = evaluate(graph, {name: given[name] for name in graph.inputs}, sizes)
    except EvaluationError as error:
        raise RequestError(f"{model.name}: {error}") from None
    known = {layer.name: layer.name for layer in network.layers}
    flows = []
    for number, node in enumerate(scans):
        operands = [values[f"{number}.{position}"] for position in range(len(graph.operands(node)))]
        assert isinstance(node.attrs, ScanAttributes)
        flow = _flow(_name(node, known, scans), node.attrs, operands, sizes, seed)
        if flow is not None:
            flows.append(flow)
    return GradientFlow(model.name, tuple(flows))


def _sizes(model: Model, given: Mapping[str, int]) -> dict[str, int]:
    sizes = {}
    for name, info in model.network.dims.items():
        usual = SAMPLES if info.role == "batch" else STEPS if info.max is None else min(info.max, MOST_STEPS)
        sizes[name] = info.fitted(usual)
    if unknown := given.keys() - sizes.keys():
        raise RequestError(f"{model.name} has no open size {sorted(unknown)[0]}")
    return {**sizes, **given}


def _sizes_of(model: Model, inputs: Mapping[str, NDArray], dims: Mapping[str, int]) -> dict[str, int]:
    graph = model.network.graphs["predict"]
    if missing := model.network.inputs.keys() - inputs.keys():
        raise RequestError(f"{model.name} needs the input {sorted(missing)[0]}")
    shapes = {name: inputs[name].shape for name in model.network.inputs if name in graph.inputs}
    try:
        return {**_sizes(model, dims), **bind_dims(graph, shapes, dims)}
    except EvaluationError as error:
        raise RequestError(f"{model.name}: {error}") from None


def _name(node: Node, known: Mapping[str, str], scans: Sequence[Node]) -> str:
    """The layer's name, followed by the direction or number if it has several recurrences."""
    layer = layer_of(node.layer, known)
    several = sum(layer_of(other.layer, known) == layer for other in scans) > 1
    own = node.attrs.name if isinstance(node.attrs, ScanAttributes) else ""
    return (own or node.layer) if several else layer


def _flow(
    name: str, attrs: ScanAttributes, operands: Sequence[NDArray], dims: Mapping[str, int], seed: int
) -> Flow | None:
    body = attrs.body
    names = list(body.inputs)
    carried = range(attrs.n_consts, attrs.n_consts + attrs.n_carries)
    types = [body.type(body.inputs[names[position]]) for position in carried]
    floats = [i for i, type in enumerate(types) if type.dtype in FLOATS]
    if not floats:
        return None
    first_x = attrs.n_consts + attrs.n_carries
    consts, xs = operands[: attrs.n_consts], operands[first_x:]
    steps = list(range(evaluate_size(attrs.length, dims)))
    if attrs.reverse:
        steps.reverse()
    step = _Step(attrs, floats, dims)
    carries = list(operands[attrs.n_consts : first_x])
    inputs = []
    for t in steps:
        inputs.append([*consts, *carries, *(x[t] for x in xs)])
        carries = step.forward(inputs[-1])
    rng = np.random.default_rng(seed)
    slopes = [rng.standard_normal(carries[i].shape) for i in floats]
    logarithms = [0.0]
    slopes = _scaled(slopes, _norm(slopes))
    for given in reversed(inputs):
        slopes = step.backward(given, slopes)
        norm = _norm(slopes)  # divided out in each step, or small gradients would underflow
        logarithms.append(
            logarithms[-1] + (math.log(norm) if 0 < norm < math.inf else math.inf * (norm or -1))
        )
        slopes = _scaled(slopes, norm)
    gain = _exp(logarithms[-1] / max(len(steps), 1))
    norms = [_exp(logarithm) for logarithm in reversed(logarithms)]
    states = sum(int(np.prod(carries[i].shape[1:])) for i in floats)
    return Flow(name, states, tuple(norms), gain, _radius(step, attrs, types, inputs[0], floats, states))


class _Step:
    """One step of a recurrence, forward and backward."""

    def __init__(self, attrs: ScanAttributes, floats: Sequence[int], dims: Mapping[str, int]):
        self.attrs, self.floats, self.dims = attrs, floats, dims
        self.names = list(attrs.body.inputs)
        self.results = list(attrs.body.outputs)[: attrs.n_carries]
        self.graph, self.slopes = self._backward()

    def _backward(self) -> tuple[Graph, list[str]]:
        """The body with Σ ⟨carry, slope⟩ as its loss, and the gradients of that loss with respect to the carries before
        the step.
        """
        graph = self.attrs.body.copy()
        total = None
        slopes = []
        for i in self.floats:
            value = graph.outputs[self.results[i]]
            type = graph.type(value)
            slopes.append(f"slope.{i}")
            product = graph.apply("mul", value, graph.input(slopes[-1], type))
            axes = ReduceAttributes("sum", tuple(range(type.rank)))
            term = graph.apply("reduce", product, attrs=axes) if type.rank else product
            total = term if total is None else graph.apply("add", total, term)
        assert total is not None
        for name in list(graph.outputs):
            graph.drop_output(name)
        graph.set_output("loss", total)
        wrt = [self.names[self.attrs.n_consts + i] for i in self.floats]
        made, gradient_of = gradients(graph, "loss", wrt)
        made.drop_output("loss")
        for name in wrt:
            made.set_output(name, gradient_of[name])
        return made, slopes

    def forward(self, given: Sequence[NDArray]) -> list[NDArray]:
        values = evaluate(self.attrs.body, dict(zip(self.names, given, strict=True)), self.dims)
        return [values[name] for name in self.results]

    def backward(
        self, given: Sequence[NDArray], slopes: Sequence[NDArray], dims: Mapping[str, int] | None = None
    ) -> list[NDArray]:
        values = dict(zip(self.names, given, strict=True))
        values |= {
            name: slope.astype(values[self.names[self.attrs.n_consts + i]].dtype)
            for name, slope, i in zip(self.slopes, slopes, self.floats, strict=True)
        }
        return list(evaluate(self.graph, values, self.dims if dims is None else dims).values())


def _scaled(slopes: Sequence[NDArray], norm: float) -> list[NDArray]:
    return [slope / norm if 0 < norm < math.inf else slope for slope in slopes]


def _exp(logarithm: float) -> float:
    return math.exp(min(logarithm, 700.0)) if logarithm == logarithm else 0.0


def _norm(arrays: Sequence[NDArray]) -> float:
    """The root of the mean over samples of the squared norms."""
    with np.errstate(all="ignore"):
        total = sum(float(np.sum(np.square(array, dtype=np.float64))) for array in arrays)
    return math.sqrt(total / max(1, len(arrays[0]))) if math.isfinite(total) else math.inf


def _radius(
    step: _Step,
    attrs: ScanAttributes,
    types: Sequence[TensorType],
    given: Sequence[NDArray],
    floats: Sequence[int],
    states: int,
) -> float | None:
    """The spectral radius of the first step's Jacobian for the first sample. Each state gives one row of it; all rows
    are computed as one batch.
    """
    batch = types[floats[0]].shape[0] if types[floats[0]].rank else None
    if not isinstance(batch, Dim) or str(batch) not in step.dims or not 0 < states <= _LARGEST_STATE:
        return None
    body = attrs.body
    repeated = []
    for name, array in zip(step.names, given, strict=True):
        shape = body.type(body.inputs[name]).shape
        if any(batch == size for size in shape[1:]):
            return None
        per_sample = bool(shape) and shape[0] == batch
        repeated.append(np.repeat(array[:1], states, 0) if per_sample else array)
    rows = np.eye(states)
    slopes, start = [], 0
    for i in floats:
        array = given[attrs.n_consts + i]
        width = int(np.prod(array.shape[1:]))
        slopes.append(rows[:, start : start + width].reshape(states, *array.shape[1:]))
        start += width
    blocks = step.backward(repeated, slopes, {**step.dims, str(batch): states})
    jacobian = np.concatenate([array.reshape(states, -1) for array in blocks], 1).astype(np.float64)
    if not np.isfinite(jacobian).all():
        return None
    return float(np.abs(np.linalg.eigvals(jacobian)).max())
