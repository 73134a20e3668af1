"""The result of the frontend: a network, with its arrays by name and role, and a graph per entry."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from netwright.specs.dims import DimLike
from netwright.specs.manifest import DimInfo, ScoreInfo, has_time
from netwright.specs.models.initializers import InitializerSpec, fill, initialize
from netwright.specs.random import Stream
from netwright.specs.source.tree import Span

from ..graph.graph import Graph
from ..graph.types import TensorType


@dataclass(frozen=True, slots=True)
class Parameter:
    """An array stored with the weights, `layer.param`.

    ``kind``: a parameter is trained; a statistic is not (batch norm's running mean and variance, the constants of a
    fitted standardize). ``initializers``: one, or one per equal slice of the last axis. Training leaves a frozen one as
    it is.
    """

    name: str
    type: TensorType
    kind: Literal["parameter", "statistic"]
    initializers: tuple[InitializerSpec, ...]
    layer: str
    frozen: bool = False

    @property
    def trained(self) -> bool:
        """Whether the optimizer updates it."""
        return self.kind == "parameter" and not self.frozen

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape, which depends on no dim."""
        return tuple(int(size) for size in self.type.shape)  # type: ignore[arg-type]

    def initial_value(self, seed: int) -> NDArray:
        """The initial values, drawn from the stream of (seed, name)."""
        return initialize(self.initializers, Stream.at(seed, self.name), self.shape, self.type.dtype)

    def fill(self, values: NDArray, seed: int, stream: Callable[[int, str], Stream] = Stream.at) -> None:
        """Fills an array with the initial values."""
        fill(self.initializers, stream(seed, self.name), values)


@dataclass(frozen=True, slots=True)
class State:
    """An array kept from one training step to the next. ``initial`` fills it before the first one."""

    type: TensorType
    initial: int | float = 0


@dataclass(frozen=True, slots=True)
class LayerInfo:
    """A row of the summary: the types of a layer's values (by port, the output itself under "") and its
    parameters."""

    name: str
    type: str
    outputs: Mapping[str, TensorType]
    parameters: tuple[str, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class OutputInfo:
    """The type of an output; ``labels`` are the classes' names."""

    type: TensorType
    labels: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """How often a recurrence keeps its state in training: after every ``steps`` of ``length`` steps."""

    recurrence: str
    steps: int
    length: DimLike

    def __str__(self) -> str:
        if isinstance(self.length, int) and self.length <= self.steps:
            return (
                f"{self.recurrence} keeps all of its {self.length} steps: checkpoints come every {self.steps}"
            )
        again = "the steps in between are computed again for the gradient"
        return f"{self.recurrence} keeps its state every {self.steps} of {self.length} steps; {again}"

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return {"recurrence": self.recurrence, "steps": self.steps, "length": str(self.length)}


class Graphs(Mapping[str, Graph]):
    """Graphs by entry, each built when it is first read."""

    def __init__(self, builders: Mapping[str, Callable[[], Graph]]):
        self._builders = dict(builders)
        self._built: dict[str, Graph] = {}

    def __getitem__(self, entry: str) -> Graph:
        if entry not in self._built:
            self._built[entry] = self._builders[entry]()
        return self._built[entry]

    def __iter__(self) -> Iterator[str]:
        return iter(self._builders)

    def __len__(self) -> int:
        return len(self._builders)


@dataclass(frozen=True)
class Network:
    """A validated network.

    Entries of ``graphs``: `predict`; with a train section `loss` and `train_step`; with layers that are fitted to the
    training data `fit` (see ``fitting.py``). ``inputs`` includes the inputs that hold lengths. A shared parameter is
    listed once, under its owner.
    """

    model: str
    dtype: str
    dims: Mapping[str, DimInfo]
    inputs: Mapping[str, TensorType]
    outputs: Mapping[str, OutputInfo]
    targets: Mapping[str, TensorType]
    parameters: Mapping[str, Parameter]
    states: Mapping[str, State]
    layers: tuple[LayerInfo, ...]
    seed: int
    scores: tuple[ScoreInfo, ...] = ()
    """What losses and metrics are reported."""
    fitted: tuple[str, ...] = ()
    """Layers whose statistics come from the training data, in order."""
    checkpoints: tuple[Checkpoints, ...] = ()
    """Recurrences of which training keeps some states only, in order."""
    graphs: Mapping[str, Graph] = field(default_factory=dict)
    math: Literal["strict", "fast"] = "fast"
    """How exact float32 is, as the spec says."""
    quantized: bool = False
    """Whether its products are those of bytes, and its parameters not the spec's: then it can run, but not learn."""
    whole: Graph | None = None
    """`predict` for sequences all of whose steps count, of networks whose inputs have lengths: see ``with_whole`` of
    ``streaming``."""

    def reading(self) -> dict[str, Graph]:
        """The graphs that only read weights: of the entries `predict` and `loss`, and ``whole`` under that name."""
        graphs = {name: self.graphs[name] for name in ("predict", "loss") if name in self.graphs}
        return graphs if self.whole is None else {**graphs, "whole": self.whole}

    @property
    def has_time(self) -> bool:
        """Whether a dim counts steps, whose results must not depend on how many are computed at once."""
        return has_time(self.dims.values())


def initial_values(network: Network, seed: int | None = None) -> dict[str, NDArray]:
    """Initial values of all parameters and statistics; ``seed`` is the spec's if None."""
    seed = network.seed if seed is None else seed
    return {name: parameter.initial_value(seed) for name, parameter in network.parameters.items()}


def initial_states(network: Network, dims: Mapping[str, int] | None = None) -> dict[str, NDArray]:
    """Initial values of the states; those with open sizes only if ``dims`` binds them."""
    states: dict[str, NDArray] = {}
    for name, state in network.states.items():
        sizes = [size if isinstance(size, int) else (dims or {}).get(str(size)) for size in state.type.shape]
        if None not in sizes:
            shape = tuple(size for size in sizes if size is not None)
            states[name] = np.full(shape, state.initial, state.type.dtype)
    return states
