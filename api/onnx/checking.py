"""Checks before a file is read at all: that names are text, and that functions end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from graphlib import CycleError, TopologicalSorter

import onnx

from .errors import OnnxError

#: The largest number of nodes of a model after its functions are inlined.
MAX_NODES = 1_000_000


def check_text(model: onnx.ModelProto) -> None:
    """Raises OnnxError for names that are not text: protocol buffers return bytes for those."""

    def texts(graph: onnx.GraphProto) -> Iterator[object]:
        yield graph.name
        for tensor in graph.initializer:
            yield tensor.name
            yield from (part for entry in tensor.external_data for part in (entry.key, entry.value))
        for value in (*graph.input, *graph.output):
            yield value.name
            yield from (size.dim_param for size in value.type.tensor_type.shape.dim)
        for node in graph.node:
            yield from node_texts(node)

    def node_texts(node: onnx.NodeProto) -> Iterator[object]:
        yield from (node.name, node.op_type, node.domain, *node.input, *node.output)
        yield from (part for entry in node.metadata_props for part in (entry.key, entry.value))
        for attribute in node.attribute:
            yield from (attribute.name, attribute.ref_attr_name, attribute.t.name)
            if attribute.HasField("g"):
                yield from texts(attribute.g)

    functions = (text for f in model.functions for node in f.node for text in node_texts(node))
    names = (text for f in model.functions for text in (f.name, f.domain, *f.input, *f.output))
    opsets = (entry.domain for entry in model.opset_import)
    for text in (*opsets, *names, *functions, *texts(model.graph)):
        if not isinstance(text, str):
            raise OnnxError(f"the name {text!r} is no text")


def check_functions(model: onnx.ModelProto) -> None:
    """Raises OnnxError if functions that call functions would expand to too many nodes, or never end."""
    bodies = {(function.domain, function.name): function for function in model.functions}
    sizes: dict[tuple[str, str], int] = {}

    def nodes_of(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
        waiting = list(nodes)
        while waiting:
            node = waiting.pop()
            yield node
            waiting += [inner for attr in node.attribute if attr.HasField("g") for inner in attr.g.node]

    def calls(nodes: Iterable[onnx.NodeProto]) -> list[tuple[str, str]]:
        return [(node.domain, node.op_type) for node in nodes_of(nodes)]

    called = {key: calls(body.node) for key, body in bodies.items()}
    try:
        order = list(
            TopologicalSorter(
                {key: bodies.keys() & set(callees) for key, callees in called.items()}
            ).static_order()
        )
    except CycleError as error:
        raise OnnxError(f"the function {error.args[1][0][1]!r} calls itself") from None
    for key in order:
        sizes[key] = min(1 + sum(sizes.get(callee, 1) for callee in called[key]), MAX_NODES + 1)
    if sum(sizes.get(callee, 1) for callee in calls(model.graph.node)) > MAX_NODES:
        raise OnnxError(f"the model's functions would become more than {MAX_NODES:,} nodes")
