"""Operators that read and write cells at computed positions, and those that compute positions."""

from __future__ import annotations

import numpy as np

from netwright.specs.dims import Dim, product

from ..arrange import identity, regrouped
from ..context import Context
from ..errors import Refusal
from ..fold import checked_axis
from ..network import written
from ..operands import Held, Known
from ..tensors import DTYPES, HELD_AS, network_dtype
from .broadcast import equation
from .table import op

_REDUCTIONS = {"none": "set", "add": "add", "mul": "mul", "max": "max", "min": "min"}


def unleading(rank: int, axis: int) -> tuple[int | None, ...]:
    """The logical order, preceded by an axis of size 1 if the operation is along the first axis: layers keep samples
    apart.
    """
    return identity(rank) if axis else (None, *identity(rank))


def _positions(ctx: Context, position: int = 1) -> Held:
    value = ctx.held(position)
    if value.dtype not in ("int32", "int64"):
        raise Refusal(f"the positions are {value.dtype}")
    return value


@op("GatherElements", attributes="axis", since=11)
def gather_elements(ctx: Context) -> None:
    """Each cell of the result is read at its own position along an axis."""
    value, positions = ctx.held(0), _positions(ctx)
    axis = ctx.axis(0, value.rank)
    if positions.rank != value.rank:
        raise Refusal(f"positions of {positions.rank} axes for an operand of {value.rank}")
    order = unleading(value.rank, axis)
    refs = [ctx.arranged(operand, order) for operand in (value, positions)]
    ref = ctx.layer("gather_elements", refs, {"axis": order.index(axis)})
    ctx.give(ctx.held_as(ref, order, value.rank))


@op("GatherND", attributes="batch_dims", since=11)
def gather_nd(ctx: Context) -> None:
    """Slices at positions in several axes."""
    value, positions = ctx.held(0), _positions(ctx)
    batch = ctx.integer("batch_dims", 0)
    refs = [ctx.arranged(operand, identity(operand.rank)) for operand in (value, positions)]
    ref = ctx.layer("gather_nd", refs, {"batch_axes": batch} if batch else None)
    rank = len(ctx.writer.sketch.type_of(ref).shape)
    ctx.give(ctx.held_as(ref, identity(rank) or (None,), rank))


@op("ScatterElements", "Scatter", attributes="axis reduction", since=9)
def scatter_elements(ctx: Context) -> None:
    """Cells are written at their own positions along an axis."""
    value, positions, updates = ctx.held(0), _positions(ctx), ctx.held(2)
    axis = ctx.axis(0, value.rank)
    if positions.rank != value.rank or updates.shape != positions.shape:
        raise Refusal(f"positions {_shown(positions)} and updates {_shown(updates)} for {_shown(value)}")
    order = unleading(value.rank, axis)
    refs = [ctx.arranged(operand, order) for operand in (value, positions, updates)]
    ref = ctx.layer("scatter_elements", refs, {"axis": order.index(axis), **_reduction(ctx)})
    ctx.give(ctx.held_as(ref, order, value.rank))


@op("ScatterND", attributes="reduction", since=11)
def scatter_nd(ctx: Context) -> None:
    """Slices written at positions in several axes."""
    values = [ctx.held(0), _positions(ctx), ctx.held(2)]
    refs = [ctx.arranged(value, identity(value.rank)) for value in values]
    ref = ctx.layer("scatter_nd", refs, _reduction(ctx))
    ctx.give(ctx.held_as(ref, identity(values[0].rank)))


def _reduction(ctx: Context) -> dict[str, str]:
    word = ctx.text("reduction", "none", *_REDUCTIONS)
    return {} if word == "none" else {"reduction": _REDUCTIONS[word]}


def _shown(value: Held) -> str:
    return f"[{', '.join(map(str, value.shape))}]"


@op("TopK", attributes="axis k largest sorted", since=1)
def top_k(ctx: Context) -> None:
    """The largest or smallest values along an axis, sorted, and their positions."""
    value = ctx.held(0)
    axis = ctx.axis(-1, value.rank)
    k = ctx.sizes(1, "how many are picked")[0] if ctx.has(1) else ctx.integer("k", 0)
    if isinstance(k, int) and k < 1:
        raise Refusal(f"the {k} largest")
    keys: dict = {"k": written(k)}
    order = value.axes if axis in value.axes and value.axes.index(axis) else unleading(value.rank, axis)
    keys |= {"axis": order.index(axis)} | ({} if ctx.integer("largest", 1) else {"largest": False})
    ports = ["values", "indices"]
    ref = ctx.layer("top_k", [ctx.arranged(value, order)], keys, ports=ports)
    for position, port in enumerate(ports):
        ctx.give(ctx.held_as(f"{ref}.{port}" if position else ref, order, value.rank), position)


@op("OneHot", attributes="axis", since=9)
def one_hot(ctx: Context) -> None:
    """One-hot encoding: an axis for each whole number with one value in its cell and another one elsewhere."""
    value = ctx.held(0)
    if value.dtype not in ("int32", "int64", "uint8"):
        value = equation(ctx, "cast(x, int64)", {"x": value}, fallback="cast")
    depth = ctx.known(1)
    if depth is not None and depth.dtype.kind == "f":
        depth = depth.astype(np.int64)
    size = (
        ctx.sizes(1, "the depth")[0] if depth is None or depth.dtype == object else int(depth.reshape(-1)[0])
    )
    choices = ctx.array(2, "the values")
    if choices.size != 2 or (isinstance(size, int) and size < 1):
        raise Refusal(f"{choices.size} values, a depth of {size}")
    dtype = ctx.dtype(2)
    if dtype in HELD_AS:
        dtype = HELD_AS[dtype]
    axis = ctx.axis(-1, value.rank + 1)
    off, on = (choice.item() for choice in choices.reshape(-1))
    keys: dict = {"depth": written(size), "axis": axis}
    keys |= {key: number for key, number, usual in (("on", on, 1), ("off", off, 0)) if number != usual}
    keys = {
        key: float(number) if key in ("on", "off") and dtype.startswith("float") else number
        for key, number in keys.items()
    }
    if dtype != ctx.writer.dtype:
        keys["dtype"] = dtype
    order = identity(value.rank) or (None,)
    ref = ctx.layer("one_hot", [ctx.arranged(value, order)], keys)
    axes: tuple[int | None, ...] = identity(value.rank + 1)
    if value.rank == 0:  # a single number becomes an axis of size 1
        axes = (None, 0) if axis else (0, None)
    ctx.give(ctx.held_as(ref, axes, value.rank + 1))


@op("CumSum", attributes="exclusive reverse", since=11)
def cumulative_sum(ctx: Context) -> None:
    """Cumulative sums along an axis."""
    value = ctx.held(0)
    axis = checked_axis(int(ctx.array(1, "the axis").reshape(-1)[0]), value.rank)
    order = value.axes if axis in value.axes and value.axes.index(axis) else unleading(value.rank, axis)
    keys: dict = {"axis": order.index(axis)}
    keys |= {name: True for name in ("exclusive", "reverse") if ctx.integer(name, 0)}
    ref = ctx.layer("cumulative_sum", [ctx.arranged(value, order)], keys)
    ctx.give(ctx.held_as(ref, order, value.rank))


@op("ReverseSequence", attributes="batch_axis time_axis", since=10)
def reverse_sequence(ctx: Context) -> None:
    """Reverses the first steps of each sample, as many as its length says."""
    value, lengths = ctx.held(0), ctx.held(1)
    batch, time = ctx.axis(1, value.rank, "batch_axis"), ctx.axis(0, value.rank, "time_axis")
    if {batch, time} != {0, 1} or lengths.rank != 1 or lengths.shape[0] != value.shape[batch]:
        raise Refusal(
            f"lengths {_shown(lengths)} of samples in axis {batch} of {_shown(value)}", "batch_axis"
        )
    order = (batch, time, *range(2, value.rank))
    refs = [ctx.arranged(value, order)]
    whole = ctx.writer.stretched.get(lengths.ref)
    if not isinstance(whole, Known) or whole.array.size != 1 or whole.array.item() != value.shape[time]:
        refs.append(ctx.arranged(lengths, (0,)))  # otherwise all steps of all samples
    ref = ctx.layer("reverse", refs, {"axis": 1})
    ctx.give(ctx.held_as(ref, order, value.rank))


@op("Trilu", attributes="upper", since=14)
def trilu(ctx: Context) -> None:
    """Matrices without the part below or above a diagonal."""
    value = ctx.held(0)
    if value.rank < 2:
        raise Refusal(f"a matrix of {value.rank} axes")
    k = int(ctx.array(1, "the diagonal").reshape(-1)[0]) if ctx.has(1) else 0
    compare = ">=" if ctx.integer("upper", 1) else "<="
    value = Held(ctx.arranged(value, identity(value.rank)), value.dtype, value.shape, identity(value.rank))
    kept = f"index(x, axis=-1) - index(x, axis=-2) {compare} {k}"
    if value.dtype == "bool":
        return ctx.give(equation(ctx, f"logical_and({kept}, x)", {"x": value}, fallback="trilu"))
    ctx.give(equation(ctx, f"where({kept}, x, 0)", {"x": value}, fallback="trilu"))


@op("EyeLike", attributes="dtype k", since=9)
def eye_like(ctx: Context) -> None:
    """Ones on a diagonal of a matrix, zeros elsewhere."""
    value = ctx.held(0)
    if value.rank != 2:
        raise Refusal(f"a matrix of {value.rank} axes")
    code = ctx.attribute("dtype")
    dtype = value.dtype if code is None else network_dtype(ctx.integer("dtype", 0))
    if dtype not in DTYPES.values():
        raise Refusal(f"a matrix of {dtype}", "dtype")
    value = Held(ctx.arranged(value, (0, 1)), value.dtype, value.shape, (0, 1))
    text = f"index(x, axis=1) - index(x, axis=0) == {ctx.integer('k', 0)}"
    text = text if dtype == "bool" else f"cast({text}, {dtype})"
    ctx.give(equation(ctx, text, {"x": value}, fallback="eye"))


@op("NonZero", since=9)
def non_zero(ctx: Context) -> None:
    """The positions of the non-zero elements, for an operand that is known to have no zeros, or only zeros."""
    value = ctx.settled(ctx.value(0))
    filled = ctx.writer.stretched.get(value.ref)
    if not isinstance(filled, Known) or filled.is_open or filled.array.size != 1:
        raise Refusal(
            "how many values are not 0 is known at run time only, and so is the shape of the result"
        )
    if not filled.array.all():
        return ctx.give(Known.of(np.zeros((value.rank, 0), np.int64)))
    if value.rank != 1:
        raise Refusal(f"positions in {value.rank} axes of an open size")
    ref = ctx.layer(
        "expression", [value.ref], {"value": "index(x, axis=0)"}, variables=["x"], fallback="index"
    )
    ctx.writer.counts.add(ref)
    ctx.give(ctx.held_as(ref, (1,), 2))


@op("Compress", attributes="axis", since=9)
def compress(ctx: Context) -> None:
    """The slices along an axis that a constant selects."""
    value = ctx.held(0)
    marks = np.flatnonzero(ctx.array(1, "which slices stay").reshape(-1))
    if ctx.attribute("axis") is None:  # from all cells in row-major order
        flat = regrouped(ctx.writer, value, (product(value.shape),), may_merge=False)
        assert isinstance(flat, Held)
        value = flat
    axis = ctx.axis(0, value.rank)
    size = value.shape[axis]
    if isinstance(size, Dim) or (marks >= size).any():
        raise Refusal(f"marks for {marks.max(initial=-1) + 1} slices of {size}")
    if not marks.size:
        raise Refusal("no slice stays")
    order = value.axes if axis in value.axes else identity(value.rank)
    keys = {"axis": order.index(axis), "indices": marks.tolist()}
    ref = ctx.layer("gather", [ctx.arranged(value, order)], keys)
    ctx.give(ctx.held_as(ref, order, value.rank))
