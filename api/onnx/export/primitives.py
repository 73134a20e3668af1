"""Exports the compiler's primitives as ONNX operators, for all layers that ONNX has no operator for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from netwright.compiler.graph.node import Node, Value
from netwright.compiler.ops.values import elementwise
from netwright.specs.dims import DimLike, Shape, product

from .. import formulas
from ..errors import Refusal
from .context import Exporter
from .positions import (
    export_first,
    export_interleave,
    export_resample,
    export_scatter,
    export_scatter_add,
)
from .windows import export_windows
from .writer import element_type

Emit = Callable[[Exporter, Node, Sequence[Value]], None]

PRIMITIVES: dict[str, Emit] = {}

_UNARY = {op.name for op in elementwise.UNARY}
_SAME = {
    **{name: op for op, text in formulas.UNARY.items() if (name := text.removesuffix("(x)")) in _UNARY},
    "neg": "Neg",
    "tanh": "Tanh",
    "sigmoid": "Sigmoid",
    "not": "Not",
    "add": "Add",
    "sub": "Sub",
    "mul": "Mul",
    "max": "Max",
    "min": "Min",
    "and": "And",
    "or": "Or",
    "eq": "Equal",
    "lt": "Less",
    "le": "LessOrEqual",
    "gt": "Greater",
    "ge": "GreaterOrEqual",
}


def _primitive(*names: str) -> Callable[[Emit], Emit]:
    def enter(emit: Emit) -> Emit:
        for name in names:
            PRIMITIVES[name] = emit
        return emit

    return enter


def emit_node(exporter: Exporter, node: Node) -> None:
    """Exports one operation. Raises Refusal for operations that don't occur in predictions."""
    emit = PRIMITIVES.get(node.op)
    if emit is None:
        raise Refusal(f"the primitive {node.op} has no counterpart in ONNX")
    emit(exporter, node, exporter.graph.operands(node))


@_primitive(*_SAME)
def _elementwise(e: Exporter, node: Node, operands: Sequence[Value]) -> None:
    _pointwise(e, node, operands, lambda names: e.writer.add(_SAME[node.op], names))


def _pointwise(e: Exporter, node: Node, operands: Sequence[Value], add: Callable[[list[str]], str]) -> None:
    """Applies an operator that broadcasts. Its operands may be not yet expanded, and then so may its result."""
    thin = [e.thin(value) for value in operands]
    shape: Shape = ()
    for _, other in thin:
        rank = max(len(shape), len(other))
        pairs = zip((1,) * (rank - len(shape)) + shape, (1,) * (rank - len(other)) + other, strict=True)
        shape = tuple(b if a == 1 else a for a, b in pairs)
    name = add([name for name, _ in thin])
    if shape == node.types[0].shape:
        e.give(node.values[0], name)
    else:
        e.give_thin(node.values[0], name, shape)


@_primitive("select")
def _select(e: Exporter, node: Node, operands: Sequence[Value]) -> None:
    def add(names: list[str]) -> str:
        if node.types[0].dtype != "bool":
            return e.writer.add("Where", names)
        # ONNX Runtime has no Where of truth values.
        condition, yes, no = names
        rest = e.writer.add("And", [e.writer.add("Not", [condition]), no])
        return e.writer.add("Or", [e.writer.add("And", [condition, yes]), rest])

    _pointwise(e, node, operands, add)


@_primitive("ne")
def _not_equal(e: Exporter, node: Node, operands: Sequence[Value]) -> None:
    _pointwise(e, node, operands, lambda names: e.writer.add("Not", [e.writer.add("Equal", names)]))


@_primitive("div")
def _div(e: Exporter, node: Node, operands: Sequence[Value]) -> None:
    softmax = _softmax(e, *operands)
    if softmax is None:
        return _pointwise(e, node, operands, lambda names: e.writer.add("Div", names))
    value, axis = softmax
    e.give(node.values[0], e.writer.add("Softmax", [e.last(value)], axis=axis))


def _softmax(e: Exporter, exponentials: Value, total: Value) -> tuple[Value, int] | None:
    """The x and axis of exp(x − max x) / Σ exp(x − max x), if the value is that."""
    graph = e.graph

    def kept(value: Value, op: str) -> tuple[Value, tuple[int, ...]] | None:
        """The operand of a reduction, looked up through reshapes."""
        while (node := graph.producer(value)).op in ("reshape", "broadcast", "stop_gradient"):
            (value,) = graph.operands(node)
        attrs: Any = node.attrs
        return (graph.operands(node)[0], attrs.axes) if node.op == "reduce" and attrs.op == op else None

    exp = graph.producer(exponentials)
    if exp.op != "exp" or (summed := kept(total, "sum")) is None or summed[0] != exponentials:
        return None
    shift = graph.producer(graph.operands(exp)[0])
    if shift.op != "sub" or len(summed[1]) != 1:
        return None
    x, largest = graph.operands(shift)
    return (x, summed[1][0]) if kept(largest, "max") == (x, summed[1]) else None


@_primitive("stop_gradient", "copy", "within")
def _same(e: Exporter, node: Node, operands: Sequence[Value]) -> None:
    e.give(node.values[0], e.last(operands[0]))


@_primitive("constant")
def _constant(e: Exporter, node: Node, operands: Sequence[Value]) -> None:
    attrs: Any = node.attrs
    dtype = np.dtype(attrs.dtype).newbyteorder("<")
    array = np.frombuffer(attrs.data, dtype).astype(attrs.dtype)
    if array.size == 1:
        if product(attrs.shape) == 1:
            return e.give(node.values[0], e.writer.constant(array.reshape(attrs.shape)))
        return e.give_thin(node.values[0], e.writer.constant(array.reshape(())), ())
    e.give(node.values[0], e.writer.constant(array.reshape(attrs.shape)))


@_primitive("iota")
def _iota(e: Exporter, node: Node, operands: Sequence[Value]) -> None:
    attrs: Any = node.attrs
    w, rank = e.writer, len(attrs.shape)
    numbers = w.numbers(attrs.shape[attrs.axis])
    if attrs.dtype != "int64":
        numbers = w.add("Cast", [numbers], to=element_type(attrs.dtype))
    if rank > 1:
        shape = [1] * rank
        shape[attrs.axis] = -1
        numbers = w.add("Reshape", [numbers, w.constant(shape, "int64")])
        thin = tuple(size if axis == attrs.axis else 1 for axis, size in enumerate(attrs.shape))
        return e.give_thin(node.values[0], numbers, thin)
    e.give(node.values[0], numbers)


@_primitive("dim_value")
def _dim_value(e: Exporter, node: Node, operands: Sequence[Value]) -> None:
    attrs: Any = node.attrs
    w = e.writer
    size = w.add("Reshape", [w.size(attrs.size), w.constant(np.zeros(0, np.int64))])
    e.give(node.values[0], w.add("Cast", [size], to=element_type(attrs.dtype)))


@_primitive("cast")
def _cast(e: Exporter, node: Node, operands: Sequence[Value]) -> None:
    e.give(node.values[0], e.writer.add("Cast", [e.last(operands[0])], to=element_type(node.types[0].dtype)))


def reshape(e: Exporter, name: str, shape: Shape) -> str:
    """A Reshape. One open size is left for ONNX to compute."""
    still = [size if isinstance(size, int) else -1 for size in shape]
    target = e.writer.constant(still, "int64") if still.count(-1) <= 1 else e.writer.shape(shape)
    return e.writer.add("Reshape", [name, target])


@_primitive("reshape")
def _reshape(e: Exporter, node: Node, operands: Sequence[Value]) -> None:
    (value,), shape = operands, node.types[0].shape
    # of several reshapes in a row only the last matters
    while (inner := e.graph.producer(value)).op == "reshape":
        (value,) = e.graph.operands(inner)
    name = e.last(value)
    e.give(node.values[0], name if e.shape(value) == shape else reshape(e, name, shape))


@_primitive("transpose")
def _transpose(e: Exporter, node: Node, operands: Sequence[Value]) -> None:
    order = list(node.attrs.permutation)  # type: ignore[attr-defined]
    e.give(node.values[0], e.writer.add("Transpose", [e.last(operands[0])], perm=order))


@_primitive("reverse")
def _reverse(e: Exporter, node: Node, operands: Sequence[Value]) -> None:
    axes = list(node.attrs.axes)  # type: ignore[attr-defined]
    w, count = e.writer, len(axes)
    starts, ends = w.constant([-1] * count, "int64"), w.constant([-(2**31)] * count, "int64")
    inputs = [e.last(operands[0]), starts, ends, w.constant(axes, "int64"), starts]
    e.give(node.values[0], w.add("Slice", inputs))


@_primitive("broadcast")
def _broadcast(e: Exporter, node: Node, operands: Sequence[Value]) -> None:
    (value,) = operands
    axes = node.attrs.axes  # type: ignore[attr-defined]
    shape = node.types[0].shape
    name, own = e.thin(value)
    if not own or tuple(axes) == tuple(range(len(shape) - len(axes), len(shape))):
        return e.give_thin(node.values[0], name, own)
    thin: list[DimLike] = [1] * len(shape)
    for axis, size in zip(axes, (1,) * (len(axes) - len(own)) + own, strict=True):
        thin[axis] = size
    e.give_thin(node.values[0], reshape(e, name, tuple(thin)), tuple(thin))


@_primitive("slice")
def _slice(e: Exporter, node: Node, operands: Sequence[Value]) -> None:
    attrs: Any = node.attrs
    w, shape = e.writer, e.shape(operands[0])
    rows = zip(range(len(shape)), attrs.start, attrs.limit, attrs.stride, shape, strict=True)
    cut = [row for row in rows if row[1] != 0 or row[2] != row[4] or row[3] != 1]
    if not cut:
        return e.give(node.values[0], e.last(operands[0]))
    starts, ends = w.shape([row[1] for row in cut]), w.shape([row[2] for row in cut])  # type: ignore[arg-type]
    inputs = [e.last(operands[0]), starts, ends, w.constant([row[0] for row in cut], "int64")]
    if any(row[3] != 1 for row in cut):
        inputs.append(w.constant([row[3] for row in cut], "int64"))
    e.give(node.values[0], w.add("Slice", inputs))


@_primitive("pad")
def _pad(e: Exporter, node: Node, operands: Sequence[Value]) -> None:
    attrs: Any = node.attrs
    w, name, shape = e.writer, e.last(operands[0]), list(e.shape(operands[0]))
    dtype = e.dtype(operands[0])
    fill = w.constant(np.asarray(attrs.fill, dtype))
    for axis, gap in enumerate(attrs.interior):
        if gap:  # each cell and the gap after it become a separate axis; the last gap is cut off
            size = shape[axis]
            name = reshape(e, name, (*shape[: axis + 1], 1, *shape[axis + 1 :]))
            high = [0] * len(shape) + [0]
            high[axis + 1] = gap
            name = w.add("Pad", [name, w.constant([0] * (len(shape) + 1) + high, "int64"), fill])
            shape[axis] = size * (gap + 1)
            name = reshape(e, name, tuple(shape))
            shape[axis] = size * (gap + 1) - gap
            inputs = [name, w.constant([0], "int64"), w.size(shape[axis]), w.constant([axis], "int64")]
            name = w.add("Slice", inputs)
    if any(size != 0 for size in (*attrs.low, *attrs.high)):
        name = w.add("Pad", [name, w.shape((*attrs.low, *attrs.high)), fill])
    e.give(node.values[0], name)


@_primitive("concat")
def _concat(e: Exporter, node: Node, operands: Sequence[Value]) -> None:
    axis = node.attrs.axis  # type: ignore[attr-defined]
    e.give(node.values[0], e.writer.add("Concat", [e.last(value) for value in operands], axis=axis))


@_primitive("reduce")
def _reduce(e: Exporter, node: Node, operands: Sequence[Value]) -> None:
    attrs: Any = node.attrs
    name, axes = e.last(operands[0]), list(attrs.axes)
    if not axes:
        return e.give(node.values[0], name)
    if attrs.op == "sum":
        value = e.writer.add("ReduceSum", [name, e.writer.constant(axes, "int64")], keepdims=0)
    else:
        value = e.writer.add("ReduceMax" if attrs.op == "max" else "ReduceMin", [name], axes=axes, keepdims=0)
    e.give(node.values[0], value)


@_primitive("argmax")
def _argmax(e: Exporter, node: Node, operands: Sequence[Value]) -> None:
    axis = node.attrs.axis  # type: ignore[attr-defined]
    e.give(node.values[0], e.writer.add("ArgMax", [e.last(operands[0])], axis=axis, keepdims=0))


@_primitive("reduce_window")
def _reduce_window(e: Exporter, node: Node, operands: Sequence[Value]) -> None:
    attrs: Any = node.attrs
    (value,) = operands
    rank = e.rank(value)
    if not 3 <= rank <= 5 or (attrs.window[0], attrs.window[-1]) != (1, 1):
        raise Refusal("a window over channels or samples has no counterpart in ONNX")
    name = e.first(value)
    window, stride = list(attrs.window[1:-1]), list(attrs.stride[1:-1])
    if (attrs.stride[0], attrs.stride[-1]) != (1, 1):
        raise Refusal("a stride over channels or samples has no counterpart in ONNX")
    w = e.writer
    if attrs.op == "min":
        name = w.add("Neg", [name])
    kind = "AveragePool" if attrs.op == "sum" else "MaxPool"
    name = w.add(kind, [name], kernel_shape=window, strides=stride)
    if attrs.op == "sum":
        name = w.add("Mul", [name, w.constant(np.asarray(float(np.prod(window)), e.dtype(value)))])
    if attrs.op == "min":
        name = w.add("Neg", [name])
    e.give_first(node.values[0], name)


@_primitive("conv")
def _conv(e: Exporter, node: Node, operands: Sequence[Value]) -> None:
    attrs: Any = node.attrs
    x, kernel = operands
    rank = e.rank(x)
    array = e.array(kernel)
    if array is not None:
        weights = e.writer.constant(np.moveaxis(array, (-1, -2), (0, 1)), hint="kernel")
    else:
        order = [rank - 1, rank - 2, *range(rank - 2)]
        weights = e.writer.add("Transpose", [e.last(kernel)], perm=order)
    result = e.writer.add(
        "Conv",
        [e.first(x), weights],
        strides=list(attrs.stride),
        dilations=list(attrs.dilation),
        group=attrs.groups,
        kernel_shape=list(e.shape(kernel)[:-2]),
    )
    e.give_first(node.values[0], result)


@_primitive("dot")
def _dot(e: Exporter, node: Node, operands: Sequence[Value]) -> None:
    attrs: Any = node.attrs
    (lhs, rhs), batch = operands, attrs.batch
    a, b = e.shape(lhs), e.shape(rhs)
    if not batch and len(b) <= 2 and attrs.rhs_contract == (0,) and attrs.lhs_contract == (len(a) - 1,):
        if len(a) == 1 or len(b) == 2:
            return e.give(node.values[0], e.writer.add("MatMul", [e.last(lhs), e.last(rhs)]))
        # ONNX Runtime (1.32) reads wrong elements of a transposed matrix that is multiplied by a vector.
        column = e.writer.add("Unsqueeze", [e.last(rhs), e.writer.constant([1], "int64")])
        matmul = e.writer.add("MatMul", [e.last(lhs), column])
        return e.give(
            node.values[0], e.writer.add("Squeeze", [matmul, e.writer.constant([len(a) - 1], "int64")])
        )
    free_a = attrs.free(len(a), attrs.lhs_contract)
    free_b = attrs.free(len(b), attrs.rhs_contract)
    left = _matrix(e, e.last(lhs), a, [*range(batch)], list(free_a), list(attrs.lhs_contract))
    right = _matrix(e, e.last(rhs), b, [*range(batch)], list(attrs.rhs_contract), list(free_b))
    matmul = e.writer.add("MatMul", [left, right])
    result = node.types[0].shape
    if len(free_a) != 1 or len(free_b) != 1:
        matmul = reshape(e, matmul, result)
    e.give(node.values[0], matmul)


def _matrix(
    e: Exporter, name: str, shape: Shape, batch: list[int], rows: list[int], columns: list[int]
) -> str:
    """A value as matrices [*batch, rows, columns]."""
    order = [*batch, *rows, *columns]
    if order != list(range(len(shape))):
        name = e.writer.add("Transpose", [name], perm=order)
    if len(rows) == 1 and len(columns) == 1:
        return name
    sizes = tuple(shape[axis] for axis in batch)
    joined = (product(shape[axis] for axis in rows), product(shape[axis] for axis in columns))
    return reshape(e, name, (*sizes, *joined))


@_primitive("gather")
def _gather(e: Exporter, node: Node, operands: Sequence[Value]) -> None:
    table, indices = operands
    e.give(node.values[0], e.writer.add("Gather", [e.last(table), e.last(indices)], axis=0))


PRIMITIVES |= {
    "windows": export_windows,
    "interleave": export_interleave,
    "resample": export_resample,
    "scatter": export_scatter,
    "scatter_add": export_scatter_add,
    "straight_through": export_first,
}
