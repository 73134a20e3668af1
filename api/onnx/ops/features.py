"""Preprocessing for networks that read the columns of a table: operators of the domain `ai.onnx.ml`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from netwright.specs.dims import Dim

from ..arrange import identity
from ..context import Context
from ..errors import Refusal
from ..operands import Held, Known, Value
from .arranging import with_axes
from .broadcast import equation
from .table import ML_OPS, op


@op("Scaler", attributes="offset scale", since=1, table=ML_OPS)
def scaler(ctx: Context) -> None:
    """(x − offset)·scale, for each feature."""
    value = ctx.settled(ctx.value(0))
    operands: dict[str, Value] = {
        "x": value,
        "o": _numbers(ctx, value, "offset"),
        "s": _numbers(ctx, value, "scale"),
    }
    text = "x" if value.dtype == ctx.writer.dtype else f"cast(x, {ctx.writer.dtype})"
    ctx.give(equation(ctx, f"({text} - o) * s", operands, fallback="scaler"))


def _numbers(ctx: Context, value: Held, name: str) -> Known:
    given = ctx.attribute(name)
    features = value.shape[-1] if value.rank else 1
    if not isinstance(given, tuple) or not all(isinstance(number, float) for number in given):
        raise Refusal("is no list of numbers", name)
    if len(given) != 1 and len(given) != features:
        raise Refusal(f"{len(given)} numbers for {features} features", name)
    array: NDArray = np.asarray(given, ctx.writer.dtype)
    return Known.of(array.reshape(()) if len(given) == 1 else array)


@op("ArrayFeatureExtractor", since=1, table=ML_OPS)
def array_feature_extractor(ctx: Context) -> None:
    """Selects features by their positions."""
    value = ctx.held(0)
    positions = ctx.array(1, "the positions").reshape(-1)
    size = value.shape[-1] if value.rank else 0
    if isinstance(size, Dim) or not len(positions) or ((positions < 0) | (positions >= size)).any():
        raise Refusal(f"positions {positions.tolist()[:8]} among {size} features")
    axis = value.rank - 1
    value = with_axes(ctx, value, [axis])
    keys = {"axis": value.axes.index(axis), "indices": positions.tolist()}
    selected = ctx.held_as(ctx.layer("gather", [value.ref], keys), value.axes, value.rank)
    if value.rank == 1:  # the row of one sample
        ref = ctx.arranged(selected, (None, 0))
        return ctx.give(Held(ref, selected.dtype, (1, len(positions)), identity(2)))
    ctx.give(selected)
