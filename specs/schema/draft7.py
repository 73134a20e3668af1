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
    whole = converter.convert({key: one for key, one in schema.items() if key not in ("$defs", "$schema")})
    definitions = {name: converter.convert(one) for name, one in sorted(schema["$defs"].items())}
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
        found = dict(schema)
        found.pop("discriminator", None)
        if "$ref" in found:
            reference = {"$ref": found.pop("$ref").replace("#/$defs/", "#/definitions/")}
            # draft-07 ignores everything beside a $ref.
            return {"allOf": [reference], **found} if found else reference
        for key in ("anyOf", "oneOf", "allOf"):
            if key in found:
                found[key] = [self.convert(one) for one in found[key]]
        for key in ("properties", "patternProperties"):
            if key in found:
                found[key] = {name: self.value(one, name) for name, one in found[key].items()}
        if "patternProperties" in found:
            found.setdefault("additionalProperties", False)
        if isinstance(found.get("additionalProperties"), dict):
            found["additionalProperties"] = self.value(found["additionalProperties"])
        if "prefixItems" in found:
            found["items"] = [self.value(one) for one in found.pop("prefixItems")]
            found["additionalItems"] = False
        elif isinstance(found.get("items"), dict):
            found["items"] = self.value(found["items"])
        return self.by_type(found)

    # Unions.

    def by_type(self, schema: Schema) -> Schema:
        """A union of objects as a choice by `type`, if all of them have one."""
        branches = list(self.flat([*schema.get("anyOf", ()), *schema.get("oneOf", ())]))
        kinds = {kind: one for one in branches if (kind := self.kind(one)) is not None}
        if len(kinds) < 2:
            return schema
        chosen = self.named(
            {
                "type": "object",
                "required": ["type"],
                "properties": {"type": {"anyOf": [self.constant(kind, one) for kind, one in kinds.items()]}},
                "allOf": [
                    {"if": {"properties": {"type": {"const": kind}}, "required": ["type"]}, "then": one}
                    for kind, one in kinds.items()
                ],
            }
        )
        rest = [one for one in branches if self.kind(one) is None]
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
        for one in branches:
            choice = self.choices.get(one.get("$ref", "").rsplit("/", 1)[-1])
            if choice:
                yield from (branch["then"] for branch in choice["allOf"])
            elif set(one) in ({"anyOf"}, {"oneOf"}):
                yield from self.flat(one.get("anyOf") or one["oneOf"])
            else:
                yield one

    def kind(self, branch: Schema) -> str | None:
        kind = self.resolve(branch).get("properties", {}).get("type", {})
        return kind.get("const") if isinstance(kind, dict) else None

    def resolve(self, branch: Schema) -> Schema:
        reference = branch.get("$ref", "")
        return self.definitions.get(reference.rsplit("/", 1)[-1], {}) if reference else branch

    # Computed values.

    def value(self, schema: Schema, name: str = "") -> Schema:
        """The schema of a value, which may be computed, unless it is a name that must be written out."""
        found = self.convert(schema)
        if "const" in found or name in _SPELLED_OUT or self.takes_text(found):
            return found
        told = {key: found.pop(key) for key in ("description", "default") if key in found}
        branches = found.pop("anyOf", [])
        if found:
            branches = [found] if not branches else [{"anyOf": branches, **found}]
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
        return any(self.takes_text(one) for one in schema.get("anyOf", ()))
