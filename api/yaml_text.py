"""Specs as YAML that people read: sections as blocks, one line per input and layer."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
_EQUATION = re.compile(r"[A-Za-z_(][^#:\n\"']*")
_WORDS = frozenset(("true", "false", "null", "True", "False", "Null", "TRUE", "FALSE", "NULL"))


def to_yaml(tree: Mapping[str, Any], comment: str = "") -> str:
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
