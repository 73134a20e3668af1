"""Reductions over axes, and positions of extreme values."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from netwright.specs.dims import product
from netwright.specs.models.layers.reduction import Argmax, Argmin, Reduce

from ...graph.graph import Graph
from ...graph.types import FLOATS, TensorType
from ..expansion import Expansion
from ..functions.scanning import operand, scan
from ..scope import Scope, Signal
from ..tensor import Tensor, dim_value, full, where

#: The most factors that are multiplied one by one; with more, a scan multiplies them.
MOST_FACTORS = 8

_FLOATS_ONLY = ("mean", "l2", "log_sum", "log_sum_exp")


def expand_reduce(scope: Scope) -> Signal:
    """Reduces axes to one number each."""
    spec, signal = scope.spec, scope.input
    assert isinstance(spec, Reduce)
    axes = sorted({scope.axis(signal, axis, batch=True) for axis in spec.axes or range(signal.rank)})
    if any(axis < 2 for axis in axes):
        scope.refuse_lengths(signal, "it would count padding", "axes")
    x = signal.tensor
    if x.dtype == "bool":
        if spec.op not in ("max", "min"):
            raise scope.problem("NW0311", f"the {spec.op} of truth values", "op", labels=scope.blame(signal))
        x = x.cast("int32")
    if spec.op in _FLOATS_ONLY:
        x = scope.floats(signal)
    y = reduced(x, spec.op, axes)
    if spec.keepdims:
        y = y.reshape(tuple(1 if axis in axes else size for axis, size in enumerate(signal.shape)))
    result = scope.give(y.cast("bool") if signal.dtype == "bool" else y, signal.lengths)
    return result if spec.keepdims else _without(result, signal, axes)


def _without(result: Signal, signal: Signal, axes: Sequence[int]) -> Signal:
    origins = tuple(origin for axis, origin in enumerate(signal.origins) if axis not in axes)
    return Signal(result.tensor, origins, result.lengths)


def reduced(x: Tensor, op: str, axes: Sequence[int]) -> Tensor:
    """``op`` as in layer ``reduce``; the axes are removed."""
    match op:
        case "sum" | "max" | "min":
            return x.reduce(op, axes)
        case "mean":
            return x.mean(axes)
        case "prod":
            return multiplied(x, axes)
        case "l1":
            return (x if x.dtype == "uint8" else x.abs()).sum(axes)
        case "sum_square":
            return (x * x).sum(axes)
        case "l2":
            return (x * x).sum(axes).sqrt()
        case "log_sum":
            return x.sum(axes).log()
    return log_sum_exp(x, axes)


def log_sum_exp(x: Tensor, axes: Sequence[int]) -> Tensor:
    """m + log Σ exp(x − m), where m is the maximum (0 if that is infinite)."""
    top = x.reduce("max", axes, keep=True).detached()
    finite = top.abs().compare("lt", float("inf"))
    m = where(finite, top, full(x.graph, 0, top.type))
    total = (x - m).exp().sum(axes)
    return total.log() + m.reshape(total.shape)


def multiplied(x: Tensor, axes: Sequence[int]) -> Tensor:
    """The product over axes: factor by factor, or as a scan if there are many."""
    kept = [axis for axis in range(x.rank) if axis not in axes]
    shape = tuple(x.shape[axis] for axis in kept)
    length = product(x.shape[axis] for axis in axes)
    factors = x.transpose(*axes, *kept).reshape((length, *shape)) if axes else x.reshape((1, *shape))
    if isinstance(length, int) and 1 <= length <= MOST_FACTORS:
        return reduce(Tensor.__mul__, [factors.take(0, i) for i in range(length)])
    body = Graph("prod")
    type = TensorType(x.dtype, shape)
    total, factor = operand(body, "total", type), operand(body, "factor", type)
    body.set_output("total", (total * factor).value)
    (last,) = scan(body, length, [], [full(x.graph, 1, type)], [factors])
    return last


def expand_argmax(scope: Scope) -> Signal:
    """The position of the largest or smallest value, int64."""
    spec, signal = scope.spec, scope.input
    assert isinstance(spec, Argmax)
    axis = scope.axis(signal, spec.axis)
    if axis == 1:
        scope.refuse_lengths(signal, "it would search padding too", "axis")
    if signal.dtype == "bool":
        message = f"{spec.type} reads numbers, not bool"
        raise scope.problem("NW0311", message, labels=scope.blame(signal))
    x = signal.tensor
    if isinstance(spec, Argmin):
        x = -(x if x.dtype in FLOATS or x.dtype == "int64" else x.cast("int64"))
    position = (x.reverse(axis) if spec.last else x).argmax(axis)
    if spec.last:
        end = x.shape[axis] - 1
        last = full(x.graph, end, position.type) if isinstance(end, int) else dim_value(x.graph, end, "int64")
        position = last.to(position.shape) - position
    if spec.keepdims:
        shape = tuple(1 if i == axis else size for i, size in enumerate(signal.shape))
        return scope.give(position.reshape(shape), signal.lengths)
    return _without(Signal(position, (), signal.lengths), signal, [axis])


EXPANSIONS = {
    Argmax: Expansion(expand_argmax, honours_lengths=True),
    Reduce: Expansion(expand_reduce, honours_lengths=True),
}
