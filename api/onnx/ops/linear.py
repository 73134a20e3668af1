"""Gemm and MatMul: dense layers if one factor is constant."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from netwright.runtime.files.tensors import contiguous

from ..arrange import identity
from ..context import Context
from ..errors import Refusal
from ..operands import Held, Known, Merged
from .broadcast import equation
from .table import op


def dense(ctx: Context, value: Held | Merged, kernel: NDArray, bias: NDArray | None) -> Held:
    """A dense layer on the last logical axis. The rows of its kernel follow the order in which a flattened input is
    held.
    """
    if isinstance(value, Merged):
        source, start = value.source, value.start
        sizes = [int(size) for size in source.shape[start:]]  # type: ignore[arg-type]
        order = [axis - start for axis in source.axes if axis is not None and axis >= start]
        order += [axis for axis in range(len(sizes)) if axis not in order]
        turned = kernel.reshape(*sizes, -1).transpose(*order, len(sizes))
        kernel = contiguous(turned).reshape(kernel.shape)
        ref, axes = ctx.writer.flattened(source, start), identity(2)
    else:
        axes = _features_last(value)
        ref = ctx.arranged(value, axes)
    keys: dict = {"units": kernel.shape[1]}
    weights = {"kernel": kernel}
    if bias is None:
        keys["use_bias"] = False
    else:
        weights["bias"] = np.broadcast_to(bias.reshape(-1), (kernel.shape[1],))
    made = ctx.layer("dense", [ref], keys, weights)
    result = ctx.held_as(made, axes, value.rank)
    return result


def _features_last(value: Held) -> tuple[int | None, ...]:
    """The held order with the last logical axis at the end and at least one axis before it."""
    last = value.rank - 1
    if value.rank == 2 and None in value.axes:  # an image with a single cell
        return identity(2)
    if len(value.axes) > 1 and value.axes[-1] == last:
        return value.axes
    rest = tuple(axis for axis in range(value.rank - 1))
    return (*rest, last) if rest else (None, last)


@op("Gemm", attributes="alpha beta broadcast transA transB")
def gemm(ctx: Context) -> None:
    """alpha·A·B + beta·C, where either factor may be transposed."""
    ctx.floats()
    if ctx.is_computed(1):
        return _gemm_of_two(ctx)
    kernel = ctx.array(1, "the second factor").astype(ctx.writer.dtype, copy=False)
    value = ctx.tensor()
    if kernel.ndim != 2 or isinstance(value, Known) or value.rank != 2:
        raise Refusal("the factors have to be matrices")
    kernel = kernel.T if ctx.integer("transB", 0) else kernel
    if ctx.integer("transA", 0):
        value = ctx.settled(value)
        swap = {0: 1, 1: 0, None: None}
        shape = (value.shape[1], value.shape[0])
        value = Held(value.ref, value.dtype, shape, tuple(swap[axis] for axis in value.axes))
    if value.shape[1] != kernel.shape[0]:
        raise Refusal(f"{value.shape[1]} columns times {kernel.shape[0]} rows")
    alpha, beta = ctx.number("alpha", 1.0), ctx.number("beta", 1.0)
    kernel = kernel * np.asarray(alpha, kernel.dtype) if alpha != 1 else kernel
    bias, rest = None, None
    if ctx.has(2) and beta != 0:
        known = ctx.known(2)
        if (
            known is not None
            and known.size in (1, kernel.shape[1])
            and known.shape[-1:] != (1,) * (known.size != 1)
        ):
            bias = known.reshape(-1) * np.asarray(beta, known.dtype)
        else:
            rest = ctx.value(2)
    result = dense(ctx, value, kernel, bias)
    if rest is not None:
        text = "a + b" if beta == 1 else f"a + {beta!r} * b"
        result = equation(ctx, text, {"a": result, "b": rest}, fallback="gemm")
    ctx.give(result)


def _gemm_of_two(ctx: Context) -> None:
    """Gemm of two computed factors."""
    factors = []
    for position, name in ((0, "transA"), (1, "transB")):
        value = ctx.held(position)
        if value.rank != 2:
            raise Refusal("the factors have to be matrices")
        if ctx.integer(name, 0):
            swap = {0: 1, 1: 0, None: None}
            value = Held(value.ref, value.dtype, value.shape[::-1], tuple(swap[axis] for axis in value.axes))
        factors.append(value)
    operands: dict = {"p": product(ctx, *factors)}
    alpha, beta = ctx.number("alpha", 1.0), ctx.number("beta", 1.0)
    text = "p" if alpha == 1 else f"{alpha!r} * p"
    if ctx.has(2) and beta != 0:
        text += " + c" if beta == 1 else f" + {beta!r} * c"
        operands["c"] = ctx.value(2)
    ctx.give(operands["p"] if text == "p" else equation(ctx, text, operands, fallback="gemm"))


@op("MatMul")
def matmul(ctx: Context) -> None:
    """A product; a dense layer if the second factor is a constant matrix."""
    ctx.floats()
    first, second = ctx.tensor(0), ctx.tensor(1)
    if isinstance(second, Known) and second.array.ndim == 2 and not isinstance(first, Known) and first.rank:
        if first.shape[-1] != second.array.shape[0]:
            raise Refusal(f"{first.shape[-1]} columns times {second.array.shape[0]} rows")
        return ctx.give(dense(ctx, first, ctx.array(1, "the second factor"), None))
    ctx.give(product(ctx, ctx.held(0), ctx.held(1)))


def product(ctx: Context, first: Held, second: Held) -> Held:
    """The product of two computed tensors."""
    if not first.rank or not second.rank:
        raise Refusal("a factor is a single number")
    refs = [ctx.arranged(factor, identity(factor.rank)) for factor in (first, second)]
    ref = ctx.layer("matmul", refs)
    rank = len(ctx.writer.sketch.type_of(ref).shape)
    if not rank:
        return Held(ctx.writer.reshaped(ref, (1,)), first.dtype, (), (None,))
    return ctx.held_as(ref, identity(rank), rank)
