"""If: one branch if the condition is known at import time, otherwise both and a selection."""

from __future__ import annotations

from netwright.specs.dims import Dim

from ..arrange import regrouped
from ..context import Context
from ..errors import NeedsValue, OnnxError, Refusal
from ..operands import Held, Value
from ..reading import Subgraph
from .broadcast import equation
from .table import op


@op("If", attributes="else_branch then_branch", since=1)
def branches(ctx: Context) -> None:
    """One branch, if sizes, constants or given inputs decide the condition; otherwise both, and a selection.

    An open size is restricted to values for which one branch is right. A selection requires results of the same type.
    """
    if (known := ctx.known(0)) is not None:
        if known.size != 1:
            raise Refusal(f"the condition has {known.size} elements")
        truth = known.item()
        if isinstance(truth, Dim):
            truth = ctx.conversion.choices.take(ctx.node.outputs[0], truth, ctx.writer.sketch.ranges)
        for position, value in enumerate(_results(ctx, "then_branch" if truth else "else_branch")):
            ctx.give(value, position)
        return
    condition = ctx.settled(ctx.value())
    if any(size != 1 for size in condition.shape):
        raise Refusal(f"the condition has the shape {[str(size) for size in condition.shape]}")
    condition = regrouped(ctx.writer, condition, (), may_merge=False)
    assert isinstance(condition, Held)
    both = [_results(ctx, name) for name in ("then_branch", "else_branch")]
    for position, (a, b) in enumerate(zip(*both, strict=True)):
        if ctx.wants(position):
            ctx.give(_selected(ctx, condition, a, b), position)


def _results(ctx: Context, name: str) -> list[Value]:
    """The outputs of a branch."""
    graph = ctx.attribute(name)
    if not isinstance(graph, Subgraph):
        raise Refusal("a graph is expected", name)
    try:
        body = graph.read(ctx.node.captures)
    except OnnxError as error:
        raise Refusal(str(error), name) from None
    if body.inputs:
        raise Refusal("a branch has inputs", name)
    values = ctx.conversion.inlined(body, [])
    if len(values) != len(ctx.node.outputs):
        raise Refusal(f"gives {len(values)} values, {len(ctx.node.outputs)} are expected", name)
    return values


def _selected(ctx: Context, condition: Held, a: Value, b: Value) -> Value:
    """Selects one of two values of the same type. Raises NeedsValue if the types differ."""
    if a == b:
        return a
    if (a.dtype, a.shape) != (b.dtype, b.shape):
        types = " and ".join(f"{value.dtype}[{', '.join(map(str, value.shape))}]" for value in (a, b))
        name = ctx.node.inputs[0]
        what = f"the branches give {types}, so the condition"
        raise NeedsValue(name, what, ctx.runtime.get(name, frozenset()))
    return equation(ctx, "where(c, a, b)", {"c": condition, "a": a, "b": b}, fallback="select")
