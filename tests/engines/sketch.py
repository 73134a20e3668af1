"""Draws specs: a `Sketch` grows layer by layer, and every layer that fits stays.

Whether a layer fits is asked of the frontend itself, so no shape rule is written twice; a layer that does not fit has
to be refused with one of the diagnostics that are about fitting.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from math import prod
from random import Random
from typing import Any, Protocol, TypeVar

from hypothesis import strategies as st

from netwright.compiler.frontend.build import build_network
from netwright.compiler.graph.types import TensorType
from netwright.specs.dims import dim, evaluate
from netwright.specs.load import load_spec_text

from .harness import as_text

T = TypeVar("T")
Draw = Callable[[st.SearchStrategy[T]], T]
Add = Callable[["Sketch", "Signal"], "Signal | None"]
"""How a layer of a type is drawn: see `layers`."""

#: So many cells a value has at most where each open dim is `OPEN`: what enlarges can be repeated on top of itself, and
#: other people's sums over more cells are far from exact.
MOST_CELLS, OPEN = 1 << 21, 8
#: What a drawn layer may be refused for: a window larger than its input, a size that is open where it has to be known,
#: a pool with windows of padding alone, lengths that the layer can't honour, axes that don't exist, a dtype it
#: does not read, nothing that remains, a size of 0 that would have to be written.
FITTING = {"NW0211", "NW0304", "NW0308", "NW0309", "NW0311", "NW0313", "NW0314", "NW0315", "NW0317", "NW0318"}

#: Activations that are drawn together as often as one of the others.
RARER: tuple[Any, ...] = (
    *("selu", "celu", "hard_sigmoid", "hard_swish", "swish", "mish", "softsign", "linear"),
    {"type": "thresholded_relu", "theta": 0.3},
    {"type": "scaled_tanh", "alpha": 0.5, "beta": 2.0},
    {"type": "shrink", "threshold": 0.2, "bias": 0.1},
    {"type": "affine", "alpha": -0.5, "beta": 1.0},
    {"type": "swish", "alpha": 0.7},
)
POINTWISE = ("relu", "leaky_relu", "elu", "gelu", "sigmoid", "tanh", "softplus")


@dataclass(frozen=True)
class Signal:
    """A value that layers can read."""

    name: str
    type: TensorType

    @property
    def rank(self) -> int:
        return len(self.type.shape)

    @property
    def shape(self) -> tuple[Any, ...]:
        return self.type.shape

    @property
    def static(self) -> bool:
        """Whether all sizes but the batch are known."""
        return all(isinstance(size, int) for size in self.type.shape[1:])


class Choices(Protocol):
    """Where decisions come from."""

    def choose(self, choices: Sequence[T]) -> T: ...

    def between(self, low: int, high: int) -> int:
        """From ``low`` to ``high``, both inclusive."""
        ...


@dataclass(frozen=True)
class Drawn:
    """Decisions of Hypothesis."""

    draw: Draw

    def choose(self, choices: Sequence[T]) -> T:
        return self.draw(st.sampled_from(choices))

    def between(self, low: int, high: int) -> int:
        return self.draw(st.integers(low, high))


@dataclass(frozen=True)
class Thrown:
    """Decisions of a generator of random numbers: many networks in little time."""

    random: Random

    def choose(self, choices: Sequence[T]) -> T:
        return self.random.choice(choices)

    def between(self, low: int, high: int) -> int:
        return self.random.randint(low, high)


@dataclass
class Sketch:
    """A spec under construction: ``batch`` is the first axis of every input, channels are drawn from ``sizes``."""

    choices: Choices
    dtype: str = "float64"
    batch: int | str = "N"
    sizes: tuple[int, ...] = (1, 2, 3, 5, 8, 17)
    dims: dict[str, Any] = field(default_factory=lambda: {"N": "batch"})
    blocks: dict[str, Any] = field(default_factory=dict)
    inputs: dict[str, Any] = field(default_factory=dict)
    cells: dict[str, Any] = field(default_factory=dict)
    layers: list[dict[str, Any]] = field(default_factory=list)
    outputs: dict[str, str] = field(default_factory=dict)
    train: dict[str, Any] | None = None
    signals: dict[str, Signal] = field(default_factory=dict)
    names: int = 0
    explicit: bool = False
    """Whether the float type is written for the whole spec."""

    # -- drawing ------------------------------------------------------------------------------------------------

    def one_of(self, *choices: T) -> T:
        return self.choices.choose(choices)

    def number(self, low: int, high: int) -> int:
        return self.choices.between(low, high)

    def flag(self) -> bool:
        return self.one_of(False, True)

    def units(self) -> int:
        """Units, channels, the size of an embedding."""
        return self.one_of(*self.sizes)

    def options(self, **choices: Sequence[Any]) -> dict[str, Any]:
        """Keys with one of their values each; None leaves a key out."""
        drawn = {key: self.one_of(*values) for key, values in choices.items()}
        return {key: value for key, value in drawn.items() if value is not None}

    def activation(self, softmax: bool = True) -> Any:
        """An activation by name or with arguments; None for none."""
        names: list[Any] = [None, *POINTWISE]
        names += [{"type": "leaky_relu", "negative_slope": 0.3}, {"type": "elu", "alpha": 0.7}]
        names += [{"type": "gelu", "approximate": "tanh"}, self.one_of(*RARER)]
        if softmax:
            names += ["softmax", "log_softmax"]
        return self.one_of(*names)

    # -- growing ------------------------------------------------------------------------------------------------

    def fresh(self, stem: str) -> str:
        """A name that nothing has, not even what became a part of a block or did not fit."""
        self.names += 1
        return f"{stem}{self.names - 1}"

    def input(
        self, *shape: Any, dtype: str | None = None, lengths: str | None = None, stem: str = "x"
    ) -> Signal:
        """Declares an input."""
        name, dtype = self.fresh(stem), dtype or self.dtype
        self.inputs[name] = {"shape": [self.batch, *shape], "dtype": dtype}
        if lengths is not None:
            self.inputs[name]["lengths"] = lengths
        sizes = tuple(network_dim(size) for size in (self.batch, *shape))
        return self.known(name, TensorType(dtype, sizes))

    def scalar(self) -> Signal:
        """Declares an input that is a single number."""
        name = self.fresh("x")
        self.inputs[name] = {"shape": [], "dtype": self.dtype}
        return self.known(name, TensorType(self.dtype, ()))

    def known(self, name: str, type: TensorType) -> Signal:
        self.signals[name] = Signal(name, type)
        return self.signals[name]

    def layer(
        self,
        type: str,
        inputs: Sequence[Signal] | Signal,
        names: Mapping[str, str] | None = None,
        refused: Set[str] = FITTING,
        **options: Any,
    ) -> Signal | None:
        """Adds a layer; None, and nothing changes, where it does not fit for one of the reasons ``refused``. ``names``
        is for inputs that have names."""
        sources = [inputs] if isinstance(inputs, Signal) else list(inputs)
        name = self.fresh(type[:3])
        written = {"name": name, "type": type, "inputs": names or [one.name for one in sources]}
        written |= {key: value for key, value in options.items() if value is not None}
        self.layers.append(written)
        type_ = self.fitting(name, refused)
        if type_ is None:
            self.layers.pop()
            return None
        return self.known(name, type_)

    def fitting(self, name: str, refused: Set[str] = FITTING) -> TensorType | None:
        """The type of what the last layer or use gives by this name; None where it does not fit, which has to be for
        one of these reasons, or is too large."""
        network, diagnostics = build_network(
            load_spec_text(as_text(self.spec({"probe": name}, None)), "spec.json")
        )
        if network is None:
            codes = {item.code for item in diagnostics.items if item.severity == "error"}
            assert codes <= refused, f"{self.layers[-1]}\n{diagnostics.to_text()}"
            return None
        type = network.outputs["probe"].type
        dims = dict.fromkeys(self.dims, OPEN)
        return type if prod(evaluate(size, dims) for size in type.shape) <= MOST_CELLS else None

    def errors(self) -> set[str]:
        """The codes of what is wrong with the spec so far."""
        _, diagnostics = build_network(load_spec_text(as_text(self.spec()), "spec.json"))
        return {item.code for item in diagnostics.errors}

    def constant(self, shape: Sequence[int], trainable: bool) -> Signal:
        """Adds numbers that are kept with the weights."""
        self.layers.append({"name": self.fresh("con"), "type": "constant", "shape": list(shape)})
        self.layers[-1] |= {"dtype": self.dtype, "init": "glorot_uniform" if len(shape) > 1 else "ones"}
        if trainable:
            self.layers[-1]["trainable"] = True
        return self.known(self.layers[-1]["name"], TensorType(self.dtype, tuple(shape)))

    def output(self, signal: Signal) -> Signal:
        """Makes a signal an output of the model."""
        self.outputs[f"out_{signal.name.replace('.', '_')}"] = signal.name
        return signal

    def spec(
        self, outputs: Mapping[str, str] | None = None, train: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """The spec so far."""
        found: dict[str, Any] = {
            "netwright": 1,
            "model": "drawn",
            "dims": self.dims,
            "inputs": self.inputs,
            "layers": self.layers,
            "outputs": self.outputs if outputs is None else outputs,
        }
        if not self.dims:
            del found["dims"]
        if self.explicit:
            found["dtype"] = self.dtype
        if self.cells:
            found["cells"] = self.cells
        if self.blocks:
            found["blocks"] = self.blocks
        train = train or (self.train if outputs is None else None)
        return {**found, "train": train} if train else found


def plain(type: str, **options: Sequence[Any]) -> Add:
    """A layer with options that do not depend on each other."""

    def add(s: Sketch, x: Signal) -> Signal | None:
        return s.layer(type, x, **s.options(**options))

    return add


def per_axis(s: Sketch, rank: int, *choices: Any) -> Any:
    """One value for all axes, or a list with one for each."""
    return [s.one_of(*choices) for _ in range(rank)] if s.flag() else s.one_of(*choices)


def written(size: Any) -> int | str:
    """A size as specs write it."""
    return size if isinstance(size, int) else str(size)


def network_dim(size: Any) -> Any:
    return dim(size) if isinstance(size, str) else size
