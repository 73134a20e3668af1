"""The spec of a run as text: in one piece, with the data sets that the training read, so that it can be run again."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from netwright.specs.diagnostics.diagnostic import Diagnostics
from netwright.specs.flat import flat_spec
from netwright.specs.load import LoadResult
from netwright.specs.models.data import ArraysData, SplitData
from netwright.specs.reading.documents import read_text

from ..data.sets import DataSets
from ..values import spec_text
from ..yaml_text import flow, scalar

_WIDTH = 100


def spec_copy(load: LoadResult, sets: DataSets, folder: Path) -> tuple[str, str]:
    """The name and the text of the file: YAML, with paths of data relative to ``folder`` where they were relative.

    Data sets that were given as arrays are left out.
    """
    values = flat_spec(load)
    data = data_section(sets, folder)
    if isinstance(values.get("train"), dict):
        values["train"] = {
            "data": data,
            **{key: value for key, value in values["train"].items() if key != "data"},
        }
        if not data:
            del values["train"]["data"]
    text = yaml_text(values)
    tree = read_text(text, "spec.yaml", Diagnostics())
    if tree is None or tree.value != values:  # no line of YAML says it as it is
        return "spec.json", spec_text(values)
    return "spec.yaml", text


def data_section(sets: DataSets, folder: Path) -> dict[str, Any]:
    """The declarations of data sets that come from files, for a spec in ``folder``."""
    section: dict[str, Any] = {}
    for name in sets:
        declared, beside = sets.declared(name)
        keys = declared.model_dump(mode="json", by_alias=True, exclude_unset=True)
        if isinstance(declared, ArraysData) and not declared.path:
            continue
        for key in ("path", "labels"):
            if key in keys and not (key == "labels" and not isinstance(keys[key], str)):
                keys[key] = _moved(keys[key], beside, folder)
        plain = keys.keys() <= {"type", "path"} and isinstance(declared, ArraysData)
        section[name] = keys["path"] if plain and isinstance(keys["path"], str) else keys
        if not isinstance(declared, SplitData) and isinstance(section[name], dict):
            section[name] = {"type": declared.type, **keys}
    return section


def _moved(path: Any, beside: Path, folder: Path) -> Any:
    if isinstance(path, Mapping):
        return {name: _moved(part, beside, folder) for name, part in path.items()}
    if os.path.isabs(path):
        return path
    place, here = os.path.realpath(beside / path), os.path.realpath(folder)
    # Folders that only share the root are not moved together.
    return place if os.path.commonpath([place, here]) == os.sep else os.path.relpath(place, here)


def yaml_text(values: Mapping[str, Any]) -> str:
    """A spec as YAML: what is short on one line, a line per layer."""
    return (
        "\n".join(line for key, value in values.items() for line in _lines(f"{scalar(key)}:", value, ""))
        + "\n"
    )


def _lines(head: str, value: Any, indent: str) -> list[str]:
    """A key (or a dash) and its value."""
    line = f"{indent}{head} {flow(value)}"
    short = len(line) <= _WIDTH and not (
        isinstance(value, list) and any(isinstance(item, dict) for item in value)
    )
    if not value or not isinstance(value, dict | list) or (short and indent) or head == "-":
        return [line]
    if short and isinstance(value, dict) and not any(isinstance(item, dict) for item in value.values()):
        return [line]
    inner = f"{indent}  "
    if isinstance(value, list):
        return [f"{indent}{head}", *(line for item in value for line in _lines("-", item, inner))]
    return [
        f"{indent}{head}",
        *(line for key, item in value.items() for line in _lines(f"{scalar(key)}:", item, inner)),
    ]
