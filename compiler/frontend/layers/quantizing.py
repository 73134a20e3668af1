"""Fake quantization: rounds numbers to those that a quantized network has."""

from __future__ import annotations

import numpy as np

from netwright.specs.models.initializers import Ones, Zeros
from netwright.specs.models.layers.quantizing import FakeQuantize

from ..expansion import Expansion
from ..functions.arithmetic import clip, rounded
from ..scope import Scope, Signal
from ..tensor import Tensor, constant, full


def expand_fake_quantize(scope: Scope) -> Signal:
    """Quantizes and dequantizes; the gradient bypasses the rounding, and is zero where values are clipped."""
    spec, signal = scope.spec, scope.input
    assert isinstance(spec, FakeQuantize)
    x = scope.floats(signal)
    scale, zero = _numbers(scope, spec, signal)
    least = -(1 << (spec.bits - 1)) if spec.signed else 0
    low, high = (full(x.graph, least + offset, x.type) for offset in (0, (1 << spec.bits) - 1))
    codes = clip(rounded(x / scale) + zero, low, high)
    held = clip(x, (low - zero) * scale, (high - zero) * scale)
    return scope.give(((codes - zero) * scale).apply("straight_through", held), signal.lengths)


def _numbers(scope: Scope, spec: FakeQuantize, signal: Signal) -> tuple[Tensor, Tensor]:
    """The scales and zero points, in the input's shape."""
    x = signal.tensor
    axis = None if spec.axis is None else scope.axis(signal, spec.axis)
    size = None if axis is None else scope.static(signal, axis, "the number of scales")
    axes = [] if axis is None else [axis]
    if spec.scale is None:
        shape = () if size is None else (size,)
        scale = scope.parameter("scale", shape, Ones(), statistic=True, dtype=x.dtype)
        zero = scope.parameter("zero_point", shape, Zeros(), statistic=True, dtype=x.dtype)
        return scale.broadcast(x.shape, axes), zero.broadcast(x.shape, axes)
    tensors = []
    for key, value in (("scale", spec.scale), ("zero_point", spec.zero_point)):
        if not isinstance(value, tuple):
            tensors.append(full(x.graph, value, x.type))
            continue
        if len(value) != size:
            message = f"{len(value)} numbers for {size} cells"
            raise scope.problem("NW0308", message, key, labels=scope.blame(signal, axis or 0))
        tensors.append(constant(x.graph, np.asarray(value, x.dtype)).broadcast(x.shape, axes))
    return tensors[0], tensors[1]


EXPANSIONS = {
    FakeQuantize: Expansion(expand_fake_quantize, honours_lengths=True),
}
