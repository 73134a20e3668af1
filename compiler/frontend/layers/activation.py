"""Activations, as functions of tensors and as layers."""

from __future__ import annotations

from netwright.specs.models.activations import (
    ActivationSpec,
    Hardmax,
    LogSoftmax,
    Softmax,
)
from netwright.specs.models.layers.activation import ActivationLayer, PRelu

from ...graph.rules import ShapeError
from ...ops.views.layout import show
from ..expansion import Expansion
from ..functions.activation import activate, prelu
from ..scope import Scope, Signal
from ..tensor import broadcast_shapes


def checked_activation(scope: Scope, signal: Signal, activation: ActivationSpec, *path: str) -> Signal:
    """An activation applied to a signal. Raises Problem for an axis that does not exist, is the batch, or is the time
    axis of sequences with lengths."""
    if isinstance(activation, Softmax | LogSoftmax | Hardmax):
        position = activation.axis + signal.rank if activation.axis < 0 else activation.axis
        first = (
            0 if signal.rank and isinstance(signal.shape[0], int) else 1
        )  # nothing is summed over an open batch
        if not first <= position < signal.rank:
            message = f"{activation.type} along axis {activation.axis} of a value with {signal.rank} axes"
            raise scope.problem("NW0318", message, *path, labels=scope.blame(signal))
        if position == 1:
            scope.refuse_lengths(signal, "it would sum over padding", *path)
    return Signal(activate(signal.tensor, activation), signal.origins, signal.lengths)


def expand_activation(scope: Scope) -> Signal:
    """An activation layer."""
    spec = scope.spec
    assert isinstance(spec, ActivationSpec)
    scope.floats(scope.input)
    return checked_activation(scope, scope.input, spec, "axis")


def expand_prelu(scope: Scope) -> Signal:
    """The leaky relu with a learned slope."""
    spec, signal = scope.spec, scope.input
    assert isinstance(spec, PRelu)
    x = scope.floats(signal)
    shape = spec.slope_shape or ((scope.static(signal),) if x.rank else ())
    try:
        fits = broadcast_shapes(x.shape, shape) == x.shape
    except ShapeError:
        fits = False
    if not fits:
        message = f"a slope of {show(shape)} does not broadcast to {show(x.shape)}"
        raise scope.problem("NW0308", message, "slope_shape", labels=scope.blame(signal))
    return scope.give(prelu(x, scope.parameter("slope", shape, spec.slope_init)), signal.lengths)


EXPANSIONS = {
    ActivationLayer: Expansion(expand_activation, honours_lengths=True),
    PRelu: Expansion(expand_prelu, honours_lengths=True),
}
