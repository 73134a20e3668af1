"""Unrolls a loop with a known number of steps."""

from __future__ import annotations

from ..context import Context
from ..errors import Refusal
from ..listing import stacked
from ..operands import Value
from .iteration import Iteration

#: The most steps that are unrolled, and the most nodes that this may give.
LONGEST, MOST = 256, 20_000


def unroll(ctx: Context, loop: Iteration, count: int) -> None:
    """The results of ``count`` steps. Raises Refusal for too many nodes, and for missing values."""
    if count * len(loop.body.nodes) > MOST:
        raise Refusal(f"{count} steps of {len(loop.body.nodes)} nodes are too many to unroll")
    values: list[Value] = [ctx.value(state.operand) for state in loop.states]
    given: list[list[Value]] = [[] for _ in loop.given]
    for step in reversed(range(count)) if loop.reverse else range(count):
        read = [_gathered(ctx, read.value, read.time, step) for read in loop.reads]
        results = ctx.conversion.inlined(loop.body, [*values, *read], loop.known(step))
        for old, new in zip(values, results, strict=False):
            if old.shape != new.shape or old.dtype != new.dtype:
                raise Refusal(f"a state of shape {_text(old)} becomes one of shape {_text(new)}")
        values = results[: len(values)]
        for row, value in zip(given, results[len(values) :], strict=True):
            row.append(value)
    for state, value in zip(loop.states, values, strict=True):
        ctx.give(value, state.output)
    for sequence, row in zip(loop.given, given, strict=True):
        if ctx.wants(sequence.output):
            ctx.give(stacked(ctx, row[::-1] if loop.reverse else row, sequence.time), sequence.output)


def _text(value: Value) -> str:
    return f"[{', '.join(map(str, value.shape))}]"


def _gathered(ctx: Context, value: Value, axis: int, step: int) -> Value:
    """One step of a value."""
    return ctx.conversion.operation("Gather", [value, step], axis=axis)
