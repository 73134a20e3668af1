"""Optimizers as graphs: PyTorch's formulas, one parameter at a time.

Scalars that depend on the update's number are computed in float64, since 1 − β² ᵗ loses its digits in float32.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from netwright.specs.models.train import (
    Adam,
    AdamW,
    AnyOptimizer,
    OptimizerSpec,
    ParameterGroupSpec,
    RmsProp,
    Sgd,
)

from ...graph.types import TensorType
from ..tensor import Tensor
from .schedules import MakeState, learning_rate

#: Guards the division by the gradient's norm, as PyTorch does.
CLIP_EPSILON = 1e-6


class Updater:
    """Adds the nodes that update parameters; ``step`` updates have been made, ``state(name, type)`` returns the present
    value of a state.

    ``updates`` collects the new values of parameters and states, by name.
    """

    def __init__(self, optimizer: AnyOptimizer, step: Tensor, dtype: str, state: MakeState):
        self.optimizer, self.state = optimizer, state
        self.updates: dict[str, Tensor] = {}
        rate = learning_rate(optimizer.learning_rate, step, state)
        count = step.cast("float64") + 1
        if isinstance(optimizer, Adam | AdamW):
            first, second = _bias(optimizer.beta_1, count), _bias(optimizer.beta_2, count)
            self.step_size = (rate / first).cast(dtype)
            self.second_scale = (1 / second.sqrt()).cast(dtype)
        self.rate = rate.cast(dtype)

    def update(
        self, name: str, parameter: Tensor, gradient: Tensor, group: ParameterGroupSpec | None = None
    ) -> None:
        """Adds the update of one parameter, in the way of its ``group`` if it is in one."""
        optimizer = self.optimizer
        decay, rate = optimizer.weight_decay, self.rate
        if group is not None:
            decay = decay if group.weight_decay is None else group.weight_decay
            rate = _times(rate, group.rate_factor)
        if decay and isinstance(optimizer, AdamW):
            parameter = parameter * (1 - rate * decay)
        elif decay:
            gradient = gradient + parameter * decay
        match optimizer:
            case Sgd():
                self.updates[name] = parameter - rate * self._sgd(name, optimizer, gradient)
            case Adam() | AdamW():
                m = self._average(f"optimizer.m.{name}", gradient, optimizer.beta_1)
                v = self._average(f"optimizer.v.{name}", gradient * gradient, optimizer.beta_2)
                scaled = m / (v.sqrt() * self.second_scale + optimizer.epsilon)
                step_size = self.step_size if group is None else _times(self.step_size, group.rate_factor)
                self.updates[name] = parameter - step_size * scaled
            case RmsProp():
                self.updates[name] = parameter - rate * self._rmsprop(name, optimizer, gradient)

    def _sgd(self, name: str, optimizer: Sgd, gradient: Tensor) -> Tensor:
        if not optimizer.momentum:
            return gradient
        key = f"optimizer.v.{name}"
        velocity = self.state(key, gradient.type) * optimizer.momentum + gradient
        self.updates[key] = velocity
        return gradient + velocity * optimizer.momentum if optimizer.nesterov else velocity

    def _rmsprop(self, name: str, optimizer: RmsProp, gradient: Tensor) -> Tensor:
        v = self._average(f"optimizer.v.{name}", gradient * gradient, optimizer.rho)
        scaled = gradient / (v.sqrt() + optimizer.epsilon)
        if not optimizer.momentum:
            return scaled
        key = f"optimizer.b.{name}"
        self.updates[key] = self.state(key, gradient.type) * optimizer.momentum + scaled
        return self.updates[key]

    def _average(self, key: str, value: Tensor, decay: float) -> Tensor:
        average = self.state(key, value.type) * decay + value * (1 - decay)
        self.updates[key] = average
        return average


def state_types(optimizer: OptimizerSpec, parameters: Mapping[str, TensorType]) -> dict[str, TensorType]:
    """The states that an optimizer keeps for its parameters, by name."""
    kinds: tuple[str, ...] = ()
    match optimizer:
        case Adam() | AdamW():
            kinds = ("m", "v")
        case Sgd(momentum=momentum):
            kinds = ("v",) if momentum else ()
        case RmsProp(momentum=momentum):
            kinds = ("v", "b") if momentum else ("v",)
    return {f"optimizer.{kind}.{name}": type for name, type in parameters.items() for kind in kinds}


def clipped(gradients: Mapping[str, Tensor], limit: float) -> tuple[dict[str, Tensor], Tensor]:
    """Gradients scaled so that their global 2-norm is at most ``limit`` (Pascanu et al., 2013), and the norm."""
    squares = [(gradient * gradient).sum() for gradient in gradients.values()]
    total = squares[0]
    for square in squares[1:]:
        total = total + square
    norm = total.sqrt()
    factor = (limit / (norm + CLIP_EPSILON)).minimum(1)
    return {name: gradient * factor for name, gradient in gradients.items()}, norm


def _times(rate: Tensor, factor: float) -> Tensor:
    return rate if factor == 1 else rate * factor


def _bias(decay: float, count: Tensor) -> Tensor:
    """1 − decayᵗ; 1 if decay is 0."""
    return 1 - (count * math.log(decay)).exp() if decay else count * 0 + 1
