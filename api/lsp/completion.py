"""What may be written at the cursor: keys, types, words, and names of layers, inputs and the like."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from netwright.specs.source.tree import SourceNode, SourceTree

from .analysis import Analysis
from .cursor import Cursor, cursor_at
from .meaning import NAMED, Option, place_at
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


def complete(tree: SourceTree, offset: int, analysis: Analysis | None) -> list[Proposal]:
    """What may stand at an offset, the likeliest first."""
    cursor = cursor_at(tree, offset)
    if cursor is None:
        return []
    if cursor.key is not None:
        return (_below(tree, cursor) if cursor.below else []) or _values(tree, cursor, analysis)
    if isinstance(cursor.around.value, list):
        return _items(tree, cursor, analysis)
    return _keys(tree, cursor)


def _below(tree: SourceTree, cursor: Cursor) -> list[Proposal]:
    """What a mapping or list may begin with, on the line below its key."""
    empty = SourceNode(tree.source, cursor.start, cursor.end, {})
    inside = replace(cursor, path=(*cursor.path, cursor.key or ""), around=empty, key=None)
    if cursor.key == "layers":
        return [replace(item, text=f"- {item.text}") for item in _items(tree, inside, None)]
    return _keys(tree, inside)


def _keys(tree: SourceTree, cursor: Cursor) -> list[Proposal]:
    place = place_at(cursor.path, tree.root)
    if place is None:
        return []
    written = {key for key, entry in cursor.around.entries.items() if entry.start != cursor.start}
    required = place.required()
    colon = tree.source.text[cursor.end :].lstrip(" ").startswith(":")
    return [
        Proposal(
            key,
            "key",
            _quoted(tree, cursor, key) + ("" if colon else ": "),
            cursor.start,
            cursor.end,
            "required" if key in required else "",
            words,
            0 if key in required else 1,
        )
        for key, words in place.keys().items()
        if key not in written
    ]


def _values(tree: SourceTree, cursor: Cursor, analysis: Analysis | None) -> list[Proposal]:
    key = cursor.key or ""
    proposals: list[Proposal] = []
    place = place_at(cursor.path, tree.root)
    if place is not None:
        kind: Kind = "type" if key == "type" else "word"
        proposals = [_proposed(tree, cursor, option, kind) for option in place.options(key)]
    named = "signals" if cursor.path[-1:] == ("outputs",) else NAMED.get(key)
    return proposals + (
        _names(tree, cursor, named, analysis, in_list=key in ("inputs", "shape")) if named else []
    )


def _items(tree: SourceTree, cursor: Cursor, analysis: Analysis | None) -> list[Proposal]:
    key = cursor.path[-1] if cursor.path else ""
    if key == "layers" and tree.source.text[cursor.start : cursor.start + 1] not in ("{", '"'):
        start = '{"name": , "type": }' if tree.source.is_json else "{name: , type: }"
        return [Proposal("layer", "key", start, cursor.start, cursor.end, "a layer", "", 0)]
    named = NAMED.get(str(key))
    if named:
        return _names(tree, cursor, named, analysis)
    parent = place_at(cursor.path[:-1], tree.root)
    options = parent.options(str(key)) if parent else []
    return [_proposed(tree, cursor, option, "word") for option in options]


def _proposed(tree: SourceTree, cursor: Cursor, option: Option, kind: Kind) -> Proposal:
    word = _quoted(tree, cursor, option.word)
    return Proposal(option.word, kind, word, cursor.start, cursor.end, "", option.documentation)


def _names(
    tree: SourceTree, cursor: Cursor, kind: str, analysis: Analysis | None, in_list: bool = False
) -> list[Proposal]:
    # A layer does not read itself or, mostly, what comes after it: what is nearest above comes first.
    own = cursor.path[:2] if cursor.path[:1] == ("layers",) else ()
    known = [entry for entry in definitions(tree, kind, cursor.path) if entry.path != own]
    words = [(entry.name, entry.detail or entry.kind, entry.start) for entry in known]
    if analysis and kind == "signals":
        names = {entry.name for entry in known}
        words += [
            (port, "port", 0) for port in analysis.shapes if "." in port and port.partition(".")[0] in names
        ]
    proposals = []
    for name, detail, start in words:
        lines = analysis.told(name) if analysis and kind == "signals" else []
        above = start < cursor.start
        word = _quoted(tree, cursor, name)
        proposals.append(
            Proposal(
                name,
                "name",
                f"[{word}]" if in_list and isinstance(cursor.around.value, dict) else word,
                cursor.start,
                cursor.end,
                detail,
                "  \n".join(lines),
                cursor.start - start if above else 10**6 + start,
            )
        )
    return sorted(proposals, key=lambda proposal: proposal.order)


def _quoted(tree: SourceTree, cursor: Cursor, word: str) -> str:
    quote = tree.source.text[cursor.start : cursor.start + 1]
    if quote not in ('"', "'"):
        quote = '"' if tree.source.is_json and word not in ("true", "false") else ""
    return f"{quote}{word}{quote}"
