"""Arithmetic, comparisons, logic and elementary functions, each as one equation."""

from __future__ import annotations

import re

import numpy as np

from ..arrange import regrouped
from ..context import Context
from ..errors import Refusal
from ..formulas import BINARY, UNARY
from ..operands import Held, Known, Value, is_one
from ..tensors import HELD_AS, network_dtype
from .broadcast import equation
from .joining import difference, joined, quotient
from .table import op


@op(*UNARY)
def unary(ctx: Context) -> None:
    """A function of one operand."""
    ctx.give(equation(ctx, UNARY[ctx.node.op], {"x": ctx.value()}, fallback=ctx.node.op.lower()))


@op(*BINARY, attributes="axis broadcast")
def binary(ctx: Context) -> None:
    """An operation of two operands that broadcast."""
    a, b = legacy_broadcast(ctx, [ctx.value(0), ctx.value(1)])
    text = BINARY[ctx.node.op]
    if ctx.node.op == "Pow":
        text = _power(a, b)
    elif a.dtype != b.dtype:
        raise Refusal(f"the operands are {a.dtype} and {b.dtype}")
    elif ctx.node.op == "Div" and a.dtype not in ("float32", "float64"):
        # Integer division rounds towards zero.
        text = (
            "a // b"
            if a.dtype == "uint8"
            else "where((a < 0) == (b < 0), abs(a) // abs(b), -(abs(a) // abs(b)))"
        )
    elif (joined_to := _affine(ctx, a, b)) is not None:
        return ctx.give(joined_to)
    result = equation(ctx, text, {"a": a, "b": b}, fallback=ctx.node.op.lower())
    if ctx.node.op == "Less":
        _note_mask(ctx, result, a, b)
    ctx.give(result)


def _affine(ctx: Context, a: Value, b: Value) -> Held | None:
    """A difference or quotient with a constant, merged into a layer or as a rescaling."""
    if ctx.node.op == "Sub":
        return difference(ctx, a, b)
    return quotient(ctx, a, b) if ctx.node.op == "Div" else None


def _note_mask(ctx: Context, mask: Held, a: Value, b: Value) -> None:
    """Records `steps < lengths` [T, N]: which steps the sequences have."""
    writer = ctx.writer
    steps, lengths = (writer.stretched.get(x.ref, x) if isinstance(x, Held) else x for x in (a, b))
    if mask.axes != (0, 1) or not isinstance(lengths, Held) or lengths.dtype != "int64":
        return
    if isinstance(steps, Known):
        counts = np.array_equal(np.ravel(steps.array), np.arange(steps.array.size))
    else:
        counts = isinstance(steps, Held) and steps.ref in writer.counts
    alike = len(steps.shape) == 2 and (steps.shape[0], lengths.shape[-1]) == mask.shape
    if counts and alike and all(is_one(size) for size in lengths.shape[:-1]):
        writer.masks[mask.ref] = ctx.arranged(lengths, (lengths.rank - 1,))


def legacy_broadcast(ctx: Context, values: list[Value]) -> list[Value]:
    """The operands as they broadcast before opset 7: the axes of the second are aligned with the first's from ``axis``
    on.
    """
    if ctx.opset >= 7 or not ctx.integer("broadcast", 0):
        return values
    first, second = values
    rank = len(first.shape)
    axis = ctx.axis(rank - len(second.shape), rank) if ctx.attribute("axis") is not None else None
    if axis is None or axis + len(second.shape) == rank:
        return values
    shape = (*second.shape, *(1,) * (rank - axis - len(second.shape)))
    if isinstance(second, Known):
        return [
            first,
            Known(
                second.array.reshape([int(size) for size in shape if isinstance(size, int)]),
                second.dtype,
                second.name,
            ),
        ]
    return [first, regrouped(ctx.writer, ctx.settled(second), shape, may_merge=False)]


def _power(a: Value, b: Value) -> str:
    if a.dtype == b.dtype or (isinstance(b, Known) and b.array.size == 1):
        return "pow(a, b)"
    if a.dtype in ("float32", "float64"):
        return f"pow(a, cast(b, {a.dtype}))"
    # Large floats are whole numbers, whatever their last digits; others are truncated.
    power = "pow(cast(a, float64), cast(b, float64))"
    return f"cast(where(b == floor(b), round({power}), {power}), {a.dtype})"


#: Names for a constant that multiplies or is added.
_VECTORS = {"Mul": "scale", "Add": "bias"}


@op("Add", "Mul", "Sum", "Max", "Min", "Mean", attributes="axis broadcast")
def variadic(ctx: Context) -> None:
    """Sums, products, extrema and means of operands that broadcast."""
    values = legacy_broadcast(ctx, [ctx.value(position) for position in range(len(ctx.operands))])
    if len({value.dtype for value in values}) > 1:
        raise Refusal(f"the operands are {', '.join(value.dtype for value in values)}")
    if len(values) == 1:
        return ctx.give(values[0])
    if ctx.node.op in ("Add", "Sum", "Mul") and (merged := joined(ctx, values)) is not None:
        return ctx.give(merged)
    names = [f"x{i}" if len(values) > 2 else "ab"[i] for i in range(len(values))]
    if len(values) == 2 and ctx.node.op in _VECTORS:  # names that a person would choose
        known = [isinstance(value, Known) and value.array.ndim > 0 for value in values]
        if sum(known) == 1:
            names = [_VECTORS[ctx.node.op] if is_known else "x" for is_known in known]
    text = {
        "Add": " + ",
        "Sum": " + ",
        "Mean": " + ",
        "Mul": " * ",
    }.get(ctx.node.op)
    if text is None:
        function = "maximum" if ctx.node.op == "Max" else "minimum"
        formula = f"{function}({', '.join(names)})"
    else:
        formula = text.join(names)
    if ctx.node.op == "Mean":
        formula = f"({formula}) / {len(values)}"
    ctx.give(equation(ctx, formula, dict(zip(names, values, strict=True)), fallback=ctx.node.op.lower()))


@op("Mod", attributes="fmod", since=10)
def mod(ctx: Context) -> None:
    """Remainders with the divisor's sign or, with fmod, the dividend's."""
    fmod = ctx.integer("fmod", 0)
    text = "fmod(a, b)" if fmod else "mod(a, b)"
    if not fmod and ctx.dtype() in ("float32", "float64"):
        # An infinite divisor leaves a dividend of its own sign unchanged, and is the remainder of one of the other
        # sign.
        text = f"where(isinf(b), where(logical_or(a == 0, (a < 0) == (b < 0)), a, b) + (a - a), {text})"
    ctx.give(equation(ctx, text, {"a": ctx.value(0), "b": ctx.value(1)}, fallback="mod"))


@op("Where", since=9)
def where(ctx: Context) -> None:
    """Selects one or the other by a condition."""
    if (state := _first_state_kept(ctx)) is not None:
        return ctx.give(state)
    operands = {"c": ctx.value(0), "a": ctx.value(1), "b": ctx.value(2)}
    ctx.give(equation(ctx, "where(c, a, b)", operands, fallback="where"))


def _first_state_kept(ctx: Context) -> Held | None:
    """The recurrence's last state, if this Where only restores the initial state of sequences without steps, which the
    layer keeps anyway.
    """
    condition, other = ctx.value(0), ctx.value(2)
    emptied = ctx.writer.emptied.get(other) if isinstance(other, Held) else None
    if emptied is None or not isinstance(condition, Held):
        return None
    start = ctx.value(1)
    if emptied.start is not start and (isinstance(start, Known) or emptied.start != start):
        return None
    layer = ctx.writer.layers.get(condition.ref)
    while layer is not None and layer.type == "reshape":
        layer = ctx.writer.layers.get(layer.inputs[0])
    compares = layer is not None and re.fullmatch(r"(\w+) == 0", str(layer.keys.get("value")))
    return emptied.state if layer is not None and compares and layer.inputs == [emptied.lengths] else None


@op("Clip", attributes="min max")
def clip(ctx: Context) -> None:
    """Clips values between two bounds: attributes before opset 11, operands since."""
    operands: dict[str, Value] = {"x": ctx.value()}
    text, count = "x", 0
    for name, function, position in (("min", "maximum", 1), ("max", "minimum", 2)):
        letter = "low" if name == "min" else "high"
        if ctx.opset < 11:
            if ctx.attribute(name) is None:
                continue
            operands[letter] = Known.of(np.asarray(ctx.number(name, 0.0), ctx.dtype()))
        elif ctx.has(position):
            operands[letter] = ctx.value(position)
        else:
            continue
        text, count = f"{function}({text}, {letter})", count + 1
    text = "clip(x, low, high)" if count == 2 else text
    ctx.give(ctx.value() if text == "x" else equation(ctx, text, operands, fallback="clip"))


@op("IsInf", attributes="detect_negative detect_positive", since=10)
def is_inf(ctx: Context) -> None:
    """Which values are infinite, of one or both signs."""
    negative, positive = ctx.integer("detect_negative", 1), ctx.integer("detect_positive", 1)
    text = {(1, 1): "isinf(x)", (1, 0): "x == -inf", (0, 1): "x == inf"}.get((negative, positive), "x != x")
    if (negative, positive) == (0, 0):
        text = "logical_and(isinf(x), isnan(x))"
    ctx.give(equation(ctx, text, {"x": ctx.value()}, fallback="isinf"))


@op(
    "Cast",
    attributes="to saturate round_mode",
)
def cast(ctx: Context) -> None:
    """Another element type. saturate and round_mode concern only 8-bit floats, which do not exist here."""
    try:
        _cast(ctx, network_dtype(ctx.integer("to", 0)))
    except ValueError as error:
        raise Refusal(str(error), "to") from None


@op("CastLike", attributes="saturate round_mode", since=15)
def cast_like(ctx: Context) -> None:
    """Casts to the element type of the second operand."""
    _cast(ctx, ctx.dtype(1))


def _cast(ctx: Context, dtype: str) -> None:
    value = ctx.value()
    if value.dtype == dtype:
        return ctx.give(value)
    if dtype in HELD_AS:
        return ctx.give(_narrowed(ctx, value, dtype))
    if isinstance(value, Held) and HELD_AS.get(value.dtype) == dtype:
        return ctx.give(Held(value.ref, dtype, value.shape, value.axes))
    ctx.give(equation(ctx, f"cast(x, {dtype})", {"x": value}, fallback="cast"))


def _narrowed(ctx: Context, value: Value, dtype: str) -> Held:
    """Integers of a type that the language does not have: values beyond its range wrap around."""
    low, high = int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
    text = "x" if value.dtype == "int64" else "cast(x, int64)"
    text = f"mod({text} + {-low}, {high - low + 1}) - {-low}" if low else f"mod({text}, {high + 1})"
    if HELD_AS[dtype] != "int64":
        text = f"cast({text}, {HELD_AS[dtype]})"
    result = equation(ctx, text, {"x": value}, fallback="cast")
    return Held(result.ref, dtype, result.shape, result.axes)


@op("Identity")
def identity(ctx: Context) -> None:
    """The operand itself."""
    ctx.give(ctx.value())
