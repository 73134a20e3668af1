"""Imports an ONNX graph as a spec: declares inputs, converts nodes, collects outputs.

One run finds all unsupported nodes that an output depends on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.specs.dims import Range, dim_symbols

from .arrange import arranged, channels_last, held_of, identity
from .choices import Choices, with_choices
from .conversion import Conversion, reasons
from .errors import Finding, NeedsValue, OnnxError, Refusal
from .idioms import recognized
from .names import Names, safe
from .network import NetworkWriter
from .operands import Held, Known, empty
from .precision import float_type
from .reading import OnnxGraph, Port
from .spec import SpecTree, needed_layers, write_tree
from .tensors import HELD_AS
from .unrolled import folded


@dataclass(frozen=True)
class Imported:
    """A spec with its weights.

    ``inputs`` and ``outputs`` map the ONNX model's names to those in the spec. Outputs that are constant are in
    ``constants``.
    """

    tree: SpecTree
    weights: Mapping[str, NDArray]
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    constants: Mapping[str, NDArray]
    narrow: Mapping[str, str]
    """The element types of outputs that the language holds in a wider type."""
    notes: tuple[str, ...] = ()
    """What could be better, and why."""


def import_graph(
    graph: OnnxGraph,
    model: str,
    *,
    bound: Mapping[str, NDArray] | None = None,
    held: Mapping[str, Sequence[int]] | None = None,
    native_outputs: bool = False,
    ranges: Mapping[str, Range] | None = None,
    multiples: Mapping[str, int] | None = None,
    keep_constants: bool = False,
) -> Imported:
    """Imports a graph as a spec.

    ``bound`` are inputs with a known value. ``held`` are inputs whose interface changes, with their new order of axes;
    ``native_outputs`` leaves outputs in the order in which they are held. ``ranges`` are the limits of open sizes,
    ``multiples`` what they are multiples of. ``keep_constants`` leaves constant outputs out of the spec.

    Raises OnnxError with a finding for each unsupported node, and NeedsValue if an input should be bound.
    """

    def attempt(choices: Choices, graph: OnnxGraph) -> Imported:
        importer = _Import(
            recognized(graph), graph.readers, bound or {}, held or {}, native_outputs, keep_constants
        )
        importer.writer.sketch.ranges.update(ranges or {})
        importer.writer.sketch.multiples.update(multiples or {})
        importer.conversion.choices = choices
        return importer.run(model)

    loops, reason = _with_loops(graph)
    if loops is not graph:
        try:
            return with_choices(partial(attempt, graph=loops))
        except (OnnxError, NeedsValue) as error:
            reason = f"{_STEPS}: {error.findings[0] if error.findings else error}"
    imported = with_choices(partial(attempt, graph=graph))
    return replace(imported, notes=(*imported.notes, reason)) if reason else imported


#: The warning for a recurrence that is not recognized as one.
_STEPS = "what the model has written out step by step stays so"


def _with_loops(graph: OnnxGraph) -> tuple[OnnxGraph, str]:
    """Converts unrolled steps to loops. Returns the graph, and the reason if that is impossible because of unknown
    attributes.
    """
    try:
        return folded(graph), ""
    except (
        LookupError,
        TypeError,
        ValueError,
    ) as error:  # attributes of other types, which the import reports
        return graph, f"{_STEPS}: {type(error).__name__}: {error}"


class _Import:
    def __init__(
        self,
        graph: OnnxGraph,
        readers: Mapping[str, int],
        bound: Mapping[str, NDArray],
        held: Mapping[str, Sequence[int]],
        native_outputs: bool,
        keep_constants: bool,
    ):
        self.graph, self.bound, self.held = graph, bound, held
        self.native_outputs, self.keep_constants = native_outputs, keep_constants
        self.names = Names()
        self.findings: list[Finding] = []
        self.writer = NetworkWriter(float_type(graph), self.names)
        self.conversion = Conversion(self.writer, graph, dict(readers))
        self.values = self.conversion.values
        self.inputs: dict[str, str] = {}

    def run(self, model: str) -> Imported:
        for port in self.graph.inputs:
            try:
                self.declare(port)
            except Refusal as refusal:
                raise OnnxError(f"the input {port.name!r}: {refusal.reason}") from None
        read_last = self.graph.read_last
        for place, node in enumerate(self.graph.nodes):
            self.conversion.visit(node)
            self.conversion.forget(read_last.get(place, ()))
        findings, needed = reasons(self.conversion.missing(self.graph.outputs))
        if needed is not None:
            needed.findings = findings
            raise needed
        if findings:
            raise OnnxError(findings)
        return self.finished(model)

    def declare(self, port: Port) -> None:
        self.conversion.depends[port.name] = frozenset({port.name})
        if port.name in self.bound:
            self.values[port.name] = Known.of(np.asarray(self.bound[port.name], port.dtype), port.name)
            return
        if 0 in port.shape:  # there is only one such array
            array = empty(port.shape, port.dtype)
            if not isinstance(array, Known):
                raise Refusal(f"an empty tensor [{', '.join(map(str, port.shape))}] has open sizes")
            self.values[port.name] = replace(array, name=port.name)
            return
        name = self.names.fresh([safe(port.name)], "input")
        axes: tuple[int | None, ...] = tuple(self.held.get(port.name, identity(len(port.shape))))
        value = Held(name, port.dtype, port.shape, axes)
        self.writer.declare(name, HELD_AS.get(port.dtype, port.dtype), value.held_shape)
        self.values[port.name] = value
        self.inputs[port.name] = name

    # Outputs.

    def output_axes(self, tensor: Held) -> tuple[int | None, ...]:
        """The order of an output's axes."""
        whole = len(tensor.axes) == tensor.rank and None not in tensor.axes
        if self.native_outputs and (whole or tensor.rank > 3):
            return tensor.axes if whole else channels_last(tensor.rank)
        return identity(tensor.rank)

    def finished(self, model: str) -> Imported:
        writer = self.writer
        outputs: dict[str, str] = {}
        constants: dict[str, NDArray] = {}
        narrow: dict[str, str] = {}
        names = Names(self.writer.inputs)
        shown: dict[str, str] = {}
        for name in dict.fromkeys(self.graph.outputs):
            value = self.values[name]
            if isinstance(value, Known) and self.keep_constants and not value.is_open:
                constants[name] = value.array
                continue
            try:
                tensor = held_of(writer, value)
                ref = arranged(writer, tensor, self.output_axes(tensor))
            except Refusal as refusal:
                self.findings.append(Finding(f"the output {name}: {refusal.reason}"))
                continue
            role = tensor.ref.replace(".", "_")  # a name that is just a number: use that of the layer
            outputs[name] = names.fresh([role if name.isdecimal() else None, safe(name)], "output")
            narrow |= {name: tensor.dtype} if tensor.dtype in HELD_AS else {}
            shown[outputs[name]] = ref
        if self.findings:
            raise OnnxError(self.findings)
        if outputs and not writer.layers:  # a spec needs at least one layer
            for here, ref in shown.items():
                shown[here] = writer.add(
                    "expression", [ref], {"value": "x"}, {}, [], variables=["x"], fallback="same"
                )
        used = {symbol for port in self.graph.inputs for size in port.shape for symbol in dim_symbols(size)}
        batch = {
            str(port.shape[0]) for port in self.graph.inputs if port.shape and dim_symbols(port.shape[0])
        }
        times = writer.times()
        roles = {
            name: "batch" if name in batch else "time" if name in times else "size" for name in sorted(used)
        }
        sketch = writer.sketch
        dims = {
            name: _dim(role, *sketch.ranges.get(name, (1, None)), sketch.multiples.get(name, 1))
            for name, role in roles.items()
        }
        writer.share(needed_layers(writer, shown.values()))
        tree = write_tree(model, dims, writer, shown)
        written = {layer["name"] for layer in tree["layers"]}
        weights = {
            f"{name}.{key}": array
            for name, layer in writer.layers.items()
            if name in written
            for key, array in layer.weights.items()
        }
        notes = tuple(writer.notes)
        return Imported(tree, weights, self.inputs, outputs, constants, narrow, notes)


def _dim(role: str, least: int | None, most: int | None, multiple: int) -> str | dict[str, Any]:
    """An open size as a spec declares it."""
    least = -(-(least or 1) // multiple) * multiple
    bounds = {**({"min": least} if least > multiple else {}), **({} if most is None else {"max": most})}
    bounds |= {"multiple_of": multiple} if multiple > 1 else {}
    return {"role": role, **bounds} if bounds else role
