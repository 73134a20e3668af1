"""Writes a finished import as the tree of a spec, and that tree as readable YAML with one line per layer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .network import NetworkWriter


SpecTree = dict[str, Any]

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
_EQUATION = re.compile(r"[A-Za-z_(][^#:\n\"']*")
_WORDS = frozenset(("true", "false", "null", "True", "False", "Null", "TRUE", "FALSE", "NULL"))

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


def to_yaml(tree: SpecTree, comment: str = "") -> str:
    """A spec as text: sections as blocks, one line per input and layer."""
    lines = [f"# {line}".rstrip() for line in comment.splitlines()]
    for key, value in tree.items():
        if isinstance(value, dict) and key == "cells":
            lines.append(f"{key}:")
            for name, cell in value.items():
                lines += [f"  {scalar(name)}:", *(f"    {line}" for line in block(cell).splitlines())]
        elif isinstance(value, dict) and key in ("inputs", "outputs", "defaults"):
            lines.append(f"{key}:")
            lines += [f"  {scalar(name)}: {flow(entry)}" for name, entry in value.items()]
        elif isinstance(value, list):
            lines.append(f"{key}:")
            lines += [f"  - {flow(entry)}" for entry in value]
        else:
            lines.append(f"{key}: {flow(value)}")
    return "\n".join(lines) + "\n"


def block(cell: Mapping[str, Any]) -> str:
    """A cell as text: one line per section and step."""
    lines = []
    for key, value in cell.items():
        if key == "update":
            lines.append(f"{key}:")
            lines += [f"  - {_line(step)}" for step in value]
        elif key in ("states", "params"):
            lines.append(f"{key}:")
            lines += [f"  {name}: {flow(entry)}" for name, entry in value.items()]
        else:
            lines.append(f"{key}: {_line(value) if isinstance(value, str) else flow(value)}")
    return "\n".join(lines) + "\n"


def _line(text: str) -> str:
    """An equation on a separate line, without quotes if YAML reads it unchanged."""
    return text if _EQUATION.fullmatch(text) and text not in _WORDS else json.dumps(text, ensure_ascii=False)


def flow(value: Any) -> str:
    """A value as YAML on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{scalar(key)}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(map(flow, value)) + "]"
    return scalar(value)


def scalar(value: Any) -> str:
    """A scalar as YAML."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        plain = _PLAIN.fullmatch(value) and value not in _WORDS
        return value if plain else json.dumps(value, ensure_ascii=False)
    if isinstance(value, float):
        return repr(value)
    return str(value)
