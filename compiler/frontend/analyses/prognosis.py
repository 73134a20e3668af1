"""Warns of recurrences whose gradient cannot survive, judging by their initial weights alone."""

from __future__ import annotations

import math

import numpy as np

from netwright.specs.dims import Dim
from netwright.specs.models.activations import HardSigmoid, Linear, Relu, Sigmoid, Tanh
from netwright.specs.models.initializers import Identity, Orthogonal
from netwright.specs.models.layers.recurrent import Rnn

from ..expander import Expander
from ..network import Parameter

#: Steps assumed for a sequence of open length, and the gradient's factor after them that counts as lost.
_STEPS, _LOST = 100, 1e-6
#: Of larger matrices only a corner of this size is examined; the radius grows with the square root of the size.
_LARGEST = 128
#: The greatest slope of each activation.
_SLOPES = {Tanh: 1.0, Relu: 1.0, Linear: 1.0, Sigmoid: 0.25, HardSigmoid: 0.2}


def warn_of_gradients(expander: Expander) -> None:
    """Warns of plain recurrences whose gradient vanishes or explodes by construction."""
    for parameter in expander.parameters.values():
        layer = expander.layer(parameter.layer)
        if not isinstance(layer, Rnn) or not parameter.name.endswith("recurrent_kernel"):
            continue
        slope = _SLOPES.get(type(layer.activation))
        if slope is None:
            continue
        radius = _radius(parameter, expander.seed)
        gain = radius * slope
        steps = _steps(expander, layer.name)
        lost = math.log(max(gain, 1e-30)) * steps
        # The slope is an upper bound: a large gain is sure to explode only if the slope is the same everywhere.
        explodes = lost > -math.log(_LOST) and isinstance(layer.activation, Linear)
        if lost > math.log(_LOST) and not explodes:
            continue
        what = "explodes" if explodes else "vanishes"
        left = 10 ** max(min(lost / math.log(10), 99), -99)
        kind = layer.activation.type
        numbers = f"× {gain:.2g} a step, {left:.0e} after {steps} steps"
        message = f"the gradient of {layer.name} {what} by construction: {numbers}"
        key = "activation" if slope < 1 and radius > 0.5 else "recurrent_init"
        label = f"spectral radius {radius:.2g}, slope of {kind} at most {slope:g}"
        help = "recurrent_init: orthogonal with activation: tanh keeps it longer; lstm and gru can learn to"
        if expander.diagnostics is not None:
            span = expander.load.layer_span(layer.name, key)
            expander.diagnostics.warning("NW0609", message, span, label=label, help=help)


def _radius(parameter: Parameter, seed: int) -> float:
    """The spectral radius of a recurrent matrix with its initial values."""
    initializer = parameter.initializers[0]
    if isinstance(initializer, Orthogonal | Identity):
        return abs(initializer.gain)
    matrix = parameter.initial_value(seed)
    units = matrix.shape[-1]
    corner = matrix[:_LARGEST, :_LARGEST].astype(np.float64)
    return float(np.abs(np.linalg.eigvals(corner)).max()) * math.sqrt(units / len(corner))


def _steps(expander: Expander, layer: str) -> int:
    """The most steps that a recurrence's sequences have."""
    ref = expander.load.wiring.inputs[layer][0]
    size = expander.signals[ref].shape[1] if ref in expander.signals else _STEPS
    if isinstance(size, Dim):
        most = expander.ranges.get(str(size), (1, None))[1]
        return _STEPS if most is None else most
    return size
