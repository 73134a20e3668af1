"""How layers are drawn that read and write cells at computed positions, which another layer finds."""

from __future__ import annotations

from typing import Any

from netwright.compiler.graph.types import TensorType

from .sketch import Add, Signal, Sketch, plain

REDUCTIONS = (None, "set", "add", "mul", "max", "min")


def port(s: Sketch, layer: Signal, name: str, dtype: str) -> Signal:
    """Another result of a layer, of the shape of its output."""
    return s.known(f"{layer.name}.{name}", TensorType(dtype, layer.shape))


def axis_of(s: Sketch, x: Signal) -> int | None:
    """An axis behind the batch that has cells, whatever is open."""
    axes = [axis for axis in range(1, x.rank) if x.shape[axis] != 0]
    return s.one_of(*axes) if axes else None


def positions(s: Sketch, x: Signal, axis: int) -> Signal | None:
    """Of each line along an axis the position of one cell, in an axis of size 1."""
    return s.layer(s.one_of("argmax", "argmin"), x, axis=axis, keepdims=True)


def gather_elements(s: Sketch, x: Signal) -> Signal | None:
    axis = axis_of(s, x)
    at = positions(s, x, axis) if axis is not None else None
    return s.layer("gather_elements", [x, at], axis=axis) if at else None


def scatter_elements(s: Sketch, x: Signal) -> Signal | None:
    axis = axis_of(s, x)
    at = positions(s, x, axis) if axis is not None else None
    new = s.layer("reduce", x, op="sum", axes=[axis], keepdims=True) if at else None
    return (
        s.layer("scatter_elements", [x, at, new], axis=axis, reduction=s.one_of(*REDUCTIONS))
        if at and new
        else None
    )


def table(s: Sketch, value: list[Any]) -> Signal:
    """Whole numbers that are written down."""
    name = s.fresh("con")
    s.layers.append({"name": name, "type": "constant", "value": value, "dtype": "int64"})
    return s.known(
        name, TensorType("int64", (len(value), *([len(value[0])] if isinstance(value[0], list) else [])))
    )


def gather_nd(s: Sketch, x: Signal) -> Signal | None:
    """One cell of each sample: the first axis' position, found in another; or rows at written positions."""
    if x.rank >= 2 and s.flag():
        flat = s.layer(
            "reshape", x, shape=[str(x.shape[0]) if not isinstance(x.shape[0], int) else x.shape[0], -1]
        )
        at = s.layer("argmax", flat, keepdims=True) if flat else None
        return s.layer("gather_nd", [flat, at], batch_axes=1) if flat and at else None
    size = x.shape[0] if x.rank else None
    if not isinstance(size, int):
        return None
    return s.layer("gather_nd", [x, table(s, [[s.number(-size, size - 1)] for _ in range(s.number(1, 3))])])


def scatter_nd(s: Sketch, x: Signal) -> Signal | None:
    """Rows at written positions, each once, from the rows at the start."""
    size = x.shape[0] if x.rank else None
    if not isinstance(size, int):
        return None
    count = s.number(1, size)
    first = s.number(0, size - 1)
    new = s.layer("slice", x, axes=[0], stops=[count])
    at = table(s, [[(first + offset) % size] for offset in range(count)])
    return s.layer("scatter_nd", [x, at, new], reduction=s.one_of(*REDUCTIONS)) if new else None


def top_k(s: Sketch, x: Signal) -> Signal | None:
    """The values; the positions are an output."""
    axes = [axis for axis in range(1, x.rank) if isinstance(x.shape[axis], int) and x.shape[axis]]
    if not axes:
        return None
    axis = s.one_of(*axes)
    most = x.shape[axis]
    assert isinstance(most, int)
    made = s.layer("top_k", x, k=s.one_of(1, most, (most + 1) // 2), axis=axis, largest=s.one_of(None, False))
    if made is not None and s.flag():
        s.outputs[f"at_{made.name}"] = f"{made.name}.indices"
    return made


def one_hot(s: Sketch, x: Signal) -> Signal | None:
    axis = axis_of(s, x)
    at = s.layer("argmax", x, axis=axis) if axis is not None else None
    if at is None:
        return None
    options = s.options(on=(None, 2.5), off=(None, -0.5), axis=(None, 0, -1))
    return s.layer("one_hot", at, depth=s.number(1, 5), dtype=s.dtype, **options)


def grid_sample(s: Sketch, x: Signal) -> Signal | None:
    """At positions that a dense layer makes of the input, in every cell one."""
    if x.rank not in (3, 4) or not isinstance(x.shape[-1], int):
        return None
    grid = s.layer("dense", x, units=x.rank - 2, activation=s.one_of(None, "tanh"))
    options = s.options(
        mode=(None, "linear", "cubic", "nearest"),
        padding=(None, "border", "reflection"),
        align_corners=(None, True),
    )
    return s.layer("grid_sample", [x, grid], **options) if grid else None


def max_unpool(s: Sketch, x: Signal) -> Signal | None:
    """Of a pool whose windows do not overlap."""
    if x.rank not in (3, 4, 5):
        return None
    size = s.one_of(1, 2)
    small = s.layer(f"max_pool{x.rank - 2}d", x, pool_size=size)
    if small is None:
        return None
    options: dict[str, Any] = s.options(stride=(None, size))
    if all(isinstance(one, int) for one in x.shape[1:-1]):
        options |= s.options(output_size=(None, list(x.shape[1:-1])))
    return s.layer("max_unpool", [small, port(s, small, "indices", "int64")], pool_size=size, **options)


def fake_quantize(s: Sketch, x: Signal) -> Signal | None:
    options = s.options(bits=(None, 4), signed=(None, False))
    if s.flag():
        return s.layer("fake_quantize", x, scale=s.one_of(0.02, 0.3), zero_point=s.one_of(None, 3), **options)
    return s.layer("fake_quantize", x, axis=s.one_of(None, -1), **options)


def ctc_decode(s: Sketch, x: Signal) -> Signal | None:
    """The labels, one-hot; they and what else is known of them may be outputs."""
    if x.rank != 3 or not isinstance(x.shape[2], int) or x.shape[2] < 2:
        return None
    options = s.options(blank=(None, "last", 1), beam=(None, 1, 3))
    made = s.layer("ctc_decode", x, **options)
    if made is not None and s.flag():
        s.outputs[f"said_{made.name}"] = made.name
        s.outputs |= {f"{port}_{made.name}": f"{made.name}.{port}" for port in ("counts", "scores")}
    return s.layer("one_hot", made, depth=x.shape[2]) if made is not None else None


INDEXING: dict[str, Add] = {
    "ctc_decode": ctc_decode,
    "cumulative_sum": plain("cumulative_sum", axis=(None, -1), exclusive=(None, True), reverse=(None, True)),
    "fake_quantize": fake_quantize,
    "gather_elements": gather_elements,
    "gather_nd": gather_nd,
    "grid_sample": grid_sample,
    "max_unpool": max_unpool,
    "one_hot": one_hot,
    "reverse": plain("reverse", axis=(None, -1, 1)),
    "scatter_elements": scatter_elements,
    "scatter_nd": scatter_nd,
    "top_k": top_k,
}
