"""Attention as products and a softmax."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from netwright.specs.models.layers.attention import Attending, Attention, MultiHeadAttention

from ..expansion import Expansion
from ..functions.activation import softmax
from ..problem import count
from ..scope import Scope, Signal
from ..tensor import Tensor, iota, where
from .normalization import dropout

#: Used instead of −∞, so that a sequence without any step still has weights.
_LOWEST = -1e30
_NAMES = ("query", "key", "value")


def expand_attention(scope: Scope) -> Mapping[str, Signal]:
    """softmax(scale·q·kᵀ)·v; `[N, T, D]`, `[N, S, D]`, `[N, S, V]` give `[N, T, V]`, and the weights `[N, T, S]`."""
    spec = scope.spec
    assert isinstance(spec, Attention)
    read = _Inputs.of(scope)
    features = scope.features(read.query)
    if read.key.shape[2] != features:
        message = f"the query has {features} features, the key {read.key.shape[2]}"
        labels = [*scope.blame(read.query), *scope.blame(read.key)]
        raise scope.problem("NW0308", message, "inputs", labels=labels)
    scale = 1 / math.sqrt(features) if spec.scale is None else spec.scale
    query, key, value = (scope.floats(signal) for signal in (read.query, read.key, read.value))
    y, weights = _attended(scope, read, query, key, value, scale)
    return read.given(scope, y, weights)


def expand_multi_head_attention(scope: Scope) -> Mapping[str, Signal]:
    """Projections, attention in each head, and a projection of the joined heads."""
    spec = scope.spec
    assert isinstance(spec, MultiHeadAttention)
    read = _Inputs.of(scope)
    heads, key_dim = spec.num_heads, spec.key_dim
    value_dim = spec.value_dim or key_dim
    sizes = {"query": key_dim, "key": key_dim, "value": value_dim}
    projected = []
    for name, signal in zip(_NAMES, (read.query, read.key, read.value), strict=True):
        x = _projected(scope, spec, name, scope.floats(signal), scope.features(signal), heads * sizes[name])
        x = x.reshape((*x.shape[:2], heads, sizes[name]))
        projected.append(x.transpose(0, 2, 1, 3))
    query, key, value = projected
    y, weights = _attended(scope, read, query, key, value, 1 / math.sqrt(key_dim))
    y = y.transpose(0, 2, 1, 3).reshape((*read.query.shape[:2], heads * value_dim))
    units = spec.units or scope.features(read.query)
    y = _projected(scope, spec, "output", y, heads * value_dim, units)
    scope.notes[2] = count(units, "unit")
    return read.given(scope, y, weights)


def _projected(scope: Scope, spec: MultiHeadAttention, name: str, x: Tensor, size: int, units: int) -> Tensor:
    y = x.matmul(scope.parameter(f"{name}_kernel", [size, units], spec.kernel_init))
    return y + scope.parameter(f"{name}_bias", [units], spec.bias_init) if spec.use_bias else y


@dataclass(frozen=True, slots=True)
class _Inputs:
    query: Signal
    key: Signal
    value: Signal

    @classmethod
    def of(cls, scope: Scope) -> _Inputs:
        """The query, key and value among the inputs, however many are written. Raises Problem if shapes disagree."""
        query, *others = scope.inputs
        key = others[0] if others else query
        read = cls(query, key, others[-1] if others else query)
        for signal in scope.inputs:
            scope.check_rank(signal, "[N, T, F]", signal.rank == 3)
        for other, axis, what in (
            (read.key, 0, "samples"),
            (read.value, 0, "samples"),
            (read.value, 1, "steps"),
        ):
            like, name = (query, "query") if axis == 0 else (key, "key")
            if other.shape[axis] != like.shape[axis]:
                message = f"{other.shape[axis]} {what} beside {like.shape[axis]} of the {name}"
                labels = scope.trace((like, axis), (other, axis))
                raise scope.problem("NW0308", message, "inputs", labels=labels)
        if read.value.lengths != key.lengths:
            raise scope.problem("NW0315", "key and value have different lengths", "inputs")
        return read

    def given(self, scope: Scope, y: Tensor, weights: Tensor) -> Mapping[str, Signal]:
        outputs = {"": scope.give(y, self.query.lengths, like=self.query)}
        if "weights" in scope.ports:
            scope.notes.clear()
            outputs["weights"] = scope.give(weights, self.query.lengths if weights.rank == 3 else None)
        return outputs


def _attended(
    scope: Scope, read: _Inputs, query: Tensor, key: Tensor, value: Tensor, scale: float
) -> tuple[Tensor, Tensor]:
    """The attention of `[N, …, T, D]` to `[N, …, S, D]` and `[N, …, S, V]`: its results and its weights."""
    spec = scope.spec
    assert isinstance(spec, Attending)
    last, batch = query.rank - 1, query.rank - 2
    scores = (query * scale).dot(key, [last], [last], batch)
    valid = read.key.valid()
    if valid is not None:
        middle = (1,) * (scores.rank - 2)
        scores = where(valid.reshape((valid.shape[0], *middle, valid.shape[1])), scores, _LOWEST)
        inner = (1,) * (value.rank - 3)
        value = where(valid.reshape((valid.shape[0], *inner, valid.shape[1], 1)), value, 0)
    if spec.causal:
        shape = scores.shape[-2:]
        seen = iota(scores.graph, "int64", shape, 0).compare("ge", iota(scores.graph, "int64", shape, 1))
        scores = where(seen, scores, _LOWEST)
    weights = softmax(scores, -1)
    kept = dropout(scope, weights, spec.dropout, "dropout")
    return kept.dot(value, [last], [batch], batch), weights


EXPANSIONS = {
    Attention: Expansion(expand_attention, honours_lengths=True),
    MultiHeadAttention: Expansion(expand_multi_head_attention, honours_lengths=True),
}
