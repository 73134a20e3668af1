"""Layers with tables of values: gather reads one by position, constant is one."""

from __future__ import annotations

import numpy as np

from netwright.specs.dims import Shape
from netwright.specs.models.layers.tables import ConstantLayer, Gather

from ...graph.rules import ShapeError
from ...graph.types import FLOATS, TensorType
from ...ops.views.layout import show
from ..expansion import Expansion
from ..origins import Origin
from ..problem import show_type
from ..scope import Scope, Signal
from ..tensor import Tensor, broadcast_shapes, constant, full
from .picking import from_end, pick, take


def expand_gather(scope: Scope) -> Signal:
    """Reads slices by position along an axis."""
    spec, signal = scope.spec, scope.inputs[0]
    assert isinstance(spec, Gather)
    axis = scope.axis(signal, spec.axis, batch=True)
    for operand in scope.inputs:
        if axis < 2:
            scope.refuse_lengths(operand, "it changes batch or time")
    if (spec.indices is None) == (len(scope.inputs) == 1):
        message = "gather reads its indices as a second input, or has them under indices"
        raise scope.problem("NW0306", message)
    if spec.indices is None:
        indices = scope.inputs[1]
        if indices.dtype not in ("int32", "int64", "uint8"):
            message = f"the indices are {show_type(indices.dtype, indices.shape)}, not integers"
            raise scope.problem("NW0311", message, "inputs", 1, labels=scope.blame(indices))
        return scope.give(
            take(signal.tensor, axis, from_end(indices.tensor, signal.shape[axis])), signal.lengths
        )
    return scope.give(_picked(scope, signal, axis, np.asarray(spec.indices)), signal.lengths)


def _picked(scope: Scope, signal: Signal, axis: int, indices: np.ndarray) -> Tensor:
    if indices.dtype.kind != "i":
        raise scope.problem("NW0311", "the indices are whole numbers", "indices")
    size = signal.shape[axis]
    x = signal.tensor
    if not isinstance(size, int):
        least = scope.least(size) or 0
        if indices.min() < -least or indices.max() >= least:
            message = f"index {indices.max()} of an axis of {size}, which may be as short as {least}"
            raise scope.problem("NW0204", message, "indices", labels=scope.blame(signal, axis))
        return take(x, axis, from_end(constant(x.graph, indices.astype(np.int64)), size))
    wrong = indices[(indices < -size) | (indices >= size)]
    if wrong.size:
        message = f"index {wrong.flat[0]} of an axis of {size}"
        raise scope.problem("NW0204", message, "indices", labels=scope.blame(signal, axis))
    rows = pick(x, axis, np.where(indices < 0, indices + size, indices).ravel().tolist())
    return rows.reshape((*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]))


def expand_constant(scope: Scope) -> Signal:
    """Numbers of the spec, or an array kept with the weights."""
    spec = scope.spec
    assert isinstance(spec, ConstantLayer)
    dtype = spec.dtype or scope.dtype
    shape = None if spec.shape is None else scope.shape(spec.shape)
    if spec.value is None:
        assert shape is not None
        tensor = _kept(scope, spec, shape, dtype)
    else:
        tensor = _written(scope, spec, shape, dtype)
    origin = Origin(spec.name, f"is {show(tensor.shape)}")
    return Signal(tensor, (origin,) * tensor.rank)


def _kept(scope: Scope, spec: ConstantLayer, shape: Shape, dtype: str) -> Tensor:
    static = [size for size in shape if isinstance(size, int)]
    if len(static) != len(shape):
        raise scope.problem("NW0314", "an array kept with the weights has a known shape", "shape")
    if spec.trainable and dtype != scope.dtype:
        message = f"what is learned is {scope.dtype}, not {dtype}"
        raise scope.problem("NW0311", message, "dtype")
    return scope.parameter("value", static, spec.init, statistic=not spec.trainable, dtype=dtype)


def _written(scope: Scope, spec: ConstantLayer, shape: Shape | None, dtype: str) -> Tensor:
    array = np.asarray(spec.value)
    if dtype not in FLOATS and dtype != "bool" and (array != np.trunc(array)).any():
        raise scope.problem("NW0311", f"the value is no {dtype}", "value")
    array = array.astype(dtype)
    if shape is None:
        return constant(scope.graph, array)
    if array.ndim == 0:
        return full(scope.graph, array.item(), TensorType(dtype, shape))
    try:
        if broadcast_shapes(array.shape, shape) != shape:
            raise ShapeError(f"{show(array.shape)} does not broadcast to {show(shape)}")
        return constant(scope.graph, array).to(shape)
    except ShapeError as error:
        raise scope.problem("NW0308", str(error), "shape") from None


EXPANSIONS = {
    Gather: Expansion(expand_gather, honours_lengths=True),
    ConstantLayer: Expansion(expand_constant, honours_lengths=True),
}
