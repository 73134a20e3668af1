"""Dense layers and embeddings."""

from __future__ import annotations

from netwright.specs.models.layers.dense import Dense, Embedding, MatMul

from ...graph.rules import ShapeError
from ...ops.layout import show
from ..equations.tensor import Tensor, broadcast_shapes, where
from ..expansion import Expansion
from ..problem import count
from ..scope import Scope, Signal
from .activation import checked_activation


def expand_dense(scope: Scope) -> Signal:
    """activation(x @ kernel + bias) on the last axis."""
    spec = scope.spec
    assert isinstance(spec, Dense)
    features = scope.features(scope.input)
    x = scope.floats(scope.input)
    y = x.matmul(scope.parameter("kernel", [features, spec.units], spec.kernel_init))
    if spec.use_bias:
        y = y + scope.parameter("bias", [spec.units], spec.bias_init)
    scope.notes[y.rank - 1] = count(spec.units, "unit")
    return checked_activation(scope, scope.give(y, scope.input.lengths), spec.activation, "activation")


def expand_embedding(scope: Scope) -> Signal:
    """Rows of a table by index."""
    spec = scope.spec
    assert isinstance(spec, Embedding)
    x, valid = scope.input.tensor, scope.input.valid()
    if x.dtype not in ("int32", "int64", "uint8"):
        message = f"embedding reads integers, this is {x.dtype}"
        raise scope.problem("NW0311", message, labels=scope.blame(scope.input))
    table = scope.parameter("embeddings", [spec.input_dim, spec.output_dim], spec.embeddings_init)
    indices = x.cast("int64")
    if valid is not None:  # padding may hold any number, such as -1
        indices = where(valid.broadcast(x.shape, [0, 1]), indices, 0)
    rows = table.gather(indices)
    scope.notes[rows.rank - 1] = f"rows of {spec.output_dim}"
    return scope.give(rows, scope.input.lengths)


def matmul(a: Tensor, b: Tensor) -> Tensor:
    """NumPy's matmul. Raises ShapeError."""
    if min(a.rank, b.rank) < 1:
        raise ShapeError(f"{show(a.shape)} @ {show(b.shape)}: a number is no matrix")
    row, column = a.rank == 1, b.rank == 1
    if a.shape[-1] != b.shape[0 if column else -2]:
        sizes = f"{a.shape[-1]} is not {b.shape[0 if column else -2]}"
        raise ShapeError(f"{show(a.shape)} @ {show(b.shape)}: {sizes}")
    if column:
        return a.dot(b, [a.rank - 1], [0])
    if all(size == 1 for size in b.shape[:-2]):  # one matrix for all
        shape = (*broadcast_shapes(a.shape[:-2], b.shape[:-2]), *a.shape[-2:-1], b.shape[-1])
        return a.matmul(b.reshape(b.shape[-2:])).reshape(shape)
    if row:
        return a.dot(b, [0], [b.rank - 2])
    batch = broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a, b = a.to((*batch, *a.shape[-2:])), b.to((*batch, *b.shape[-2:]))
    return a.dot(b, [len(batch) + 1], [len(batch)], len(batch))


def expand_matmul(scope: Scope) -> Signal:
    """The matrix product of two inputs."""
    first, second = scope.inputs
    for signal in scope.inputs:
        if signal.rank < 3 or signal is second:
            scope.refuse_lengths(signal, "it sums over the steps")
    if first.dtype != second.dtype:
        message = f"matmul of {first.dtype} and {second.dtype}"
        raise scope.problem("NW0311", message, "inputs", 1, labels=scope.blame(second))
    a, b = scope.floats(first), scope.floats(second)
    try:
        return scope.give(matmul(a, b), first.lengths)
    except ShapeError as error:
        labels = [*scope.blame(first), *scope.blame(second)]
        raise scope.problem("NW0308", str(error), "inputs", 1, labels=labels) from None


EXPANSIONS = {
    Dense: Expansion(expand_dense, honours_lengths=True),
    Embedding: Expansion(expand_embedding, honours_lengths=True),
    MatMul: Expansion(expand_matmul, honours_lengths=True),
}
