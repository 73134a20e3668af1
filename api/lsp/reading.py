"""What an editor shows of a text that is only read: hover, definitions, and shapes beside the layers."""

from __future__ import annotations

from dataclasses import dataclass

from netwright.specs.source.tree import SourceTree

from ..describe import shape_text
from .analysis import Analysis
from .cursor import Cursor, cursor_at
from .meaning import NAMED, place_at
from .names import Definition, definitions, find, inner_layers, layers

_MOST_SHAPES = 3
_MOST_COPIES = 20
_KINDS = {"signals": ("layers", "inputs"), "targets": ("targets", "inputs")}


@dataclass(frozen=True, slots=True)
class Hover:
    """Markdown about the text from `start` to `end`."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Hint:
    """A word to show at an offset, beside the text."""

    offset: int
    text: str
    tooltip: str


def hover(tree: SourceTree, offset: int, analysis: Analysis | None) -> Hover | None:
    """About the key, type or name at an offset."""
    cursor = cursor_at(tree, offset)
    if cursor is None or not cursor.word:
        return None
    lines = _about(tree, cursor, analysis)
    return Hover("\n\n".join(lines), cursor.start, cursor.end) if lines else None


def _about(tree: SourceTree, cursor: Cursor, analysis: Analysis | None) -> list[str]:
    place = place_at(cursor.path, tree.root)
    if isinstance(cursor.around.value, dict) and cursor.key is None:
        if cursor.path == ("inputs",):
            return [f"**{cursor.word}** (input)", *(analysis.told(cursor.word) if analysis else [])]
        words = place.keys().get(cursor.word) if place else None
        return [f"**{cursor.word}**", words] if words else []
    if cursor.key == "name":
        return [f"**{cursor.word}**", *(analysis.told(cursor.word) if analysis else [])]
    if cursor.key is not None and place:
        for option in place.options(cursor.key):
            if option.word == cursor.word and option.documentation:
                return [f"**{cursor.word}**", option.documentation]
    target = _definition(tree, cursor)
    if target is None:
        return []
    told = analysis.told(cursor.word) if analysis and target.kind in ("layer", "input") else []
    return [f"**{cursor.word}** ({target.detail or target.kind})", *told]


def definition(tree: SourceTree, offset: int) -> Definition | None:
    """Where the name at an offset is defined."""
    cursor = cursor_at(tree, offset)
    return _definition(tree, cursor) if cursor and cursor.word else None


def _definition(tree: SourceTree, cursor: Cursor) -> Definition | None:
    if cursor.word.startswith("$"):
        return find(tree, cursor.word[1:].split(" ")[0], ("vars",))
    key = cursor.key if cursor.key is not None else str(cursor.path[-1] if cursor.path else "")
    if cursor.path[-1:] == ("outputs",):
        key = "outputs"
    elif cursor.path[-1:] == ("initial_state",) or cursor.path[-1:] == ("inputs",):
        key = "inputs"
    kind = NAMED.get(key)
    return find(tree, cursor.word, _KINDS.get(kind, (kind,)), cursor.path) if kind else None


def hints(tree: SourceTree, start: int, end: int, analysis: Analysis | None) -> list[Hint]:
    """The output shape of each layer between two offsets, at the end of its line; inside a block those of its uses."""
    if analysis is None:
        return []
    placed: dict[int, Hint] = {}
    for layer in layers(tree):
        if layer.name in analysis.shapes and start <= layer.start <= end:
            place = _line_end(tree.source.text, layer.end)
            words = "  \n".join(analysis.told(layer.name))
            placed[place] = Hint(place, f"→ {shape_text(analysis.shapes[layer.name])}", words)
    for key, layer in inner_layers(tree).items():
        names = analysis.copies.get(key, [])
        shapes = list(dict.fromkeys(shape_text(analysis.shapes[name]) for name in names))
        if shapes and start <= layer.start <= end:
            place = _line_end(tree.source.text, layer.end)
            shown = [*shapes[:_MOST_SHAPES], *(["…"] if len(shapes) > _MOST_SHAPES else [])]
            words = [f"{name}: `{shape_text(analysis.shapes[name])}`" for name in names[:_MOST_COPIES]]
            placed[place] = Hint(place, f"→ {' · '.join(shown)}", "  \n".join(words))
    return list(placed.values())


def symbols(tree: SourceTree) -> list[Definition]:
    """What an outline shows."""
    kinds = ("dims", "vars", "inputs", "blocks", "cells", "layers", "outputs")
    return [symbol for kind in kinds for symbol in definitions(tree, kind)]


def _line_end(text: str, offset: int) -> int:
    """The end of a line's text, before a comment."""
    end = text.find("\n", offset)
    line = text[offset : len(text) if end < 0 else end]
    comment = line.find(" #")
    return offset + len((line if comment < 0 else line[:comment]).rstrip())
