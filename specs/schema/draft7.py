"""Translates pydantic's schema (2020-12, OpenAPI's discriminators) to draft-07, which editors read.

Some keywords are renamed. A union of layers becomes one branch per `type`, selected by it, so that an editor completes
that layer's keys and its errors are about them. And every value may also be `$name` or arithmetic with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

DIALECT = "http://json-schema.org/draft-07/schema#"
COMPUTED = "computed"

_SPELLED_OUT = ("name", "type", "use", "netwright", "$schema")

Schema = dict[str, Any]


def to_draft7(schema: Schema) -> Schema:
    """The schema in draft-07. The argument does not change."""
    converter = _Converter(schema["$defs"])
    whole = converter.convert({key: sub for key, sub in schema.items() if key not in ("$defs", "$schema")})
    definitions = {name: converter.convert(sub) for name, sub in sorted(schema["$defs"].items())}
    definitions |= converter.choices
    definitions[COMPUTED] = {
        "type": "string",
        "pattern": r"\$",
        "description": "A value computed from variables or arguments: `$width`, `$width * 2`.",
    }
    return {"$schema": DIALECT, "title": "Netwright spec", **whole, "definitions": definitions}


class _Converter:
    def __init__(self, definitions: dict[str, Schema]):
        self.definitions = definitions
        self.choices: dict[str, Schema] = {}
        """The unions found so far, by their names: many keys have the same union."""

    def convert(self, schema: Any) -> Any:
        """A schema with all its subschemas."""
        if not isinstance(schema, dict):
            return schema
        converted = dict(schema)
        converted.pop("discriminator", None)
        if "$ref" in converted:
            reference = {"$ref": converted.pop("$ref").replace("#/$defs/", "#/definitions/")}
            # draft-07 ignores everything beside a $ref.
            return {"allOf": [reference], **converted} if converted else reference
        for key in ("anyOf", "oneOf", "allOf"):
            if key in converted:
                converted[key] = [self.convert(branch) for branch in converted[key]]
        for key in ("properties", "patternProperties"):
            if key in converted:
                converted[key] = {name: self.value(value, name) for name, value in converted[key].items()}
        if "patternProperties" in converted:
            converted.setdefault("additionalProperties", False)
        if isinstance(converted.get("additionalProperties"), dict):
            converted["additionalProperties"] = self.value(converted["additionalProperties"])
        if "prefixItems" in converted:
            converted["items"] = [self.value(item) for item in converted.pop("prefixItems")]
            converted["additionalItems"] = False
        elif isinstance(converted.get("items"), dict):
            converted["items"] = self.value(converted["items"])
        return self.by_type(converted)

    # Unions.

    def by_type(self, schema: Schema) -> Schema:
        """A union of objects as a choice by `type`, if all of them have one."""
        branches = list(self.flat([*schema.get("anyOf", ()), *schema.get("oneOf", ())]))
        kinds = {kind: branch for branch in branches if (kind := self.kind(branch)) is not None}
        if len(kinds) < 2:
            return schema
        types = [self.constant(kind, sub) for kind, sub in kinds.items()]
        chosen = self.named(
            {
                "type": "object",
                "required": ["type"],
                "properties": {"type": {"anyOf": [*types, {"$ref": f"#/definitions/{COMPUTED}"}]}},
                "allOf": [
                    {"if": {"properties": {"type": {"const": kind}}, "required": ["type"]}, "then": branch}
                    for kind, branch in kinds.items()
                ],
            }
        )
        rest = [branch for branch in branches if self.kind(branch) is None]
        more = {name: value for name, value in schema.items() if name not in ("anyOf", "oneOf")}
        return {**more, "anyOf": [*rest, chosen]} if rest or more else chosen

    def named(self, choice: Schema) -> Schema:
        """A reference to a union."""
        first = f"any_{choice['allOf'][0]['if']['properties']['type']['const']}"
        name, number = first, 1
        while self.choices.setdefault(name, choice) != choice:
            number += 1
            name = f"{first}_{number}"
        return {"$ref": f"#/definitions/{name}"}

    def constant(self, kind: str, branch: Schema) -> Schema:
        words = self.resolve(branch).get("description", "")
        return {"const": kind, **({"description": words} if words else {})}

    def flat(self, branches: Any) -> Iterator[Schema]:
        """The branches of a union, including those of nested unions."""
        for branch in branches:
            choice = self.choices.get(branch.get("$ref", "").rsplit("/", 1)[-1])
            if choice:
                yield from (branch["then"] for branch in choice["allOf"])
            elif set(branch) in ({"anyOf"}, {"oneOf"}):
                yield from self.flat(branch.get("anyOf") or branch["oneOf"])
            else:
                yield branch

    def kind(self, branch: Schema) -> str | None:
        kind = self.resolve(branch).get("properties", {}).get("type", {})
        return kind.get("const") if isinstance(kind, dict) else None

    def resolve(self, branch: Schema) -> Schema:
        reference = branch.get("$ref", "")
        return self.definitions.get(reference.rsplit("/", 1)[-1], {}) if reference else branch

    # Computed values.

    def value(self, schema: Schema, name: str = "") -> Schema:
        """The schema of a value, which may be computed, unless it is a name that must be written out."""
        converted = self.convert(schema)
        if "const" in converted or name in _SPELLED_OUT or self.takes_text(converted):
            return converted
        told = {key: converted.pop(key) for key in ("description", "default") if key in converted}
        branches = converted.pop("anyOf", [])
        if converted:
            branches = [converted] if not branches else [{"anyOf": branches, **converted}]
        if len(branches) == 1 and set(branches[0]) == {"allOf"} and len(branches[0]["allOf"]) == 1:
            branches = branches[0]["allOf"]
        return {**told, "anyOf": [*branches, {"$ref": f"#/definitions/{COMPUTED}"}]}

    def takes_text(self, schema: Schema) -> bool:
        """Whether the schema accepts any text already, or is for a part of the spec that is always written out."""
        if not set(schema) - {"description", "default"}:
            return True
        if schema.get("type") == "string":
            return not {"enum", "const", "pattern"} & set(schema)
        if schema.get("type") == "object":
            return bool({"properties", "patternProperties", "additionalProperties"} & set(schema))
        return any(self.takes_text(branch) for branch in schema.get("anyOf", ()))
