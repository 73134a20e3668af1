"""Normalizations by statistics of each sample: layer, rms, group, instance, local response, norms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from netwright.specs.models.layers.statistics import (
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    LocalResponseNorm,
    LpNorm,
    MeanVarianceNorm,
    RmsNorm,
)

from ...ops.windows.reduce_window import ReduceWindowAttributes
from ..expansion import Expansion
from ..functions.arithmetic import constant_power
from ..scope import Scope, Signal
from ..tensor import Tensor, full, where


def normalized(x: Tensor, axes: Sequence[int], epsilon: float) -> tuple[Tensor, Tensor, Tensor]:
    """(x − mean) / sqrt(variance + epsilon), the mean, and 1 / sqrt(variance + epsilon); statistics keep the axes."""
    mean = x.mean(axes, keep=True)
    centered = x - mean
    inverse = 1 / ((centered * centered).mean(axes, keep=True) + epsilon).sqrt()
    return centered * inverse, mean, inverse


def _last_axes(scope: Scope, axis: int) -> tuple[list[int], list[int]]:
    """The normalized axes of layer and rms norm, and their sizes."""
    signal = scope.input
    if axis == -1:
        return [signal.rank - 1], [scope.features(signal)]
    first = scope.axis(signal, axis)
    if first < 2:
        scope.refuse_lengths(signal, "it would count padding", "axis")
    axes = list(range(first, signal.rank))
    return axes, [scope.static(signal, axis, "a normalized size") for axis in axes]


def expand_layer_norm(scope: Scope) -> Mapping[str, Signal]:
    """Normalizes by mean and biased variance over the last axes (Ba, Kiros and Hinton, 2016)."""
    spec, lengths = scope.spec, scope.input.lengths
    assert isinstance(spec, LayerNorm)
    axes, shape = _last_axes(scope, spec.axis)
    y, mean, inverse = normalized(scope.floats(scope.input), axes, spec.epsilon)
    result = scope.give(_affine(scope, y, shape), lengths)
    return {"": result, "mean": scope.give(mean, lengths), "inv_stddev": scope.give(inverse, lengths)}


def _affine(scope: Scope, y: Tensor, shape: Sequence[int]) -> Tensor:
    """gamma·y + beta, each only if the layer has it."""
    spec = scope.spec
    assert isinstance(spec, LayerNorm | GroupNorm | InstanceNorm)
    if spec.scale:
        y = y * scope.parameter("gamma", shape, spec.gamma_init)
    if spec.center:
        y = y + scope.parameter("beta", shape, spec.beta_init)
    return y


def expand_rms_norm(scope: Scope) -> Signal:
    """Divides by the root of the mean square over the last axes."""
    spec = scope.spec
    assert isinstance(spec, RmsNorm)
    axes, shape = _last_axes(scope, spec.axis)
    x = scope.floats(scope.input)
    y = x * (1 / ((x * x).mean(axes, keep=True) + spec.epsilon).sqrt())
    if spec.scale:
        y = y * scope.parameter("gamma", shape, spec.gamma_init)
    return scope.give(y, scope.input.lengths)


def expand_group_norm(scope: Scope) -> Signal:
    """Normalizes within each group of channels of each sample."""
    spec, signal = scope.spec, scope.input
    assert isinstance(spec, GroupNorm)
    scope.check_rank(signal, "[N, …, C]", signal.rank >= 2)
    channels = scope.static(signal)
    if channels % spec.groups:
        message = f"{channels} channels do not divide into {spec.groups} groups"
        raise scope.problem("NW0308", message, "groups", labels=scope.blame(signal))
    x = scope.floats(signal)
    grouped = x.reshape((*x.shape[:-1], spec.groups, channels // spec.groups))
    y, _, _ = normalized(grouped, [*range(1, x.rank - 1), x.rank], spec.epsilon)
    return scope.give(_affine(scope, y.reshape(x.shape), [channels]))


def expand_instance_norm(scope: Scope) -> Signal:
    """Normalizes within each channel of each sample."""
    spec, signal = scope.spec, scope.input
    assert isinstance(spec, InstanceNorm)
    scope.check_rank(signal, "[N, …, C]", signal.rank >= 3)
    x = scope.floats(signal)
    y, _, _ = normalized(x, range(1, x.rank - 1), spec.epsilon)
    return scope.give(_affine(scope, y, [scope.static(signal)]))


def expand_local_response_norm(scope: Scope) -> Signal:
    """Divides by a power of the squares of neighbouring channels."""
    spec, signal = scope.spec, scope.input
    assert isinstance(spec, LocalResponseNorm)
    scope.check_rank(signal, "[N, …, C]", signal.rank >= 2)
    scope.static(signal)
    x = scope.floats(signal)
    before = (spec.size - 1) // 2
    none = [0] * (x.rank - 1)
    padded = (x * x).pad([*none, before], [*none, spec.size - 1 - before])
    ones = (1,) * (x.rank - 1)
    attrs = ReduceWindowAttributes("sum", (*ones, spec.size), (*ones, 1))
    total = padded.apply("reduce_window", attrs=attrs) * (spec.alpha / spec.size) + spec.bias
    return scope.give(x * constant_power(total, -spec.beta), signal.lengths)


def expand_lp_norm(scope: Scope) -> Signal:
    """Divides by the norm along an axis."""
    spec, signal = scope.spec, scope.input
    assert isinstance(spec, LpNorm)
    axis = scope.axis(signal, spec.axis, batch=True)
    if axis < 2:
        scope.refuse_lengths(signal, "it would count padding", "axis")
    x = scope.floats(signal)
    norm = x.abs().sum([axis], keep=True) if spec.p == 1 else (x * x).sum([axis], keep=True).sqrt()
    zero = norm.compare("eq", 0)
    return scope.give(
        where(zero, full(x.graph, 0, x.type), x / where(zero, full(x.graph, 1, norm.type), norm)),
        signal.lengths,
    )


def expand_mean_variance_norm(scope: Scope) -> Signal:
    """Subtracts the mean over axes, and divides by the standard deviation."""
    spec, signal = scope.spec, scope.input
    assert isinstance(spec, MeanVarianceNorm)
    axes = sorted({scope.axis(signal, axis, batch=True) for axis in spec.axes or range(signal.rank - 1)})
    if any(axis < 2 for axis in axes):
        scope.refuse_lengths(signal, "it would count padding", "axes")
    x = scope.floats(signal)
    centered = x - x.mean(axes, keep=True)
    deviation = (centered * centered).mean(axes, keep=True).sqrt()
    return scope.give(centered / (deviation + spec.epsilon), signal.lengths)


EXPANSIONS = {
    LayerNorm: Expansion(expand_layer_norm, honours_lengths=True),
    RmsNorm: Expansion(expand_rms_norm, honours_lengths=True),
    GroupNorm: Expansion(expand_group_norm),
    InstanceNorm: Expansion(expand_instance_norm),
    LocalResponseNorm: Expansion(expand_local_response_norm, honours_lengths=True),
    LpNorm: Expansion(expand_lp_norm, honours_lengths=True),
    MeanVarianceNorm: Expansion(expand_mean_variance_norm, honours_lengths=True),
}
