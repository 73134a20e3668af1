"""What may be written at the cursor: keys, types, words, and names of layers, inputs and the like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .analysis import Analysis
from .loose import Cursor, LooseText
from .meaning import NAMED, place_at
from .names import definitions

Kind = Literal["key", "type", "word", "name"]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A completion: `text` takes the place of the offsets `start` to `end`."""

    label: str
    kind: Kind
    text: str
    start: int
    end: int
    detail: str = ""
    documentation: str = ""
    order: int = 0


def complete(text: LooseText, offset: int, analysis: Analysis | None) -> list[Proposal]:
    """What may stand at an offset, the likeliest first."""
    cursor = text.at(offset)
    if cursor.key is not None:
        return _values(text, cursor, analysis)
    if cursor.around.kind == "list":
        return _items(text, cursor, analysis)
    return _keys(text, cursor)


def _keys(text: LooseText, cursor: Cursor) -> list[Proposal]:
    place = place_at(cursor.path, text.root)
    if place is None:
        return []
    written = {entry.key for entry in cursor.around.entries if entry.start != cursor.start}
    required = place.required()
    quoted = text.text[cursor.start : cursor.start + 1] == '"'
    colon = text.text[cursor.end :].lstrip(" ").startswith(":")
    return [
        Proposal(
            key,
            "key",
            (f'"{key}"' if quoted else key) + ("" if colon else ": "),
            cursor.start,
            cursor.end,
            "required" if key in required else "",
            words,
            0 if key in required else 1,
        )
        for key, words in place.keys().items()
        if key not in written
    ]


def _values(text: LooseText, cursor: Cursor, analysis: Analysis | None) -> list[Proposal]:
    key = cursor.key or ""
    found: list[Proposal] = []
    place = place_at(cursor.path, text.root)
    if place is not None:
        kind: Kind = "type" if key == "type" else "word"
        found = [
            Proposal(
                one.word,
                kind,
                _quoted(text, cursor, one.word),
                cursor.start,
                cursor.end,
                "",
                one.documentation,
            )
            for one in place.options(key)
        ]
    named = "signals" if cursor.path[-1:] == ("outputs",) else NAMED.get(key)
    return found + (
        _names(text, cursor, named, analysis, in_list=key in ("inputs", "shape")) if named else []
    )


def _items(text: LooseText, cursor: Cursor, analysis: Analysis | None) -> list[Proposal]:
    key = cursor.path[-1] if cursor.path else ""
    if key == "layers" and text.text[cursor.start : cursor.start + 1] not in ("{", '"'):
        start = "{name: , type: }"
        return [Proposal("layer", "key", start, cursor.start, cursor.end, "a layer", "", 0)]
    named = NAMED.get(str(key))
    if named:
        return _names(text, cursor, named, analysis)
    parent = place_at(cursor.path[:-1], text.root)
    return [
        Proposal(
            one.word, "word", _quoted(text, cursor, one.word), cursor.start, cursor.end, "", one.documentation
        )
        for one in (parent.options(str(key)) if parent else [])
    ]


def _names(
    text: LooseText, cursor: Cursor, kind: str, analysis: Analysis | None, in_list: bool = False
) -> list[Proposal]:
    # A layer does not read itself or, mostly, what comes after it: what is nearest above comes first.
    own = cursor.path[:2] if cursor.path[:1] == ("layers",) else ()
    known = [one for one in definitions(text, kind, cursor.path) if one.path != own]
    words = [(one.name, one.detail or one.kind, one.start) for one in known]
    if analysis and kind == "signals":
        names = {one.name for one in known}
        words += [
            (port, "port", 0) for port in analysis.shapes if "." in port and port.partition(".")[0] in names
        ]
    found = []
    for name, detail, start in words:
        lines = analysis.told(name) if analysis and kind == "signals" else []
        above = start < cursor.start
        word = _quoted(text, cursor, name)
        found.append(
            Proposal(
                name,
                "name",
                f"[{word}]" if in_list and cursor.around.kind == "map" else word,
                cursor.start,
                cursor.end,
                detail,
                "  \n".join(lines),
                cursor.start - start if above else 10**6 + start,
            )
        )
    return sorted(found, key=lambda one: one.order)


def _quoted(text: LooseText, cursor: Cursor, word: str) -> str:
    quote = text.text[cursor.start : cursor.start + 1]
    return f"{quote}{word}{quote}" if quote in ('"', "'") else word
