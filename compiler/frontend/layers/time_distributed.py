"""``time_distributed``: every step as a sample, and the inverse."""

from __future__ import annotations

from netwright.specs.dims import product
from netwright.specs.models.layers.time_distributed import JoinSteps, Steps

from ...ops.views.layout import show
from ..expansion import Expansion
from ..scope import Scope, Signal

#: Layer types that use more than one sample at once in training.
_MIXING = ("batch_norm",)


def expand_steps(scope: Scope) -> Signal:
    """`[N, T, *R]` gives `[N·T, *R]`."""
    signal = scope.input
    scope.check_rank(signal, "[N, T, …]", signal.rank >= 2)
    batch, length, *rest = signal.shape
    rows = product((batch, length))
    scope.notes[0] = f"{rows} = {batch} samples · {length} steps"
    for axis, origin in enumerate(signal.origins[2:], 1):
        scope.kept[axis] = origin
    return scope.give(signal.tensor.reshape((rows, *rest)))


def expand_join_steps(scope: Scope) -> Signal:
    """`[N·T, *R]` gives `[N, T, *R]`."""
    values, source = scope.inputs
    batch, length = source.shape[:2]
    if values.rank < 1 or values.shape[0] != product((batch, length)):
        message = f"{show(values.shape)} are not the answers for {product((batch, length))} steps"
        raise scope.problem("NW0308", message, labels=scope.blame(values, 0))
    if source.lengths is not None:
        inside = scope.name.rpartition(".")[0]
        for layer in scope.expander.layers:
            if layer.type in _MIXING and layer.name.startswith(f"{inside}."):
                why = f"{layer.name}, a {layer.type}, would mix steps that exist with padding"
                raise scope.problem(
                    "NW0315", f"time_distributed can't honour the lengths of its input: {why}"
                )
    for axis, origin in enumerate(values.origins[1:], 2):
        scope.kept[axis] = origin
    return scope.give(values.tensor.reshape((batch, length, *values.shape[1:])), source.lengths, like=source)


EXPANSIONS = {
    Steps: Expansion(expand_steps, honours_lengths=True),
    JoinSteps: Expansion(expand_join_steps, honours_lengths=True),
}
