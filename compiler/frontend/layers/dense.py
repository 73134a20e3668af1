"""Dense layers and embeddings."""

from __future__ import annotations

from netwright.specs.models.layers.dense import Dense, Embedding, MatMul

from ...graph.rules import ShapeError
from ..expansion import Expansion
from ..functions.matmul import matmul
from ..problem import count
from ..scope import Scope, Signal
from ..tensor import where
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
        made = matmul(a, b)
        return scope.give(made, scope.stretched_lengths(first, made.shape))
    except ShapeError as error:
        labels = [*scope.blame(first), *scope.blame(second)]
        raise scope.problem("NW0308", str(error), "inputs", 1, labels=labels) from None


EXPANSIONS = {
    Dense: Expansion(expand_dense, honours_lengths=True),
    Embedding: Expansion(expand_embedding, honours_lengths=True),
    MatMul: Expansion(expand_matmul, honours_lengths=True),
}
