"""Exports loops over time as ONNX's Scan, whose body is exported by its primitives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netwright.compiler.graph.graph import Graph
from netwright.compiler.graph.node import Node, Value

from .context import Exporter
from .primitives import emit_node
from .writer import OnnxWriter


def export_scan(e: Exporter, node: Node, operands: Sequence[Value]) -> None:
    """The carries are states, xs inputs and ys outputs; parameters are read from the outer graph. ONNX wants an input
    that says how many steps there are: without xs, that is 0, 1, 2, …, which the body does not read."""
    attrs: Any = node.attrs
    consts = operands[: attrs.n_consts]
    carries = operands[attrs.n_consts : attrs.n_consts + attrs.n_carries]
    xs = operands[attrs.n_consts + attrs.n_carries :]
    outer = [e.last(value) for value in consts]
    body = _body(e, attrs.body, outer, counted=not xs)
    sequences = [e.last(value) for value in xs] or [e.writer.numbers(attrs.length)]
    ys = len(node.types) - attrs.n_carries
    results = e.writer.add_many(
        "Scan",
        [*(e.last(value) for value in carries), *sequences],
        len(node.types),
        body=body,
        num_scan_inputs=len(sequences),
        scan_input_directions=[int(attrs.reverse)] * len(sequences) if attrs.reverse else None,
        scan_output_directions=[int(attrs.reverse)] * ys if attrs.reverse and ys else None,
    )
    for value, name in zip(node.values, results, strict=True):
        e.give(value, name)


def _body(e: Exporter, graph: Graph, outer: Sequence[str], *, counted: bool) -> Any:
    writer = OnnxWriter(e.writer.names, e.writer)
    writer.layer = e.writer.layer
    inner = Exporter(graph, writer, {})
    inputs = []
    for position, (name, value) in enumerate(graph.inputs.items()):
        if position < len(outer):
            inner.give(value, outer[position])
            continue
        safe = "".join(c if c.isalnum() else "_" for c in name).strip("_")
        own = writer.name(f"{writer.layer}_{safe}")
        inner.give(value, own)
        inputs.append((own, inner.dtype(value), inner.shape(value)))
    if counted:
        inputs.append((writer.name(f"{writer.layer}_step_number"), "int64", ()))
    for node in graph:
        if node.op != "input":
            emit_node(inner, node)
    outputs = []
    for value in graph.outputs.values():
        # Each output needs its own name, even if one value is returned twice.
        name = writer.add("Identity", [inner.last(value)])
        outputs.append((name, inner.dtype(value), inner.shape(value)))
    return writer.graph(f"{writer.layer}_step", inputs, outputs)
