"""Writes a finished import as the tree of a spec."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .network import NetworkWriter


SpecTree = dict[str, Any]

#: The input of a network without inputs, since every spec needs one.
UNUSED = "unused"


def write_tree(
    model: str, dims: Mapping[str, Any], writer: NetworkWriter, outputs: Mapping[str, str]
) -> SpecTree:
    """The spec. A layer's inputs are left out if they are the layer above."""
    layers: list[dict[str, Any]] = []
    above = next(iter(writer.inputs)) if len(writer.inputs) == 1 else None
    needed = needed_layers(writer, outputs.values())
    for name, layer in writer.layers.items():
        if name not in needed:
            continue
        entry = dict(layer.keys)
        plain = layer.variables is None or layer.variables == ("x",)
        if layer.inputs and not (plain and layer.inputs == [above]):
            named = dict(zip(layer.variables, layer.inputs, strict=True)) if layer.variables else layer.inputs
            entry = {"name": name, "type": layer.type, "inputs": named, **entry}
        layers.append(entry)
        above = name
    tree: SpecTree = {"netwright": 1, "model": model}
    if dims:
        tree["dims"] = dict(dims)
    tree["inputs"] = {name: _input(spec) for name, spec in writer.inputs.items()} or {UNUSED: {"shape": [1]}}
    floats = [spec.get("dtype", "float32") for spec in writer.inputs.values()]
    floats = [dtype for dtype in floats if dtype.startswith("float")]
    if (floats or ["float32"])[0] != writer.dtype or len(set(floats)) > 1:
        tree["dtype"] = writer.dtype
    used = {entry["cell"] for entry in layers if entry["type"] == "recurrent"}
    if cells := {name: cell for name, cell in writer.cells.items() if name in used}:
        tree["cells"] = cells
    tree["layers"] = layers
    tree["outputs"] = dict(outputs)
    return tree


def needed_layers(writer: NetworkWriter, outputs: Iterable[str]) -> set[str]:
    """The layers that outputs depend on."""
    needed: set[str] = set()
    waiting = list(outputs)
    while waiting:
        name = waiting.pop().partition(".")[0]
        if name not in needed and name in writer.layers:
            needed.add(name)
            layer = writer.layers[name]
            waiting += [*layer.inputs, *layer.given.values()]
    return needed


def _input(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in spec.items() if (key, value) != ("dtype", "float32")}
