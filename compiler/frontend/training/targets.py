"""Targets as inputs of the graph: their types are declared, or follow from the outputs that they are compared with."""

from __future__ import annotations

from netwright.specs.checks.wiring import Ref
from netwright.specs.models.train import TrainSpec
from netwright.specs.source.tree import Span

from ...graph.types import FLOATS, TensorType
from ..expander import Expander
from ..problem import Problem, show_type
from ..tensor import Tensor


class Targets:
    """Declares the targets of a graph when they are first needed."""

    def __init__(self, expander: Expander, train: TrainSpec):
        self.expander, self.train, self.graph = expander, train, expander.graph
        self.types: dict[str, TensorType] = {}
        self._tensors: dict[str, Tensor] = {}

    def declared(self, name: str) -> TensorType | None:
        """The type of a target as the spec declares it."""
        spec = self.train.targets.get(name)
        return None if spec is None else TensorType(spec.dtype, self.expander.shape(spec.shape))

    def type_of(self, name: str) -> TensorType | None:
        """The type of a target, if that is known."""
        return self.types.get(name) or self.declared(name)

    def tensor(self, name: str, type: TensorType) -> Tensor:
        """The graph's input for a target."""
        if name not in self._tensors:
            self.types[name] = type
            self._tensors[name] = Tensor(self.graph, self.graph.input(name, type, "target"))
        return self._tensors[name]

    def given(self, name: str, type: TensorType) -> Tensor:
        """A target that may be an input of the network."""
        signal = self.expander.signals.get(Ref(name))
        return signal.tensor if signal else self.tensor(name, type)

    def known(self, name: str) -> TensorType | None:
        """The type of a target or input, if that is known."""
        signal = self.expander.signals.get(Ref(name))
        return signal.tensor.type if signal else self.type_of(name)

    def check_float(self, name: str, type: TensorType, used: Span) -> None:
        """Raises Problem for floats of another type than the model's."""
        if type.dtype in FLOATS and type.dtype != self.expander.dtype:
            message = (
                f"{name} is {show_type(type.dtype, type.shape)}, the model computes in {self.expander.dtype}"
            )
            raise Problem(
                "NW0319", message, self.span(name, "dtype", used), help=f"dtype: {self.expander.dtype}"
            )

    def span(self, name: str, key: str, used: Span) -> Span:
        """The place where a target says its shape or dtype, else where it is used."""
        load = self.expander.load
        if name in self.train.targets:
            return load.span(("train", "targets", name, key))
        if name in self.expander.spec.inputs:
            return load.span(("inputs", name, key))
        return used
