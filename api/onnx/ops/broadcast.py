"""Elementwise equations over operands that broadcast, in one common order of axes, with constants as numbers or
parameters.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from netwright.specs.dims import Dim, DimLike, Shape
from netwright.specs.dims.algebra import Monomial, from_terms, terms_of

from ..agreement import Sizes
from ..arrange import Axes, identity
from ..context import Context
from ..errors import Refusal
from ..fold.ratio import Ratio
from ..formulas import inlined
from ..narrow import stored
from ..operands import Held, Known, Value, is_one


def equation(ctx: Context, text: str, operands: Mapping[str, Value], *, fallback: str = "compute") -> Held:
    """A layer that computes an equation of operands by their names in it. Raises Refusal."""
    values = {
        name: value if isinstance(value, Known) else ctx.settled(value) for name, value in operands.items()
    }
    rank = max(len(value.shape) for value in values.values())
    target = common_axes([value for value in values.values() if isinstance(value, Held)], values, rank)
    inputs = {
        name: placed(ctx, value, target, rank) for name, value in values.items() if isinstance(value, Held)
    }
    weights: dict[str, NDArray] = {}
    params: dict[str, dict] = {}
    for name, value in values.items():
        if isinstance(value, Held):
            continue
        if value.is_open:
            text = substituted(text, name, _sizes_text(ctx, value, inputs, target, rank))
            continue
        if value.array.ndim == 0 and inlined(value.array) is not None:
            text = substituted(text, name, str(inlined(value.array)))
            continue
        array = known_placed(value.array, target, rank)
        if value.dtype == ctx.writer.dtype:
            params[name] = {"shape": list(array.shape)}
            weights[name] = array
        else:
            inputs[name] = ctx.writer.constant(stored(Known(array, value.dtype)), value.name)
    if not inputs and not weights:
        raise Refusal(f"all operands of {text} are numbers")
    if not inputs:  # an equation of weights alone reads the first of them as a layer
        name = next(iter(weights))
        inputs[name] = ctx.writer.constant(weights.pop(name), values[name].name)  # type: ignore[union-attr]
        del params[name]
    keys: dict = {"value": text}
    if params:
        keys["params"] = params
    ref = ctx.layer(
        "expression", list(inputs.values()), keys, weights, variables=list(inputs), fallback=fallback
    )
    return ctx.held_as(ref, _axes_of(ctx, ref, target), rank)


def _sizes_text(ctx: Context, value: Known, inputs: dict[str, str], target: Axes, rank: int) -> str:
    """A constant with numbers that depend on open sizes: a single one, or several that are sums of multiples of sizes,
    such as the start of each sample's rows among all rows. Raises Refusal.
    """
    if value.array.size == 1:
        return _size_text(ctx, value, inputs)
    none = np.zeros(value.array.size, value.dtype)
    factors: dict[tuple[Monomial, DimLike], NDArray] = {}
    for place, x in enumerate(value.array.reshape(-1)):
        above, below = (x.numerator, x.denominator) if isinstance(x, Ratio) else (x, 1)
        for monomial, factor in terms_of(above):
            factors.setdefault((monomial, below), none.copy())[place] = factor
    parts = []
    for (monomial, below), factor in (factors or {((), 1): none}).items():
        array = known_placed(factor.reshape(value.array.shape), target, rank)
        name = f"n{len(inputs)}"
        inputs[name] = ctx.writer.constant(stored(Known(array, value.dtype)), value.name)
        size = from_terms({monomial: 1})
        number = np.array(Ratio(size, below) if below != 1 else size, object)
        text = _size_text(ctx, Known(number, value.dtype), inputs)
        parts.append(name if size == below == 1 else f"{name} * {text}")
    return f"({' + '.join(parts)})"


def _size_text(ctx: Context, value: Known, inputs: dict[str, str]) -> str:
    """A number that depends on open sizes, as an equation that reads tensors with such sizes. Raises Refusal if no
    tensor has an axis of that size.
    """
    number = value.array.reshape(-1)[0]
    if not isinstance(number, Ratio):
        text = _whole_text(ctx, number, inputs)
        return text if value.dtype == "int64" else f"cast({text}, {value.dtype})"
    parts = [_whole_text(ctx, part, inputs) for part in (number.numerator, number.denominator)]
    parts = [part if part.isdecimal() else f"cast({part}, {value.dtype})" for part in parts]
    return parts[0] if number.denominator == 1 else f"({parts[0]} / {parts[1]})"


def _whole_text(ctx: Context, size: DimLike, inputs: dict[str, str]) -> str:
    tree = ast.parse(str(size), mode="eval")

    class Sizes(ast.NodeTransformer):
        def visit_Call(self, node: ast.Call) -> ast.expr:
            function = {"min": "minimum", "max": "maximum"}[ast.unparse(node.func)]
            args = [self.visit(arg) for arg in node.args]
            joined = args[0]
            for arg in args[1:]:
                joined = ast.Call(ast.Name(function), [joined, arg], [])
            return joined

        def visit_Name(self, node: ast.Name) -> ast.expr:
            (size,) = ctx.writer.sketch.shape((node.id,))
            place = ctx.writer.axis_of(size) if isinstance(size, Dim) else None
            if place is None:
                raise Refusal(f"the open size {node.id} is used as a number, and no axis has it")
            ref, axis = place
            name = next((name for name, other in inputs.items() if other == ref), None)
            if name is None:
                name = f"n{len(inputs)}"
                inputs[name] = ref
            return ast.parse(f"size({name}, axis={axis})", mode="eval").body

    text = ast.unparse(Sizes().visit(tree))
    return text if text.isdecimal() else f"({text})"


def _axes_of(ctx: Context, ref: str, target: Axes) -> Axes:
    rank = len(ctx.writer.sketch.type_of(ref).shape)
    if rank > len(target):
        raise AssertionError("the result has more axes than its operands")
    return target[len(target) - rank :]


def common_axes(held: Sequence[Held], values: Mapping[str, Value], rank: int) -> Axes:
    """The common order of axes: that of the operand with the most axes, if it has all of them."""
    if not held:
        return identity(rank)

    def wide(value: Value) -> set[int]:
        offset = rank - len(value.shape)
        return {offset + axis for axis, size in enumerate(value.shape) if not is_one(size)}

    needed = set().union(*(wide(value) for value in values.values()))
    best = max(held, key=lambda value: (len(wide(value)), len(value.axes)))
    offset = rank - best.rank
    axes = tuple(None if axis is None else axis + offset for axis in best.axes)
    if needed <= {axis for axis in axes if axis is not None}:
        return axes
    missing = sorted(needed - set(axes))  # type: ignore[arg-type]
    if all(axis is None or axis not in needed for axis in axes):
        return identity(rank)
    kept = [axis for axis in axes if axis is not None]
    if kept == sorted(kept):
        return tuple(sorted([*kept, *missing]))
    return (kept[0], *missing, *kept[1:]) if len(kept) > 1 else tuple(sorted([*kept, *missing]))


def placed(ctx: Context, value: Held, target: Axes, rank: int) -> str:
    """An operand in the common order, without leading axes of size 1."""
    offset = rank - value.rank
    axes = [
        axis - offset
        if axis is not None and axis >= offset and not is_one(value.shape[axis - offset])
        else None
        for axis in target
    ]
    if value.axes == tuple(None if a is None else a - offset for a in target) and offset == 0:
        return value.ref
    first = next((i for i, axis in enumerate(axes) if axis is not None), len(axes) - 1)
    return ctx.arranged(value, axes[first:])


def known_placed(array: NDArray, target: Axes, rank: int) -> NDArray:
    """A constant in the common order, without leading axes of size 1."""
    array = array.reshape((1,) * (rank - array.ndim) + array.shape)
    order = [axis for axis in target if axis is not None]
    rest = [axis for axis in range(rank) if axis not in order]
    array = array.transpose(rest + order)[(0,) * len(rest)] if rank else array
    shape = iter(array.shape)
    full = [1 if axis is None else next(shape) for axis in target]
    first = next((i for i, size in enumerate(full) if size != 1), max(len(full) - 1, 0))
    return np.asarray(array.reshape(full[first:]), order="C")


def substituted(text: str, name: str, number: str) -> str:
    """``text`` with a number in place of a name (a separate single letter)."""
    return re.sub(rf"\b{name}\b", number, text)


def broadcast_shape(a: Shape, b: Shape) -> Shape:
    """The shape to which two operands broadcast. Raises Refusal if they do not."""
    rank = max(len(a), len(b))
    shape = []
    for x, y in zip((1,) * (rank - len(a)) + tuple(a), (1,) * (rank - len(b)) + tuple(b), strict=True):
        if x != y and not is_one(x) and not is_one(y):
            raise Refusal(f"sizes {x} and {y} do not broadcast", "", [Sizes(x, y)])
        shape.append(y if is_one(x) else x)
    return tuple(shape)
