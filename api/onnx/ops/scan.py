"""Scan: a loop over time, usually converted to a recurrent layer with its own cell."""

from __future__ import annotations

from ..context import Context
from ..errors import OnnxError, Refusal
from ..loops import Given, Iteration, Read, State, run
from ..reading import Subgraph
from .table import op

_ATTRIBUTES = (
    "body directions num_scan_inputs scan_input_axes scan_input_directions"
    " scan_output_axes scan_output_directions"
)


@op("Scan", attributes=_ATTRIBUTES, since=8)
def scan(ctx: Context) -> None:
    """A loop over time. If a cell of the language can have its body, it becomes a recurrent layer.

    The first axis of what a step reads and outputs are the samples. If the body works across that axis, or in opset 8,
    each step handles one sample. Any other body is unrolled if the number of steps is known.
    """
    graph = ctx.attribute("body")
    if not isinstance(graph, Subgraph):
        raise Refusal("a graph is expected", "body")
    try:
        body = graph.read(ctx.node.captures)
    except OnnxError as error:
        raise Refusal(str(error), "body") from None
    old = ctx.opset < 9
    inputs = list(range(1 if old else 0, len(ctx.node.inputs)))
    count = ctx.integer("num_scan_inputs", 0)
    states = len(inputs) - count
    if not 0 < count <= len(inputs) or len(body.inputs) != len(inputs):
        raise Refusal(f"{count} scan inputs of {len(inputs)}", "num_scan_inputs")
    if len(body.outputs) != len(ctx.node.outputs) or len(body.outputs) < states:
        raise Refusal("the outputs are not those of the body", "body")
    given = len(body.outputs) - states
    reads = _reads(ctx, inputs[states:], old)
    axes = ctx.integers("scan_output_axes") or [0] * given
    if len(axes) != given:
        raise Refusal(f"{len(axes)} axes for {given} outputs", "scan_output_axes")
    run(
        ctx,
        Iteration(
            body,
            tuple(State(operand, i) for i, operand in enumerate(inputs[:states])),
            reads,
            tuple(Given(states + i, axis) for i, axis in enumerate(axes)),
            ctx.captured,
            reads[0].value.shape[reads[0].time],
            reverse=_is_reverse(ctx, count, given, old),
            batched=old,
        ),
    )


def _reads(ctx: Context, operands: list[int], old: bool) -> tuple[Read, ...]:
    axes = ctx.integers("scan_input_axes") or [0] * len(operands)
    if len(axes) != len(operands):
        raise Refusal(f"{len(axes)} axes for {len(operands)} inputs", "scan_input_axes")
    reads = []
    for position, axis in zip(operands, axes, strict=True):
        value = ctx.held(position)
        if old:
            if value.rank < 2:
                raise Refusal(f"a scan input of {value.rank} axes")
            reads.append(Read(value, 1))
            continue
        if not -value.rank <= axis < value.rank:
            raise Refusal(f"there is no axis {axis} among {value.rank}", "scan_input_axes")
        reads.append(Read(value, axis % value.rank))
    return tuple(reads)


def _is_reverse(ctx: Context, count: int, given: int, old: bool) -> bool:
    """Whether time runs backwards, which must be the same for all inputs and outputs. Raises Refusal."""
    name = "directions" if old else "scan_input_directions"
    read = ctx.integers(name) or [0] * count
    written = [read[0]] * given if old else ctx.integers("scan_output_directions") or [0] * given
    if len(read) != count or len(written) != given or len({*read, *written}) != 1:
        raise Refusal("inputs and outputs of one loop run in different directions", name)
    return bool(read[0])
