"""Generates the language's JSON Schema for editors from the models, with their docstrings as descriptions."""

from __future__ import annotations

import inspect
import json
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from ..checks.typed_layers import OWN_KEYS
from ..models.documentation import field_docs
from ..models.layers import LAYERS
from ..models.layers.base import LayerSpec
from ..models.layers.scan_window import ScanWindow
from ..models.layers.time_distributed import TimeDistributed
from ..models.spec import ModelSpec
from .draft7 import to_draft7


class _Generator(GenerateJsonSchema):
    """Adds the docstrings of fields. pydantic itself would read them from the sources at every import."""

    def model_schema(self, schema: Any) -> dict[str, Any]:
        result = super().model_schema(schema)
        model: type[BaseModel] = schema["cls"]
        for name, words in field_docs(model).items():
            info = model.model_fields.get(name)
            entry = result.get("properties", {}).get(info.alias or name if info else name)
            if entry is not None:
                entry["description"] = words
        for name, entry in result.get("properties", {}).items():
            entry.pop("title", None)
            # `type` has a default in Python, but a spec must give it.
            if name == "type" and "const" in entry:
                entry.pop("default", None)
                if name not in result.get("required", []):
                    result.setdefault("required", []).append(name)
        result.pop("title", None)
        if issubclass(model, LayerSpec):
            # The other required keys of a layer may come from `defaults`.
            result["required"] = [key for key in ("name", "type") if key in result["properties"]]
            _count_axes(result["properties"], getattr(model, "rank", None))
        return result

    def encode_default(self, dft: Any) -> Any:
        # pydantic builds a serializer for each default, even of those that are JSON as they are.
        return dft if dft is None or type(dft) in (bool, int, str) else super().encode_default(dft)


def _count_axes(properties: dict[str, Any], rank: int | None) -> None:
    """For layers with windows, a list has one value per axis."""
    for key in ("kernel_size", "pool_size", "stride", "dilation", "padding") if rank else ():
        for branch in properties.get(key, {}).get("anyOf", ()):
            if branch.get("type") == "array":
                branch |= {"minItems": rank, "maxItems": rank}


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft-07) of a spec."""
    schema = ModelSpec.model_json_schema(schema_generator=_Generator)
    schema["properties"]["defaults"] = _defaults()
    _layers_inside(schema)
    return to_draft7(schema)


def _layers_inside(schema: dict[str, Any]) -> None:
    """Lets layers contain the layers that the language allows there. A single one needs no name, so only its type is
    required.
    """
    layers = schema["properties"]["layers"]
    kinds = {"type": {"enum": list(LAYERS), "description": "The layer's type."}}
    for cls in (ScanWindow, TimeDistributed):
        own = schema["$defs"][cls.__name__]["properties"]
        own["layers"] = {
            **own["layers"],
            "anyOf": [{"type": "array", "minItems": 1, "items": layers["items"]}],
        }
        if "layer" in own:
            own["layer"] = {
                **own["layer"],
                "anyOf": [{"type": "object", "properties": kinds, "required": ["type"]}],
            }


def schema_text() -> str:
    """The JSON Schema as it is written to files."""
    return json.dumps(json_schema(), indent=1, ensure_ascii=False) + "\n"


def _defaults() -> dict[str, Any]:
    """Each layer type with those of its keys that can be defaults."""
    kinds = {}
    for kind, cls in LAYERS.items():
        keys = [info.alias or name for name, info in cls.model_fields.items() if name not in OWN_KEYS]
        words = inspect.getdoc(cls) or ""
        kinds[kind] = {
            "type": "object",
            "description": words,
            "properties": {key: {"$ref": f"#/$defs/{cls.__name__}/properties/{key}"} for key in keys},
            "additionalProperties": False,
        }
    return {
        "type": "object",
        "description": field_docs(ModelSpec)["defaults"],
        "properties": kinds,
        "additionalProperties": False,
    }
