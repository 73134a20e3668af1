"""Exports a network to an ONNX model, layer by layer, in the order of the graph."""

from __future__ import annotations

from collections.abc import Mapping

import onnx
from numpy.typing import NDArray
from onnx import helper

from netwright.compiler.frontend.expander import Expander
from netwright.compiler.frontend.layers.registry import EXPANSIONS
from netwright.compiler.graph.analysis import ancestors
from netwright.compiler.graph.node import InputAttributes, Node
from netwright.specs.dims import Dim
from netwright.specs.load import LoadResult
from netwright.specs.models.layers.base import LayerSpec
from netwright.specs.models.layers.recurrent import LENGTHS, GatedLayer

from ...version import VERSION
from ..errors import Finding, OnnxError, Refusal
from ..metadata import note_sizes
from ..names import Names
from .context import Exporter
from .layers import LAYERS, ExportLayer
from .primitives import PRIMITIVES, emit_node
from .recurrent import export_gated
from .scan import export_scan
from .writer import OnnxWriter, renamed

#: The oldest opset that has all operators used, including LayerNormalization.
OPSET = 17
IR_VERSION = 8


def export_graph(load: LoadResult, weights: Mapping[str, NDArray]) -> onnx.ModelProto:
    """The model for prediction. Raises OnnxError with a finding for each layer that can't be exported."""
    assert load.model is not None
    expander = Expander(load, "export", EXPANSIONS)
    expander.expand()
    graph = expander.graph
    for name, ref in load.wiring.outputs.items():
        graph.set_output(name, expander.signals[ref].tensor.value)
    writer = OnnxWriter(Names([*load.model.inputs, *load.model.outputs]))
    exporter = Exporter(graph, writer, weights)
    for name, value in graph.inputs.items():
        attrs = graph.producer(value).attrs
        assert isinstance(attrs, InputAttributes)
        if attrs.role == "input":
            exporter.give(value, name)
            for axis, size in enumerate(attrs.type.shape):
                if isinstance(size, Dim) and str(size).isidentifier():
                    writer.know_size(str(size), name, axis)
    _Layers(exporter, expander, load).export()
    return _finished(load, exporter)


PRIMITIVES["scan"] = export_scan


class _Layers:
    def __init__(self, exporter: Exporter, expander: Expander, load: LoadResult):
        self.exporter, self.expander, self.load = exporter, expander, load
        self.nodes: dict[str, list[Node]] = {}
        graph = exporter.graph
        needed = {value.node for value in ancestors(graph, graph.outputs.values())}
        for node in graph:
            if node.op != "input" and node.id in needed:
                self.nodes.setdefault(node.layer, []).append(node)
        self.findings: list[Finding] = []
        self.broken: set[int] = set()
        """The nodes of layers that can't be exported. Their readers are not reported."""

    def export(self) -> None:
        """All layers that an output depends on."""
        for node in self.nodes.get("", ()):
            emit_node(self.exporter, node)
        lost: set[int] = set()  # outputs of refused layers, and everything that reads them
        for info in self.expander.layers:
            spec = self.expander.layer(info.name)
            assert spec is not None
            self.exporter.writer.layer = info.name
            nodes = self.nodes.get(info.name, ())
            if lost.intersection(
                value.node for node in nodes for value in self.exporter.graph.operands(node)
            ):
                lost.update(node.id for node in nodes)
                continue
            try:
                self.layer(spec)
            except Refusal as refusal:
                lost.update(node.id for node in nodes)
                self.findings.append(Finding(refusal.reason, info.name, info.type, refusal.attribute))
                self.broken |= {node.id for node in self.nodes.get(info.name, ())}
        if self.findings:
            raise OnnxError(self.findings)

    def layer(self, spec: LayerSpec) -> None:
        """One layer: by its own operator, or by its primitives."""
        wiring, signals = self.load.wiring, self.expander.signals
        inputs = [signals[ref].tensor.value for ref in wiring.inputs.get(spec.name, ())]
        steps = [s for ref in wiring.inputs.get(spec.name, ()) if (s := signals[ref].lengths) is not None]
        given = {state: signals[ref].tensor.value for state, ref in wiring.given.get(spec.name, {}).items()}
        ports = {ref.port or "": s.tensor.value for ref, s in signals.items() if ref.name == spec.name}
        nodes = self.nodes.get(spec.name, [])
        done = all(self.exporter.known(value) for value in ports.values())
        if not nodes or done:
            return
        graph = self.exporter.graph
        if any(operand.node in self.broken for node in nodes for operand in graph.operands(node)):
            self.broken |= {node.id for node in nodes}
            return
        export = None if spec.weights else self.named(spec)
        if steps and isinstance(spec, GatedLayer):
            given[LENGTHS] = steps[0].value
        if (
            export is not None
            and (not steps or LENGTHS in given)
            and all(self.exporter.known(value) for value in (*inputs, *given.values()))
        ):
            starts = {f"initial {state}": value for state, value in given.items()}
            if export(self.exporter, spec, inputs, {**ports, **starts}):
                return
        for node in nodes:
            emit_node(self.exporter, node)

    @staticmethod
    def named(spec: LayerSpec) -> ExportLayer | None:
        """The exporter of a layer for which ONNX has an operator."""
        if spec.type in ("rnn", "lstm", "gru"):
            return export_gated
        return next((export for kind, export in LAYERS.items() if isinstance(spec, kind)), None)


def _finished(load: LoadResult, exporter: Exporter) -> onnx.ModelProto:
    assert load.model is not None
    graph, writer = exporter.graph, exporter.writer
    inputs = [
        (name, exporter.dtype(value), exporter.shape(value))
        for name, value in graph.inputs.items()
        if graph.input_role(name) == "input"
    ]
    outputs = []
    used: dict[str, str] = {}
    writer.layer = ""
    for name, value in graph.outputs.items():
        result = exporter.last(value)
        if result in used or result in graph.inputs or result in writer.initializers:
            result = writer.add("Identity", [result])
        used[result] = name
        outputs.append((name, exporter.dtype(value), exporter.shape(value)))
    renamed(writer.nodes, used)
    model = helper.make_model(
        writer.graph(load.model.model, inputs, outputs),
        opset_imports=[helper.make_opsetid("", OPSET)],
        producer_name="netwright",
        producer_version=VERSION,
        ir_version=IR_VERSION,
    )
    note_sizes(model, load.model.dims)
    return model
