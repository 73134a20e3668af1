"""ONNX files to specs and weights, the way `netwright import` does it."""

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

from netwright.runtime.tensors import contiguous, write_tensors
from netwright.specs.files import write_file
from netwright.specs.load import load_spec_text

from ..model import Model
from ..network_weights import Weights, read_weights
from ..version import VERSION
from .errors import Finding, NeedsValue, OnnxError
from .export.exporting import export_graph
from .given import given_inputs
from .importing import Imported, import_graph
from .layout import native_inputs
from .metadata import noted_limits, noted_multiples
from .open_sizes import OpenSizes, Said
from .raw import RawModel, read_file
from .reading import OnnxGraph, ending_at, read_graph
from .spec import to_yaml

Layout = Literal["onnx", "native"]


class _Arrays(Mapping[str, NDArray]):
    """Weights that are views of the model's own, each made an array of its own when it is asked for: so all of them
    are not in memory twice while they are written."""

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
    """What became of an ONNX model: the text of its spec, and its weights by the names they have here.

    ``inputs`` and ``outputs`` tell which of the model's own names became which.
    """

    spec: str
    weights: Mapping[str, NDArray]
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    same: Mapping[str, str] = field(default_factory=dict)
    """Names of open sizes that became another one's, with that one and why."""
    notes: tuple[str, ...] = ()
    """What is not as it could be, and why: recurrences that are written out step by step."""

    def save(self, spec: str | os.PathLike[str], weights: str | os.PathLike[str]) -> None:
        """Writes the spec and a safetensors file, each whole or not at all. Raises OSError."""
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
    """An ONNX model, or the file it is in, as a spec with weights.

    The model keeps its interface. With ``layout`` "native" its inputs and outputs have the order of axes in which the
    network holds them, and no transpose stands at its border: images are [N, H, W, C] instead of [N, C, H, W],
    sequences [N, T, F] instead of [T, N, F]. ``dims`` settles open sizes of the model's inputs, or says between which
    numbers they are, what they are a multiple of (`"32k"`) or which other one they are the same as (its name); names
    that the network needs to be the same are made one. ``inputs`` settles inputs as a whole: they are constants then,
    and no inputs of the spec. ``outputs`` are values of the model that become its outputs: what comes after them is
    left out. Raises OnnxError with one finding for each node that is not supported and that an output
    needs.
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
            del imported  # its weights are made once more
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
    """What would help where the value of an input is at fault."""
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
        """The version of ONNX's operators that it uses."""
        return self.proto.opset_import[0].version

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the model, whole or not at all. Raises OSError, and OnnxError for more than 2 GB."""
        try:
            data = self.proto.SerializeToString()
        except (ValueError, EncodeError) as error:
            raise OnnxError(f"the model is too large for one file: {error}") from None
        write_file(path, data)


def export_model(model: Model, weights: Weights) -> ExportedModel:
    """The prediction of a model with its weights (a safetensors file, or arrays by name).

    Inputs and outputs keep their names, shapes and layout. Raises SpecError for a spec with errors, WeightsError,
    OnnxError with a finding for each layer that can't be exported.
    """
    arrays = read_weights(model.network, weights)
    return ExportedModel(export_graph(model.load, arrays))


def check(text: str) -> Model:
    """The model of an imported spec. Raises OnnxError where the language does not accept it after all."""
    model = Model(load_spec_text(text, "<import>"))
    if not model.is_valid:
        raise OnnxError([Finding(one.message) for one in model.diagnostics.errors])
    return model
