"""Text of headers: templates, wrapped lines."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill

from netwright.specs.manifest import BufferInfo, DimInfo

TEMPLATES = Path(__file__).parents[1] / "c" / "library"


def filled(name: str, values: Mapping[str, str]) -> str:
    """A template with its places filled."""
    parts = re.split(r"@([A-Z_]+)@", (TEMPLATES / name).read_text(encoding="utf-8"))
    return "".join(values[part] if position % 2 else part for position, part in enumerate(parts))


def wrap_call(head: str, arguments: Sequence[str]) -> str:
    text = head + ", ".join(arguments) + ")"
    if len(text) <= 118:
        return text
    lines = [head]
    for number, argument in enumerate(arguments):
        last = number == len(arguments) - 1
        part = argument + (")" if last else ",")
        if lines[-1] not in (head, " " * (len(head) - 1)) and len(lines[-1]) + len(part) > 117:
            lines.append(" " * (len(head) - 1))
        lines[-1] += part if lines[-1] == head else f" {part}"
    return "\n".join(lines)


def wrapped(text: str, indent: str, width: int = 116) -> str:
    return fill(text, width, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False)


def bound(dim: DimInfo, named: bool = True) -> str:
    text = f"{dim.name} " if named else ""
    text += (
        f"from {dim.min}"
        if dim.max is None
        else f"{dim.min} to {dim.max}"
        if not named
        else f"from {dim.min} to {dim.max}"
    )
    return text + (f", a multiple of {dim.multiple_of}" if dim.multiple_of > 1 else "")


def range_text(buffer: BufferInfo) -> str:
    texts = []
    for range in buffer.ranges or ():
        unless = f" where {' and '.join(range.unless)} let it count" if range.unless else ""
        texts.append(f"{range.low} to {range.high}{unless}")
    return "".join(f", {text}" for text in dict.fromkeys(texts))
