"""Batch normalization, dropout and preprocessing (rescale, standardize)."""

from __future__ import annotations

import numpy as np

from netwright.specs.models.initializers import Ones, Zeros
from netwright.specs.models.layers.normalization import BatchNorm, Dropout, Rescale, Standardize

from ...ops.random.random_bits import RandomBitsAttributes
from ..expansion import Expansion
from ..functions.selection import kept_of
from ..scope import Scope, Signal
from ..tensor import Tensor, constant, where


def expand_batch_norm(scope: Scope) -> Signal:
    """In training, normalizes by the mean and biased variance of the batch's valid steps, and updates the running
    statistics; in prediction, or where these are frozen, normalizes by them (Ioffe and Szegedy, 2015)."""
    spec, signal = scope.spec, scope.input
    assert isinstance(spec, BatchNorm)
    size = [scope.features(signal)]
    x = scope.floats(signal)
    gamma = scope.parameter("gamma", size, spec.gamma_init) if spec.scale else None
    beta = scope.parameter("beta", size, spec.beta_init) if spec.center else None
    mean = scope.parameter("mean", size, Zeros(), statistic=True)
    variance = scope.parameter("variance", size, Ones(), statistic=True)
    if scope.mode == "train" and not (scope.frozen("mean") or scope.frozen("variance")):
        old = {"mean": scope.current("mean") or mean, "variance": scope.current("variance") or variance}
        mean, variance = _moments(signal, x)
        for name, value in (("mean", mean), ("variance", variance)):
            scope.update(name, old[name] * spec.momentum + value * (1 - spec.momentum))
        y = (x - mean) * (_gain(gamma, variance, spec.epsilon))
        return scope.give(y if beta is None else y + beta, signal.lengths)
    gain = _gain(gamma, variance, spec.epsilon)
    shift = -mean * gain if beta is None else beta - mean * gain
    return scope.give(x * gain + shift, signal.lengths)


def _gain(gamma: Tensor | None, variance: Tensor, epsilon: float) -> Tensor:
    deviation = (variance + epsilon).sqrt()
    return 1 / deviation if gamma is None else gamma / deviation


def _moments(signal: Signal, x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and biased variance of each channel over all other axes, for the steps that exist."""
    axes = range(signal.rank - 1)
    valid = signal.valid_like()
    if valid is None:
        mean = x.mean(axes)
        centered = x - mean
        return mean, (centered * centered).mean(axes)
    count = valid.cast(x.dtype).sum(axes).maximum(1)
    mean = where(valid, x, 0).sum(axes) / count
    centered = where(valid, x - mean, 0)
    return mean, (centered * centered).sum(axes) / count


def expand_dropout(scope: Scope) -> Signal:
    """Inverted dropout in training; the identity otherwise."""
    assert isinstance(scope.spec, Dropout)
    x = scope.floats(scope.input)
    return scope.give(dropout(scope, x, scope.spec.rate), scope.input.lengths)


def dropout(scope: Scope, x: Tensor, rate: float, below: str = "", *, time_first: bool = False) -> Tensor:
    """Each element 0 with probability ``rate``, else divided by 1 − rate (Srivastava et al., 2014).

    An element is dropped where the high 24 of its 32 random bits are below rate·2²⁴. The stream is that of
    the layer's path, the counter the update and the element, counted with the batch first.
    """
    if scope.mode != "train" or rate == 0:
        return x
    shape = (x.shape[1], x.shape[0], *x.shape[2:]) if time_first else x.shape
    attrs = RandomBitsAttributes(scope.key(below), shape, scope.expander.first_element(shape))
    bits = scope.step().apply("random_bits", attrs=attrs)
    kept = kept_of(bits.swap_leading() if time_first else bits, rate)
    return where(kept, x * (1 / (1 - rate)), 0)


def expand_rescale(scope: Scope) -> Signal:
    """x·scale + offset, as float."""
    spec = scope.spec
    assert isinstance(spec, Rescale)
    x = scope.as_floats(scope.input)
    x = x * spec.scale if spec.scale != 1 else x
    return scope.give(x + spec.offset if spec.offset else x, scope.input.lengths)


def expand_standardize(scope: Scope) -> Signal:
    """(x − mean) / stddev per channel, with constants from the spec or fitted ones."""
    spec, signal = scope.spec, scope.input
    assert isinstance(spec, Standardize)
    size = scope.features(signal)
    x = scope.as_floats(signal)
    if spec.fitted:
        scope.expander.fitted[scope.owner] = Signal(x, signal.origins, signal.lengths)
        mean = scope.parameter("mean", [size], Zeros(), statistic=True)
        stddev = scope.parameter("stddev", [size], Ones(), statistic=True)
    else:
        mean, stddev = _constant(scope, "mean", size), _constant(scope, "stddev", size)
    return scope.give((x - mean) / stddev, signal.lengths)


def _constant(scope: Scope, key: str, size: int) -> Tensor:
    values = getattr(scope.spec, key)
    if isinstance(values, tuple) and len(values) != size:
        message = f"{len(values)} values for {size} channels"
        raise scope.problem("NW0308", message, key, labels=scope.blame(scope.input))
    return constant(scope.graph, np.broadcast_to(np.asarray(values, scope.dtype), (size,)))


EXPANSIONS = {
    BatchNorm: Expansion(expand_batch_norm, honours_lengths=True),
    Dropout: Expansion(expand_dropout, honours_lengths=True),
    Rescale: Expansion(expand_rescale, honours_lengths=True),
    Standardize: Expansion(expand_standardize, honours_lengths=True),
}
