"""Checks calls: sub-buffers, dims, aliasing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import gcd

from netwright.specs.dims import DimLike, constant_term, product, substitute

from .. import ir
from ..typing import VerifyError
from .context import Context, shape_text


def check_call(context: Context, call: ir.Call, functions: Mapping[str, ir.Function]) -> None:
    """Checks a call of one of ``functions``: its dims, its buffers, and that the buffers do not alias."""
    what = f"call of {call.function}"
    callee = functions.get(call.function)
    if callee is None:
        raise VerifyError(f"{what}: there is no such function")
    if callee.name == context.function.name:
        raise VerifyError(f"{what}: a function that calls itself")
    context.sizes(what, *call.dims)
    if len(call.dims) != len(callee.dims):
        raise VerifyError(f"{what}: {len(call.dims)} dims for {len(callee.dims)}")
    binding = {name: value for (name, _), value in zip(callee.dims, call.dims, strict=True)}
    for (name, least), value in zip(callee.dims, call.dims, strict=True):
        context.prove(value - least, f"{what}: {name} = {value}")
    parameters = callee.parameters
    if len(call.buffers) != len(parameters):
        raise VerifyError(f"{what}: {len(call.buffers)} buffers for {len(parameters)}")
    for slice, parameter in zip(call.buffers, parameters, strict=True):
        _check_slice(context, f"{what}, {parameter.name}", slice, parameter, binding)
    for position, (slice, parameter) in enumerate(zip(call.buffers, parameters, strict=True)):
        for other, second in zip(call.buffers[:position], parameters, strict=False):
            if {parameter.access, second.access} != {"read"} and not _disjoint(context, slice, other):
                raise VerifyError(f"{what}: {parameter.name} and {second.name} may be the same memory")
    if context.partition is not None and has_threads(callee, functions):
        raise VerifyError(f"{what}: it divides work over threads, inside a parallel loop")


def _check_slice(
    context: Context, what: str, slice: ir.Slice, parameter: ir.Buffer, binding: Mapping[str, DimLike]
) -> None:
    access = parameter.access
    buffer = context.buffer(slice.buffer, access != "write", access != "read")
    context.sizes(what, *slice.leading, *(slice.shape or ()))
    if buffer.dtype != parameter.dtype:
        raise VerifyError(f"{what}: {slice.buffer} is {buffer.dtype}, not {parameter.dtype}")
    shape = buffer.shape if slice.shape is None else slice.shape
    if product(shape) != product(buffer.shape):
        raise VerifyError(f"{what}: {slice.buffer} has no shape {shape_text(shape)}")
    if len(slice.leading) > len(shape):
        raise VerifyError(f"{what}: {len(slice.leading)} indices for {len(shape)} axes")
    for axis, (index, size) in enumerate(zip(slice.leading, shape, strict=False)):
        where = f"{what}: {slice.buffer}, axis {axis} (index {index}, size {size})"
        context.prove(index, where)
        context.prove(size - 1 - index, where)
    given = product(shape[len(slice.leading) :])
    wanted = product(substitute(extent, binding) for extent in parameter.shape)
    if given != wanted:
        raise VerifyError(f"{what}: it wants {wanted} elements and gets {given}")
    if context.partition is not None and not buffer.local:
        context.partition.access(context.prover, buffer.name, shape, slice.leading, access != "read")


def _disjoint(context: Context, a: ir.Slice, b: ir.Slice) -> bool:
    """Whether two slices share no element: they are of different buffers, or differ in an index of an axis that both
    have."""
    if a.buffer != b.buffer:
        return True
    own = context.buffers[a.buffer].shape
    shapes = (own if part.shape is None else part.shape for part in (a, b))
    for left, right, size, other in zip(a.leading, b.leading, *shapes, strict=False):
        if size != other:
            return False
        difference = left - right
        if isinstance(difference, int):
            if difference:
                return True
            continue
        common = gcd(*(factor for monomial, factor in difference.terms if monomial))
        if constant_term(difference) % common:
            return True
    return False


def has_threads(function: ir.Function, functions: Mapping[str, ir.Function]) -> bool:
    """Whether a function, or one that it calls, divides work over threads or has a barrier."""
    for statement in statements_of(function.body):
        if isinstance(statement, ir.Barrier) or (
            isinstance(statement, ir.For) and statement.kind == "parallel"
        ):
            return True
        if isinstance(statement, ir.Call) and has_threads(functions[statement.function], functions):
            return True
    return False


def statements_of(body: Iterable[ir.Stmt], into_parallel: bool = True) -> Iterator[ir.Stmt]:
    """All statements in ``body``, nested ones included (those of parallel loops only if ``into_parallel``)."""
    stack = [iter(body)]
    while stack:
        for statement in stack[-1]:
            yield statement
            if isinstance(statement, ir.For):
                if into_parallel or statement.kind != "parallel":
                    stack.append(iter(statement.body))
                    break
            elif isinstance(statement, ir.If):
                stack.append(iter((*statement.body, *statement.orelse)))
                break
            elif isinstance(statement, ir.Divide):
                stack.append(iter(statement.body))
                break
        else:
            stack.pop()
