"""Regularization of recurrences: dropout of inputs and of states, the same at all steps of a sequence, and
zoneout."""

from __future__ import annotations

from netwright.specs.dims import DimLike
from netwright.specs.models.layers.recurrent import RecurrentLayer

from ...graph.types import TensorType
from ..equations.cells import CellShapes, Noise
from ..scope import Scope
from ..tensor import Tensor, full
from .normalization import dropout


def with_dropped_features(scope: Scope, prefix: str, name: str, x: Tensor) -> Tensor:
    """An input [T, N, …] with some features of each sequence dropped, the same ones at all its steps."""
    assert isinstance(scope.spec, RecurrentLayer)
    rate = scope.spec.input_dropout
    if scope.mode != "train" or rate == 0:
        return x
    ones = full(x.graph, 1, x.type.with_shape(x.shape[1:]))
    factor = dropout(scope, ones, rate, f"{prefix}input_dropout.{name}")
    return x * factor.broadcast(x.shape, range(1, x.rank))


def recurrent_noise(
    scope: Scope, prefix: str, batch: DimLike, shapes: CellShapes
) -> tuple[Noise, list[Tensor]]:
    """Zoneout and recurrent dropout of a direction: the noise for the cell, and the factors of states in products."""
    spec = scope.spec
    assert isinstance(spec, RecurrentLayer)
    zoneout = {name: spec.zoneout_of(name) for name in shapes.states}
    if scope.mode != "train":
        return Noise(zoneout), []
    dropped = list(shapes.states) if spec.recurrent_dropout else []
    factors = []
    for name in dropped:
        ones = full(scope.graph, 1, TensorType(scope.dtype, (batch, *shapes.states[name])))
        factors.append(dropout(scope, ones, spec.recurrent_dropout, f"{prefix}recurrent_dropout.{name}"))
    keys = {name: scope.key(f"{prefix}zoneout.{name}") for name in shapes.states}
    first = {name: scope.expander.first_element((batch, *shape)) for name, shape in shapes.states.items()}
    return Noise(zoneout, dropped, keys, first), factors
