"""Facts about open sizes that ONNX has no field for, kept in a model's metadata: their limits and multiples."""

from __future__ import annotations

import json
from collections.abc import Mapping

import onnx
from onnx import helper

from netwright.specs.dims import Range
from netwright.specs.models.spec import DimSpec

_KEYS = {"min": "netwright.min", "max": "netwright.max", "multiple_of": "netwright.multiple_of"}
#: No size is larger, or a multiple of more.
_MOST = 2**31


def note_sizes(model: onnx.ModelProto, dims: Mapping[str, DimSpec]) -> None:
    """Writes the limits and multiples of sizes, by the sizes' names."""
    notes = {
        "min": {name: dim.min for name, dim in dims.items() if dim.min > 1},
        "max": {name: dim.max for name, dim in dims.items() if dim.max is not None},
        "multiple_of": {name: dim.multiple_of for name, dim in dims.items() if dim.multiple_of > 1},
    }
    written = {_KEYS[kind]: json.dumps(dict(sorted(sizes.items()))) for kind, sizes in notes.items() if sizes}
    if written:
        helper.set_model_props(model, written)


def noted_limits(model: onnx.ModelProto) -> dict[str, Range]:
    """Reads the limits of sizes."""
    least, most = _noted(model, "min"), _noted(model, "max")
    ranges = {name: (least.get(name, 1), most.get(name)) for name in least.keys() | most.keys()}
    return {name: (low, high) for name, (low, high) in ranges.items() if high is None or low <= high}


def noted_multiples(model: onnx.ModelProto) -> dict[str, int]:
    """Reads what sizes are multiples of."""
    return {name: of for name, of in _noted(model, "multiple_of").items() if of > 1}


def _noted(model: onnx.ModelProto, kind: str) -> dict[str, int]:
    """Numbers by the names of sizes; {} if the entry has another form."""
    text = next((entry.value for entry in model.metadata_props if entry.key == _KEYS[kind]), "{}")
    try:
        numbers = json.loads(text[:65536])
    except (ValueError, RecursionError):
        return {}
    if not isinstance(numbers, dict):
        return {}
    return {name: number for name, number in numbers.items() if type(number) is int and 0 < number < _MOST}
