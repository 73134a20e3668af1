"""Converts a loop to a recurrent layer if a cell can have its body, and otherwise unrolls it."""

from __future__ import annotations

from ..context import Context
from ..errors import Refusal
from .iteration import Iteration
from .recurrence import recur
from .unrolling import LONGEST, unroll


def run(ctx: Context, loop: Iteration) -> None:
    """The results of a loop. Raises Refusal with the reason why its body is no cell, if unrolling fails as well."""
    try:
        return recur(ctx, loop)
    except Refusal as refusal:
        reason = refusal
    if not isinstance(loop.count, int):
        why = f"{reason.reason}; unrolling it needs a known number of steps, not {loop.count}"
        raise Refusal(why, mismatches=reason.mismatches)
    if not 0 < loop.count <= LONGEST or loop.batched:
        raise reason
    unroll(ctx, loop, loop.count)
    title = ctx.node.path or ctx.node.title
    ctx.writer.notes.append(f"{title}: its {loop.count} steps are written out: {reason.reason}")
