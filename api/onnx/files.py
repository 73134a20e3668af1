"""Converts ONNX files to specs and weights, and models to ONNX files, for `netwright import` and `netwright export`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import onnx
from google.protobuf.message import EncodeError
from numpy.typing import ArrayLike, NDArray

from netwright.runtime.files.tensors import contiguous, write_tensors
from netwright.specs.files import write_file
from netwright.specs.load import load_spec_text

from ..model import Model
from ..version import VERSION
from ..weights.network import Weights, read_weights
from ..yaml_text import to_yaml
from .errors import Finding, NeedsValue, OnnxError
from .export.exporting import export_graph
from .given import given_inputs
from .importing import Imported, import_graph
from .layout import native_inputs
from .metadata import noted_limits, noted_multiples
from .open_sizes import OpenSizes, Said
from .raw import RawModel, read_file
from .reading import OnnxGraph, ending_at, read_graph

Layout = Literal["onnx", "native"]


class _Arrays(Mapping[str, NDArray]):
    """Weights as views of the model's own arrays. Each becomes a separate array only when it is read, so that writing
    them does not need twice the memory.
    """

    def __init__(self, views: Mapping[str, NDArray]):
        self.views = views

    def __getitem__(self, name: str) -> NDArray:
        return contiguous(self.views[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self.views)

    def __len__(self) -> int:
        return len(self.views)


@dataclass(frozen=True)
class ImportedModel:
    """The result of importing an ONNX model: the text of the spec, and the weights by their names in it.

    ``inputs`` and ``outputs`` map the model's own names to those in the spec.
    """

    spec: str
    weights: Mapping[str, NDArray]
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    same: Mapping[str, str] = field(default_factory=dict)
    """Names of open sizes that were replaced by another name, with that name and the reason."""
    notes: tuple[str, ...] = ()
    """What could be better, and why: recurrences that are unrolled step by step."""

    def save(self, spec: str | os.PathLike[str], weights: str | os.PathLike[str]) -> None:
        """Writes the spec and a safetensors file, each completely or not at all. Raises OSError."""
        model = re.search(r"^model: (\S+)", self.spec, re.MULTILINE)
        metadata = {"netwright": VERSION, "model": model[1] if model else "", "format": "np"}
        arrays = self.weights.views if isinstance(self.weights, _Arrays) else self.weights
        write_tensors(Path(weights), arrays, metadata)
        write_file(spec, self.spec.encode())


def import_model(
    source: str | os.PathLike[str] | onnx.ModelProto,
    *,
    name: str | None = None,
    layout: Layout = "onnx",
    dims: Mapping[str, Said] | None = None,
    inputs: Mapping[str, ArrayLike] | None = None,
    outputs: Sequence[str] = (),
) -> ImportedModel:
    """Imports an ONNX model, or the file it is in, as a spec with weights.

    The model keeps its interface. With the ``layout`` "native" its inputs and outputs have the network's own order of
    axes, without transposes at the border: images are [N, H, W, C] instead of [N, C, H, W], sequences [N, T, F] instead
    of [T, N, F]. ``dims`` describes open sizes of the model's inputs: a number fixes a size, a pair of numbers limits
    it, `"32k"` makes it a multiple, and another size's name makes it equal to that one. Names that the network requires
    to be equal are merged. ``inputs`` fixes whole inputs: they become constants and are no inputs of the spec.
    ``outputs`` are values of the model that become its outputs; nodes after them are left out.

    Raises OnnxError with one finding for each unsupported node that an output depends on.
    """
    raw = RawModel(source) if isinstance(source, onnx.ModelProto) else read_file(source)
    if not isinstance(source, onnx.ModelProto):
        name = name or Path(source).stem
    graph, limits, multiples = read_graph(raw), noted_limits(raw.proto), noted_multiples(raw.proto)
    del raw
    graph = ending_at(graph, outputs) if outputs else graph
    sizes = OpenSizes.said(graph, dims or {})
    own = set(graph.open_sizes()) - set(dims or {})
    sizes = sizes.with_multiples({size: of for size, of in multiples.items() if size in own}).noted(limits)
    bound = given_inputs(sizes.graph, inputs or {})
    model = re.sub(r"\W+", "_", name or graph.name or "model", flags=re.ASCII).strip("_")[:60]
    model = model if re.match("[A-Za-z_]", model) else f"model_{model}"

    def attempt(sizes: OpenSizes, **more: Any) -> Imported:
        known = {"ranges": sizes.ranges, "multiples": sizes.multiples}
        return import_graph(sizes.graph, model, bound=bound, **known, **more)

    try:
        imported, settled = sizes.settle(attempt)
        if layout == "native":
            held = native_inputs(imported)
            del imported  # its weights can be made again
            imported = attempt(settled, held=held, native_outputs=True)
    except NeedsValue as needed:
        raise OnnxError(needed.findings, _inputs_to_settle(graph, needed)) from None
    except OnnxError as error:
        raise OnnxError(error.findings, sizes.help(attempt, error)) from None
    turned = " Inputs and outputs have the network's own order of axes." if layout == "native" else ""
    text = to_yaml(imported.tree, f"Imported from ONNX, opset {graph.opset}.{turned}")
    check(text)
    same = {name: f"{other}: {node} needs it" for name, (other, node) in settled.same.items()}
    names = (imported.inputs, imported.outputs)
    return ImportedModel(text, _Arrays(imported.weights), *names, same, imported.notes)


def _inputs_to_settle(graph: OnnxGraph, needed: NeedsValue) -> str:
    """Advice if the missing value of an input is the cause."""
    small = {port.name for port in graph.inputs if all(size == 1 for size in port.shape)}
    names = sorted(needed.inputs)
    return (
        f"--input {names[0]}=VALUE settles an input ({', '.join(names)})" if small.issuperset(names) else ""
    )


@dataclass(frozen=True)
class ExportedModel:
    """A network's prediction as an ONNX model."""

    proto: onnx.ModelProto

    @property
    def opset(self) -> int:
        """The opset that it uses."""
        return self.proto.opset_import[0].version

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the model, completely or not at all. Raises OSError, and OnnxError for more than 2 GB."""
        try:
            data = self.proto.SerializeToString()
        except (ValueError, EncodeError) as error:
            raise OnnxError(f"the model is too large for one file: {error}") from None
        write_file(path, data)


def export_model(model: Model, weights: Weights) -> ExportedModel:
    """Exports the prediction of a model with its weights (a safetensors file, or arrays by name).

    Inputs and outputs keep their names, shapes and layout. Raises SpecError for a spec with errors, WeightsError, and
    OnnxError with a finding for each layer that can't be exported.
    """
    arrays = read_weights(model.network, weights)
    return ExportedModel(export_graph(model.load, arrays))


def check(text: str) -> Model:
    """The model of an imported spec. Raises OnnxError if the language rejects it after all."""
    model = Model(load_spec_text(text, "<import>"))
    if not model.is_valid:
        raise OnnxError([Finding(error.message) for error in model.diagnostics.errors])
    return model
