"""Weights of recurrences that are computed at run time, brought into the order that layers use."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..arrange import identity
from ..context import Context
from ..errors import Refusal
from .broadcast import equation


def shape_of(ctx: Context, position: int) -> NDArray:
    """An array of an operand's shape that takes no memory. Raises Refusal for an open shape."""
    sizes = [size for size in ctx.shape(position) if isinstance(size, int)]
    if len(sizes) < len(ctx.shape(position)):
        raise Refusal(
            f"operand {position} is {[str(size) for size in ctx.shape(position)]}, its sizes are open"
        )
    return np.broadcast_to(np.float32(0), sizes)


def computed_weights(
    ctx: Context, order: Sequence[int], direction: int, units: int, *, joined: bool
) -> dict[str, str]:
    """References to the parameters of one direction: kernels [gates·H, …] transposed, with the gates in ``order``; the
    two biases added if the layer has a ``joined`` one.
    """
    rows = np.concatenate([np.arange(units) + gate * units for gate in order])
    weights = {}
    for name, position in (("kernel", 1), ("recurrent_kernel", 2)):
        part = _picked(ctx, _direction(ctx, position, direction), rows)
        weights[name] = ctx.writer.transposed(part, (1, 0))
    if ctx.has(3):
        both = _direction(ctx, 3, direction)
        first, second = (_picked(ctx, both, rows + half * len(rows)) for half in range(2))
        if joined:
            operands = {name: ctx.held_as(ref, (0,)) for name, ref in (("a", first), ("b", second))}
            weights["bias"] = equation(ctx, "a + b", operands, fallback="bias").ref
        else:
            weights |= {"bias": first, "recurrent_bias": second}
    return weights


def _direction(ctx: Context, position: int, direction: int) -> str:
    """The part of an operand for one direction."""
    value = ctx.held(position)
    ref = ctx.arranged(value, identity(value.rank))
    return ctx.layer("gather", [ref], {"axis": 0, "indices": direction})


def _picked(ctx: Context, ref: str, rows: NDArray) -> str:
    """Some rows, in a given order."""
    size = ctx.writer.sketch.type_of(ref).shape[0]
    if len(rows) == size and (rows == np.arange(len(rows))).all():
        return ref
    return ctx.layer("gather", [ref], {"axis": 0, "indices": rows.tolist()})
