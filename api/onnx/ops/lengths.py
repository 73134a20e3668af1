"""The lengths of a recurrence's sequences, from operand 4."""

from __future__ import annotations

from dataclasses import replace

from ..arrange import regrouped
from ..context import Context
from ..network import Emptied
from ..operands import Held
from .broadcast import equation


def lengths_of(ctx: Context) -> str:
    """A reference to the lengths."""
    lengths = ctx.held(4)
    layer = ctx.writer.layers.get(lengths.ref)
    if layer is not None and layer.keys.get("value") == "cast(x, int32)":  # ONNX requires them, layers do not
        lengths = replace(
            lengths, ref=layer.inputs[0], dtype=ctx.writer.sketch.type_of(layer.inputs[0]).dtype
        )
    return ctx.arranged(lengths, (0,))


def emptied(ctx: Context, value: Held, start: int, samples: int) -> Held:
    """A last state as runtimes return it: zeros for sequences without steps, which here keep their initial state, the
    operand ``start``. ``samples`` is the axis of the samples.
    """
    if not ctx.has(4):
        return value
    lengths = ctx.held(4)
    shape = tuple(lengths.shape[0] if axis == samples else 1 for axis in range(value.rank))
    counts = regrouped(ctx.writer, lengths, shape, may_merge=False)
    result = equation(ctx, "where(n == 0, 0, h)", {"n": counts, "h": value}, fallback="where")
    ctx.writer.emptied[result] = Emptied(value, lengths.ref, ctx.value(start))
    return result
