"""What the expansion of one layer works with: its inputs, its parameters, and functions that report errors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from netwright.specs.checks.wiring import Ref
from netwright.specs.diagnostics.fixes import Fix, with_key
from netwright.specs.dims import DimLike, Shape, bounds
from netwright.specs.models.initializers import InitializerSpec
from netwright.specs.models.layers.base import LayerSpec
from netwright.specs.random import Key, key_for

from ..graph.graph import Graph
from ..graph.types import FLOATS, TensorType
from ..ops.views.layout import show
from .origins import Origin, Rule, history
from .problem import Label, Problem, show_type
from .tensor import Tensor, iota, where

if TYPE_CHECKING:
    from .expander import Expander


Mode = Literal["predict", "train"]
"""What a network is expanded for: layers such as dropout only do something in training."""


@dataclass(frozen=True, slots=True)
class Signal:
    """A value that flows between layers: a tensor, the origin of each of its sizes, and the valid lengths [N] of its
    sequences (time is axis 1), if it has any."""

    tensor: Tensor
    origins: tuple[Origin, ...]
    lengths: Tensor | None = None

    @property
    def shape(self) -> Shape:
        return self.tensor.shape

    @property
    def dtype(self) -> str:
        return self.tensor.dtype

    @property
    def rank(self) -> int:
        return self.tensor.rank

    @property
    def channels(self) -> DimLike:
        """The size of the last axis."""
        return self.shape[-1]

    def valid(self) -> Tensor | None:
        """Which steps exist, bool [N, T]; None if all do."""
        if self.lengths is None:
            return None
        graph, shape = self.tensor.graph, self.shape[:2]
        return iota(graph, "int64", shape, 1).compare("lt", self.lengths.broadcast(shape, [0]))

    def cleared(self, counting: Tensor | None = None) -> Signal:
        """The signal with zeros in the steps that do not exist and in those that do not count (``counting``, bool [N,
        T]).

        The gradient is zero there, too. Nothing is multiplied by the values in these steps, which may be NaN: even a
        zero cotangent would give NaN.
        """
        if self.dtype not in FLOATS:
            return self
        tensor = self.tensor
        for steps in (self.valid(), counting):
            if steps is not None:
                tensor = where(steps.broadcast(self.shape, [0, 1]), tensor, 0)
        return self if tensor is self.tensor else replace(self, tensor=tensor)

    def valid_like(self) -> Tensor | None:
        """Which elements belong to steps that exist, in the tensor's shape; None if all do."""
        valid = self.valid()
        return None if valid is None else valid.broadcast(self.shape, [0, 1])


@dataclass
class Scope:
    """One layer in one expansion. Layer names in paths are those of the spec, with dotted names below."""

    expander: Expander
    spec: LayerSpec
    inputs: Sequence[Signal]
    refs: Sequence[Ref]
    given: Mapping[str, Signal] = field(default_factory=dict)
    ports: frozenset[str] = frozenset()
    """The ports that are read."""
    notes: dict[int, str] = field(default_factory=dict)
    """The arithmetic of the output's sizes, in words, by axis."""
    derived: dict[int, tuple[tuple[Origin, ...], Rule | None]] = field(default_factory=dict)
    """The sizes that those were made from, by axis."""
    kept: dict[int, Origin] = field(default_factory=dict)
    """The origins of output sizes that come from another axis of the inputs, by axis."""
    parameters: list[str] = field(default_factory=list)
    computed: set[str] = field(default_factory=set)
    """The parameters that other layers compute."""

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def graph(self) -> Graph:
        return self.expander.graph

    @property
    def mode(self) -> Mode:
        return self.expander.mode

    @property
    def dtype(self) -> str:
        """The model's float dtype."""
        return self.expander.dtype

    @property
    def input(self) -> Signal:
        (signal,) = self.inputs
        return signal

    # Arrays.

    def parameter(
        self,
        name: str,
        shape: Sequence[int],
        *initializers: InitializerSpec,
        statistic: bool = False,
        dtype: str | None = None,
    ) -> Tensor:
        """A parameter or statistic of this layer, or of the layer whose parameters it shares, in the model's float
        dtype unless ``dtype`` is given."""
        return self.expander.parameter(self, name, tuple(shape), initializers, statistic, dtype)

    def update(self, name: str, value: Tensor) -> None:
        """Sets the new value of a statistic after a training step, unless another layer computes the statistic."""
        if name in self.spec.weights:
            return
        self.expander.updates[f"{self.owner}.{name}"] = value

    def current(self, name: str) -> Tensor | None:
        """The value that a layer sharing the statistic already gave it in this step; None if there is none."""
        return self.expander.updates.get(f"{self.owner}.{name}")

    def frozen(self, name: str) -> bool:
        """Whether training leaves a parameter or statistic of this layer as it is."""
        return self.expander.frozen(self.owner, name)

    @property
    def owner(self) -> str:
        return self.spec.share or self.name

    def key(self, below: str = "") -> Key:
        """The key of a random stream of this layer."""
        return key_for(self.expander.seed, f"{self.name}.{below}" if below else self.name)

    def step(self) -> Tensor:
        """How many updates have been made so far, int64 []."""
        return self.expander.state("optimizer.step", TensorType("int64", ()))

    # Results.

    def derive(self, axis: int, text: str, *sources: Origin, rule: Rule | None = None) -> None:
        """Records how a size of the output is made from others; ``rule`` is the same as a function, if there is one
        source."""
        self.notes[axis] = text
        self.derived[axis] = (sources, rule)

    def give(self, tensor: Tensor, lengths: Tensor | None = None, like: Signal | None = None) -> Signal:
        """A result. Sizes that equal those of ``like`` (the first input) on the same axis keep their origin."""
        like = like or self.inputs[0]
        origins = []
        for axis, size in enumerate(tensor.shape):
            if axis in self.notes:
                sources, rule = self.derived.get(axis, ((), None))
                text = f"gives {show(tensor.shape)}: {self.notes[axis]}"
                origins.append(Origin(self.name, text, sources, rule))
            elif axis in self.kept:
                origins.append(self.kept[axis])
            elif axis < like.rank and like.shape[axis] == size:
                origins.append(like.origins[axis])
            else:
                origins.append(Origin(self.name, f"gives {show(tensor.shape)}"))
        return Signal(tensor, tuple(origins), lengths)

    # Problems.

    def problem(
        self,
        code: str,
        message: str,
        *path: str | int,
        label: str = "",
        labels: Iterable[Label] = (),
        help: str | None = None,
        fixes: Iterable[Fix] = (),
    ) -> Problem:
        """An error at one of the layer's keys, or at its type if that key is not written."""
        span = self.expander.load.layer_span(self.name, *(path or ("type",)))
        return Problem(code, message, span, label=label, labels=labels, help=help, fixes=fixes)

    def warn(
        self,
        code: str,
        message: str,
        *path: str | int,
        labels: Iterable[Label] = (),
        help: str | None = None,
        fixes: Iterable[Fix] = (),
    ) -> None:
        """A warning at one of the layer's keys."""
        span = self.expander.load.layer_span(self.name, *(path or ("type",)))
        self.expander.warn(code, message, span, labels, help, fixes)

    def with_setting(self, key: str, value: Any) -> tuple[Fix, ...]:
        """The fix that gives one of the layer's keys another value."""
        load = self.expander.load
        return with_key(load.node(load.entries[self.name].path), key, value)

    def blame(self, signal: Signal, axis: int = -1) -> list[Label]:
        """The layer that made a size, as a secondary label."""
        return self.expander.origin_label(signal.origins[axis]) if signal.origins else []

    def trace(self, *sizes: tuple[Signal, int]) -> list[Label]:
        """The origins of the given sizes, back to the inputs, as secondary labels."""
        origins = [signal.origins[axis] for signal, axis in sizes if signal.origins]
        return [label for origin in history(origins) for label in self.expander.origin_label(origin)]

    def sources(self) -> list[Label]:
        """The layers that made the inputs, as secondary labels."""
        return list(dict.fromkeys(label for signal in self.inputs for label in self.blame(signal)))

    def with_sources(self, problem: Problem) -> Problem:
        """Adds the inputs' layers as labels to a problem that has no labels."""
        if not problem.diagnostic.labels:
            problem.diagnostic = replace(problem.diagnostic, labels=tuple(self.sources()))
        return problem

    def check_rank(
        self,
        signal: Signal,
        expected: str,
        ok: bool,
        help: str | None = None,
        labels: Iterable[Label] = (),
    ) -> None:
        """Raises Problem unless ``ok``: the rank is not as ``expected`` says."""
        if not ok:
            message = f"{self.spec.type} reads {expected}, this is {show(signal.shape)}"
            raise self.problem("NW0309", message, labels=[*self.blame(signal), *labels], help=help)

    def floats(self, signal: Signal) -> Tensor:
        """The tensor. Raises Problem unless it has the model's float dtype."""
        if signal.dtype not in FLOATS:
            message = f"{self.spec.type} reads floats, this is {show_type(signal.dtype, signal.shape)}"
            help = "put a layer {type: rescale} before it"
            raise self.problem("NW0311", message, labels=self.blame(signal), help=help)
        return signal.tensor

    def as_floats(self, signal: Signal) -> Tensor:
        """The tensor cast to floats, whatever numbers it holds."""
        return signal.tensor.cast(self.dtype)

    def static(self, signal: Signal, axis: int = -1, what: str = "the number of channels") -> int:
        """The size of an axis. Raises Problem if it is open."""
        size = signal.shape[axis]
        if not isinstance(size, int):
            message = f"{what} has to be a number, not the open size {size}"
            raise self.problem("NW0314", message, labels=self.blame(signal, axis))
        return size

    def features(self, signal: Signal) -> int:
        """The size of the last axis, for a layer that mixes or scales features. Raises Problem if it is open, or is
        time."""
        self.check_rank(signal, "[N, …, F]", signal.rank >= 2)
        if signal.rank == 2:
            self.refuse_lengths(signal, "its last axis is time")
        return self.static(signal, what="the number of features")

    def axis(self, signal: Signal, axis: int, *, batch: bool = False) -> int:
        """An axis as a position. Raises Problem if there is no such axis, or it is an open batch and ``batch`` is
        false."""
        position = axis + signal.rank if axis < 0 else axis
        if not 0 <= position < signal.rank:
            message = f"there is no axis {axis} in {show(signal.shape)}"
            raise self.problem("NW0318", message, "axis", labels=self.blame(signal))
        if position == 0 and not batch and not isinstance(signal.shape[0], int):
            message = f"axis {axis} of {show(signal.shape)} is the batch: samples do not see each other"
            raise self.problem("NW0318", message, "axis")
        return position

    def refuse_lengths(self, signal: Signal, why: str, *path: str) -> None:
        """Raises Problem if the signal's sequences have lengths."""
        if signal.lengths is not None:
            message = f"{self.spec.type} can't honour the lengths of its input: {why}"
            raise self.problem("NW0315", message, *path)

    def stretched_lengths(self, signal: Signal, shape: Shape) -> Tensor | None:
        """The lengths of an input's sequences in a result of this shape, whose batch may be larger. Raises Problem if
        its one step is stretched."""
        if signal.lengths is None:
            return None
        if signal.shape[1] != shape[1]:
            self.refuse_lengths(signal, "its one step is stretched", "inputs")
        return signal.lengths.to(shape[:1])

    def shape(self, written: Sequence[int | str]) -> Shape:
        """Sizes of the spec as sizes of ``specs.dims``."""
        return self.expander.shape(written)

    def least(self, size: DimLike) -> int | None:
        """The greatest proved lower bound of a size."""
        return bounds(size, self.expander.ranges)[0]
