"""Fixes: edits that a diagnostic proposes, made so that comments and layout stay as they are.

The code that creates a fix says whether it is safe, that is, whether the user certainly meant it and the network
becomes the one that was meant. Before users see a fix, it is applied and the result validated again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..source.tree import SourceNode, SourceText, Span

_PLAIN = re.compile(r"[A-Za-z_][\w.]*")
_WORDS = frozenset(("null", "true", "false"))


@dataclass(frozen=True, slots=True)
class Edit:
    """The text to put in place of a span; an empty span inserts."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Fix:
    """Edits that belong together, and a short title.

    ``sizes`` are the numbers that the fix gives an input's shape, by their paths. If they leave errors, larger ones are
    tried.
    """

    title: str
    edits: tuple[Edit, ...]
    safe: bool = False
    sizes: tuple[tuple[tuple[str | int, ...], int], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """This fix as a JSON object. Lines and columns count from 1, ends are exclusive."""
        edits = [
            {
                "file": edit.span.file,
                "line": edit.span.line,
                "column": edit.span.column,
                "end_line": edit.span.end_line,
                "end_column": edit.span.end_column,
                "text": edit.text,
            }
            for edit in self.edits
        ]
        return {"title": self.title, "safe": self.safe, "edits": edits}


def apply_fixes(source: SourceText, fixes: Iterable[Fix]) -> tuple[str, list[Fix]]:
    """Applies fixes. Returns the new text and the applied fixes; a fix that overlaps an earlier one is left out."""
    texts, made = apply_to_files({source.file: source}, fixes)
    return texts.get(source.file, source.text), made


def apply_to_files(
    sources: Mapping[str, SourceText], fixes: Iterable[Fix]
) -> tuple[dict[str, str], list[Fix]]:
    """Applies fixes to several files. Returns the new texts of the changed files, and the applied fixes.

    A fix that overlaps an earlier one, or edits a file that is not in ``sources``, is left out.
    """
    taken: list[tuple[str, int, int, str]] = []
    made: list[Fix] = []
    for fix in fixes:
        if not all(edit.span.file in sources for edit in fix.edits):
            continue
        wanted = [(edit.span.file, *_stretch(sources[edit.span.file], edit), edit.text) for edit in fix.edits]
        if all(edit in taken for edit in wanted):
            continue
        if any(
            file == file2 and ((start < end2 and start2 < end) or start == start2)
            for file, start, end, _ in wanted
            for file2, start2, end2, _ in taken
        ):
            continue
        taken += wanted
        made.append(fix)
    parts: dict[str, list[str]] = {}
    here: dict[str, int] = {}
    for file, start, end, text in sorted(taken):
        parts.setdefault(file, []).extend((sources[file].text[here.get(file, 0) : start], text))
        here[file] = end
    return {file: "".join([*some, sources[file].text[here[file] :]]) for file, some in parts.items()}, made


def _stretch(source: SourceText, edit: Edit) -> tuple[int, int]:
    span = edit.span
    return source.offset(span.line, span.column), source.offset(span.end_line, span.end_column)


# The functions below create fixes. Each returns a tuple, which is empty if the text has a layout it can't edit.


def respelled(word: str, meant: str | None, span: Span, *, safe: bool | None = None) -> tuple[Fix, ...]:
    """Replaces a key, type or name that is written `word` at `span` by `meant`.

    By default this is safe if the two differ only in case and punctuation.
    """
    width = span.end_column - span.column
    if meant is None or span.line != span.end_line or width not in (len(word), len(word) + 2):
        return ()
    if safe is None:
        safe = plain(word) == plain(meant)
    text = json.dumps(meant) if width == len(word) + 2 else meant
    return (Fix(f"write {meant}", (Edit(span, text),), safe),)


def plain(word: str) -> str:
    """A word in lower case without punctuation."""
    return "".join(character for character in word.lower() if character.isalnum())


def inline(value: Any, text: SourceText) -> str:
    """A plain value as it is written on one line of a YAML or JSON text."""
    if text.is_json or isinstance(value, bool | int | float | None):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list | tuple):
        return f"[{', '.join(inline(item, text) for item in value)}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {inline(item, text)}" for key, item in value.items()) + "}"
    bare = _PLAIN.fullmatch(value) and value not in _WORDS
    return value if bare else json.dumps(value, ensure_ascii=False)


def replaced(
    node: SourceNode | None, value: Any, *, title: str | None = None, safe: bool = False
) -> tuple[Fix, ...]:
    """Replaces the value at a node."""
    # A value that came from a variable is not what is written there.
    if node is None or "$" in node.text.text[node.start : node.end]:
        return ()
    text = inline(value, node.text)
    return (Fix(title or f"write {text}", (Edit(node.span, text),), safe),)


def with_key(
    node: SourceNode | None,
    key: str,
    value: Any,
    *,
    title: str | None = None,
    safe: bool = False,
    before: str = "",
) -> tuple[Fix, ...]:
    """Sets `key: value` in a mapping: replaces the value, or adds the entry before a given key or at the end."""
    if node is None or not isinstance(node.value, dict):
        return ()
    words = f"{key}: {inline(value, node.text)}"
    if key in node.entries:
        return replaced(node.entries[key].node, value, title=title or words, safe=safe)
    text = node.text.text
    ends = [entry.node.end for entry in node.entries.values()]
    last = max([*ends, *(entry.end for entry in node.entries.values())], default=node.start + 1)
    inside = all(
        node.start <= entry.node.start and end <= node.end
        for entry, end in zip(node.entries.values(), ends, strict=True)
    )
    if not inside:  # an alias: its value is written elsewhere
        return ()
    if text[node.start : node.start + 1] == "{":
        new = f'"{key}": {inline(value, node.text)}' if node.text.is_json else words
        edit = Edit(node.text.span(last, last), f", {new}" if node.entries else new)
    elif text[node.start : node.start + 1] in ("&", "!") or not node.entries:
        return ()
    else:
        line, _ = node.text.position(last)
        column = min(node.text.position(entry.start)[1] for entry in node.entries.values())
        edit = Edit(
            node.text.span(end := node.text.line_end(line), end),
            f"{_line_break(node.text)}{' ' * (column - 1)}{words}",
        )
        place = node.entries[before].start if before in node.entries else 0
        if place > node.start:
            edit = Edit(node.text.span(place, place), f"{words}{_line_break(node.text)}{' ' * (column - 1)}")
    return (Fix(title or words, (edit,), safe),)


def with_first_key(node: SourceNode, key: str, value: Any, *, safe: bool = True) -> tuple[Fix, ...]:
    """Inserts `key: value` as the first entry of a mapping."""
    text = node.text
    words = f"{key}: {inline(value, text)}"
    if text.text[node.start : node.start + 1] == "{":
        words = f'"{key}": {inline(value, text)}' if text.is_json else words
        edit = Edit(text.span(node.start + 1, node.start + 1), f"{words}, " if node.entries else words)
    elif node.entries and text.position(node.start)[1] == 1:
        edit = Edit(text.span(node.start, node.start), f"{words}{_line_break(text)}")
    else:
        return ()
    return (Fix(f"add {words}", (edit,), safe),)


def without_key(node: SourceNode | None, key: str, *, safe: bool = False) -> tuple[Fix, ...]:
    """Removes a key from a mapping."""
    if node is None or len(node.entries) < 2 or key not in node.entries:
        return ()
    entries = sorted(node.entries.values(), key=lambda entry: entry.start)
    place = entries.index(node.entries[key])
    if not all(entry.start <= entry.node.start <= node.end for entry in entries):
        return ()
    entry = entries[place]
    start, end = entry.start, max(entry.end, entry.node.end)
    if place == 0:
        end = entries[1].start
    elif node.text.text[node.start] == "{":
        start = max(entries[place - 1].end, entries[place - 1].node.end)
    elif (whole := whole_lines(node.text, start, end)) is not None:
        start, end = whole
    else:
        return ()
    return (Fix(f"remove {key}", (Edit(node.text.span(start, end), ""),), safe),)


def whole_lines(text: SourceText, start: int, end: int) -> tuple[int, int] | None:
    """The whole lines of a range, with line break and trailing comment; None if other text precedes it on its line."""
    line, column = text.position(start)
    if text.line(line)[: column - 1].strip():
        return None
    last, _ = text.position(end)
    return text.offset(line, 1), text.offset(last + 1, 1)


def without_repeat(
    text: SourceText, key: str, start: int, first: SourceNode, second: SourceNode, opened: int
) -> tuple[Fix, ...]:
    """Removes a key's second entry from the mapping that begins at the offset ``opened``.

    This is safe if both entries have equal values. Otherwise either may be the one to keep, so there are two fixes.
    """
    if not start < second.start or first.start <= opened:
        return ()
    if text.text[opened] == "{":
        comma = len(text.text[:start].rstrip()) - 1
        if text.text[comma] != ",":
            return ()
        place = text.span(comma, second.end)
    elif (whole := whole_lines(text, start, second.end)) is not None:
        place = text.span(*whole)
    else:
        return ()
    drop = Edit(place, "")
    if first.value == second.value and type(first.value) is type(second.value):
        return (Fix(f"remove the second {key}", (drop,), True),)
    take = Edit(first.span, text.text[second.start : second.end])
    return (Fix(f"keep the first {key}", (drop,)), Fix(f"keep the second {key}", (take, drop)))


def _line_break(text: SourceText) -> str:
    """The line break that a text uses."""
    return "\r\n" if "\r\n" in text.text else "\n"
