"""Draws specs: a `Sketch` grows layer by layer, and every layer that fits stays.

Whether a layer fits is asked of the frontend itself, so no shape rule is written twice; a layer that does not fit has
to be refused with one of the diagnostics that are about fitting.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from hypothesis import strategies as st

from netwright.compiler.frontend.build import build_network
from netwright.compiler.graph.types import TensorType
from netwright.specs.load import load_spec_text

from .harness import as_text

T = TypeVar("T")
Draw = Callable[[st.SearchStrategy[T]], T]

#: What a drawn layer may be refused for: a window larger than its input, a size that is open where it has to be known,
#: a pool with windows of padding alone, lengths that the layer can't honour, axes that don't exist.
FITTING = {"NW0304", "NW0308", "NW0309", "NW0314", "NW0315", "NW0317", "NW0318"}

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


@dataclass
class Sketch:
    """A spec under construction."""

    draw: Draw
    dtype: str = "float64"
    dims: dict[str, Any] = field(default_factory=lambda: {"N": "batch"})
    inputs: dict[str, Any] = field(default_factory=dict)
    cells: dict[str, Any] = field(default_factory=dict)
    layers: list[dict[str, Any]] = field(default_factory=list)
    outputs: dict[str, str] = field(default_factory=dict)
    train: dict[str, Any] | None = None
    signals: dict[str, Signal] = field(default_factory=dict)

    # -- drawing ------------------------------------------------------------------------------------------------

    def one_of(self, *choices: T) -> T:
        return self.draw(st.sampled_from(choices))

    def number(self, low: int, high: int) -> int:
        return self.draw(st.integers(low, high))

    def flag(self) -> bool:
        return self.draw(st.booleans())

    def options(self, **choices: Sequence[Any]) -> dict[str, Any]:
        """Keys with one of their values each; None leaves a key out."""
        drawn = {key: self.one_of(*values) for key, values in choices.items()}
        return {key: value for key, value in drawn.items() if value is not None}

    def activation(self, softmax: bool = True) -> Any:
        """An activation by name or with arguments; None for none."""
        names: list[Any] = [None, *POINTWISE]
        names += [{"type": "leaky_relu", "negative_slope": 0.3}, {"type": "elu", "alpha": 0.7}]
        if softmax:
            names += ["softmax", "log_softmax"]
        return self.one_of(*names)

    # -- growing ------------------------------------------------------------------------------------------------

    def fresh(self, stem: str) -> str:
        return f"{stem}{len(self.layers) + len(self.inputs)}"

    def input(
        self, *shape: Any, dtype: str | None = None, lengths: str | None = None, stem: str = "x"
    ) -> Signal:
        """Declares an input."""
        name, dtype = self.fresh(stem), dtype or self.dtype
        self.inputs[name] = {"shape": ["N", *shape], "dtype": dtype}
        if lengths is not None:
            self.inputs[name]["lengths"] = lengths
        sizes = tuple(network_dim(size) for size in ("N", *shape))
        return self.known(name, TensorType(dtype, sizes))

    def known(self, name: str, type: TensorType) -> Signal:
        self.signals[name] = Signal(name, type)
        return self.signals[name]

    def layer(
        self,
        type: str,
        inputs: Sequence[Signal] | Signal,
        names: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Signal | None:
        """Adds a layer; None, and nothing changes, where it does not fit. ``names`` is for inputs that have names."""
        sources = [inputs] if isinstance(inputs, Signal) else list(inputs)
        name = self.fresh(type[:3])
        written = {"name": name, "type": type, "inputs": names or [one.name for one in sources]}
        written |= {key: value for key, value in options.items() if value is not None}
        self.layers.append(written)
        network, diagnostics = build_network(
            load_spec_text(as_text(self.spec({"probe": name}, None)), "spec.json")
        )
        if network is None:
            codes = {item.code for item in diagnostics.items if item.severity == "error"}
            assert codes <= FITTING, f"{written}\n{diagnostics.to_text()}"
            self.layers.pop()
            return None
        return self.known(name, network.outputs["probe"].type)

    def errors(self) -> set[str]:
        """The codes of what is wrong with the spec so far."""
        _, diagnostics = build_network(load_spec_text(as_text(self.spec()), "spec.json"))
        return {item.code for item in diagnostics.errors}

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
        if self.cells:
            found["cells"] = self.cells
        train = train or (self.train if outputs is None else None)
        return {**found, "train": train} if train else found


def network_dim(size: Any) -> Any:
    from netwright.specs.dims import dim

    return dim(size) if isinstance(size, str) else size
