"""What an exported model says of its open sizes that ONNX has no place for: which are multiples of a number."""

from __future__ import annotations

import json
from collections.abc import Mapping

import onnx
from onnx import helper

MULTIPLES = "netwright.multiple_of"
#: No size is a multiple of more.
_MOST = 2**31


def note_multiples(model: onnx.ModelProto, multiples: Mapping[str, int]) -> None:
    """Writes the numbers that sizes are multiples of, by the sizes' names."""
    if multiples:
        helper.set_model_props(model, {MULTIPLES: json.dumps(dict(sorted(multiples.items())))})


def noted_multiples(model: onnx.ModelProto) -> dict[str, int]:
    """What was written so; {} where something else has been."""
    text = next((one.value for one in model.metadata_props if one.key == MULTIPLES), "{}")
    try:
        found = json.loads(text[:65536])
    except (ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {name: of for name, of in found.items() if type(of) is int and 1 < of < _MOST}
