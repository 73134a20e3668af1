"""The language as a JSON Schema, for editors: generated from the models, with their docstrings as descriptions."""

from __future__ import annotations

import ast
import inspect
import textwrap
from functools import lru_cache
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import CoreSchema

from .model import ModelSpec


@lru_cache(maxsize=256)
def field_docs(model: type[BaseModel]) -> dict[str, str]:
    """The docstring under each field of a model, its bases' included, on one line each."""
    found: dict[str, str] = {}
    for cls in reversed(model.__mro__):
        if not issubclass(cls, BaseModel) or cls is BaseModel:
            continue
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
        assert isinstance(tree, ast.ClassDef)
        for field, text in zip(tree.body, tree.body[1:], strict=False):
            match field, text:
                case (
                    ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str() as words)),
                ):
                    found[name] = " ".join(words.split())
    return found


class _Generator(GenerateJsonSchema):
    """Adds the docstrings of fields, which pydantic would otherwise read from the sources at every import."""

    def model_schema(self, schema: Any) -> dict[str, Any]:
        result = super().model_schema(schema)
        model: type[BaseModel] = schema["cls"]
        for name, words in field_docs(model).items():
            info = model.model_fields.get(name)
            entry = result.get("properties", {}).get(info.alias or name if info else name)
            if entry is not None and "$ref" not in entry:
                entry["description"] = words
        for name, entry in result.get("properties", {}).items():
            entry.pop("title", None)
            # Python gives `type` a default, a spec has to say it.
            if name == "type" and "const" in entry and name not in result.get("required", []):
                result.setdefault("required", []).append(name)
        result.pop("title", None)
        return result

    def generate(self, schema: CoreSchema, mode: Any = "validation") -> dict[str, Any]:
        result = super().generate(schema, mode)
        return {"$schema": self.schema_dialect, "title": "Netwright spec", **result}


def json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a spec."""
    return ModelSpec.model_json_schema(schema_generator=_Generator)
