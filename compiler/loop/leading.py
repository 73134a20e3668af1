"""Leading axes that a kernel only accesses at one constant index: it can take the sub-buffer there instead.

Step 9 of an unrolled recurrence reads x[9, …] where step 10 reads x[10, …]. With x[9] and x[10] passed by their
callers, both steps are one kernel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from . import ir
from .expressions import operands_of, postorder, with_operands
from .walks import accesses_of


def fixed_indices(function: ir.Function) -> dict[str, tuple[int, ...]]:
    """For each parameter, the leading constant indices that all its accesses share; never the index of the last
    axis."""
    # A buffer is dropped once two of its accesses begin differently, which for most is soon.
    fixed = dict.fromkeys((buffer.name for buffer in function.buffers), ())
    first: dict[str, tuple[int, ...] | None] = {
        buffer.name: None for buffer in function.buffers if not buffer.local and len(buffer.shape) > 1
    }
    accesses = accesses_of(function.body)
    while first and (access := next(accesses, None)) is not None:
        buffer, indices = access.buffer, access.indices
        if buffer not in first:
            continue
        known, same = first[buffer], 0
        begins = indices[:-1] if known is None else known
        while same < len(begins) and isinstance(indices[same], int) and begins[same] == indices[same]:
            same += 1
        if same:
            first[buffer] = begins[:same]  # pyright: ignore[reportArgumentType]
        else:
            del first[buffer]
    return fixed | {name: begins for name, begins in first.items() if begins}


def without_leading(function: ir.Function, counts: Mapping[str, int]) -> ir.Function:
    """The function with the first ``counts[name]`` axes of each buffer removed."""
    if not any(counts.values()):
        return function
    buffers = (replace(buffer, shape=buffer.shape[counts[buffer.name] :]) for buffer in function.buffers)
    return replace(function, buffers=tuple(buffers), body=_shortened(function.body, counts))


def _shortened(body: Sequence[ir.Stmt], counts: Mapping[str, int]) -> tuple[ir.Stmt, ...]:
    statements: list[ir.Stmt] = []
    for statement in body:
        match statement:
            case ir.For():
                statement = replace(statement, body=_shortened(statement.body, counts))
            case ir.If():
                bodies = (_shortened(branch, counts) for branch in (statement.body, statement.orelse))
                statement = replace(statement, **dict(zip(("body", "orelse"), bodies, strict=True)))
            case ir.Declare() | ir.Assign() | ir.Store() | ir.LetIndex():
                value = _expression(statement.value, counts)
                if isinstance(statement, ir.Store) and counts[statement.buffer]:
                    indices = statement.indices[counts[statement.buffer] :]
                    statement = replace(statement, value=value, indices=indices)
                elif value is not statement.value:
                    statement = replace(statement, value=value)
            case ir.Prefetch(buffer, indices):
                statement = ir.Prefetch(buffer, indices[counts[buffer] :])
            case _:
                pass
        statements.append(statement)
    return tuple(statements)


def _expression(expr: ir.Expr, counts: Mapping[str, int]) -> ir.Expr:
    made: dict[int, ir.Expr] = {}
    for node in postorder(expr):
        if isinstance(node, ir.Load) and counts[node.buffer]:
            made[id(node)] = replace(node, indices=node.indices[counts[node.buffer] :])
        else:
            made[id(node)] = with_operands(node, [made[id(operand)] for operand in operands_of(node)])
    return made[id(expr)]
