"""JSON to a source tree: a small scanner of our own, since neither `json` nor a YAML reader keeps the
positions of JSON's keys and values.

It follows RFC 8259, without NaN and Infinity, and reports duplicate keys.
"""

from __future__ import annotations

import re

from ..diagnostics.diagnostic import Diagnostics
from ..diagnostics.fixes import without_repeat
from ..source.scalars import integer, real
from ..source.tree import Entry, SourceNode, SourceText

DEPTH_LIMIT = 100

_BLANK = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_WORD = re.compile(r"[-+.\w]+")
_CHUNK = re.compile(r'[^"\\\x00-\x1f]*')
_HEX4 = re.compile(r"[0-9a-fA-F]{4}")
_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_WORDS = {"true": True, "false": False, "null": None}


class _Stop(Exception):
    """Reading can't go on."""

    def __init__(self, code: str, message: str, start: int, end: int | None = None) -> None:
        super().__init__(message)
        self.code, self.start, self.end = code, start, start + 1 if end is None else end


def read_json(source: SourceText, diagnostics: Diagnostics) -> SourceNode | None:
    """The tree of a JSON text, or None when it can't be read; what is wrong goes to `diagnostics`."""
    scanner = _Scanner(source, diagnostics)
    try:
        start = scanner.blank(0)
        if start == len(source.text):
            raise _Stop("NW0108", "the file is empty", 0, 0)
        root = scanner.value(start, 0)
        end = scanner.blank(root.end)
        if end < len(source.text):
            raise _Stop("NW0102", "not valid JSON: text after the end of the value", end)
    except _Stop as stop:
        diagnostics.error(stop.code, str(stop), source.span(stop.start, stop.end))
        return None
    return None if scanner.spoilt else root


class _Scanner:
    def __init__(self, source: SourceText, diagnostics: Diagnostics) -> None:
        self.source, self.text, self.diagnostics = source, source.text, diagnostics
        self.spoilt = False

    def blank(self, at: int) -> int:
        match = _BLANK.match(self.text, at)
        return match.end() if match else at

    def peek(self, at: int) -> str:
        return self.text[at : at + 1]

    def value(self, at: int, depth: int) -> SourceNode:
        character = self.peek(at)
        if character and character in "{[":
            # The limit keeps the recursion far from Python's own.
            if depth >= DEPTH_LIMIT:
                raise _Stop("NW0105", f"nested more than {DEPTH_LIMIT} deep", at)
            return self.mapping(at, depth) if character == "{" else self.sequence(at, depth)
        if character == '"':
            text, end = self.string(at)
            return SourceNode(self.source, at, end, text)
        return self.word(at)

    def word(self, at: int) -> SourceNode:
        match = _WORD.match(self.text, at)
        if not match:
            found = f"{self.peek(at)!r}" if self.peek(at) else "the end of the file"
            raise _Stop("NW0102", f"not valid JSON: expected a value, found {found}", at)
        word, end = match.group(), match.end()
        if word in _WORDS:
            return SourceNode(self.source, at, end, _WORDS[word])
        number = _NUMBER.fullmatch(word)
        if not number:
            raise _Stop("NW0102", f"not valid JSON: {word[:40]} is no JSON value", at, end)
        value: int | float = 0
        try:
            value = real(word) if number.group(2) or number.group(3) else integer(word, 10)
        except ValueError as error:
            self.spoilt = True
            self.diagnostics.error("NW0112", str(error), self.source.span(at, end))
        return SourceNode(self.source, at, end, value)

    def sequence(self, at: int, depth: int) -> SourceNode:
        node = SourceNode(self.source, at, at + 1, [])
        here = self.blank(at + 1)
        while self.peek(here) != "]" or node.items:
            item = self.value(here, depth + 1)
            node.items.append(item)
            node.value.append(item.value)
            here = self.separator(item.end, "]", at)
            if self.text[here] == "]":
                break
            here = self.blank(here + 1)
        node.end = here + 1
        return node

    def mapping(self, at: int, depth: int) -> SourceNode:
        node = SourceNode(self.source, at, at + 1, {})
        here = self.blank(at + 1)
        while self.peek(here) != "}" or node.entries:
            if self.peek(here) != '"':
                raise _Stop("NW0102", "not valid JSON: expected a key in double quotes", here)
            key, key_end = self.string(here)
            colon = self.blank(key_end)
            if self.peek(colon) != ":":
                raise _Stop("NW0102", "not valid JSON: expected ':' after the key", colon)
            item = self.value(self.blank(colon + 1), depth + 1)
            first = node.entries.get(key)
            if first:
                self.diagnostics.error(
                    "NW0103",
                    f"the key {key} appears twice",
                    self.source.span(here, key_end),
                    labels=[(first.key_span, "first here")],
                    fixes=without_repeat(self.source, key, here, first.node, item, at),
                )
            else:
                node.entries[key] = Entry(self.source, here, key_end, item)
                node.value[key] = item.value
            here = self.separator(item.end, "}", at)
            if self.text[here] == "}":
                break
            here = self.blank(here + 1)
        node.end = here + 1
        return node

    def separator(self, at: int, closing: str, opened: int) -> int:
        """The offset of the comma or closing bracket after an item."""
        here = self.blank(at)
        if self.peek(here) not in (",", closing):
            line = self.source.position(opened)[0]
            raise _Stop(
                "NW0102", f"not valid JSON: expected ',' or '{closing}' (opened on line {line})", here
            )
        return here

    def string(self, at: int) -> tuple[str, int]:
        parts: list[str] = []
        here = at + 1
        while True:
            chunk = _CHUNK.match(self.text, here)
            if chunk:
                parts.append(chunk.group())
                here = chunk.end()
            character = self.peek(here)
            if character == '"':
                return "".join(parts), here + 1
            if character != "\\":
                what = "a control character in a string" if character else "a string without an end"
                raise _Stop("NW0102", f"not valid JSON: {what}", here if character else at)
            escape = self.peek(here + 1)
            if escape == "u":
                text, here = self.unicode(here)
                parts.append(text)
            elif escape and escape in _ESCAPES:
                parts.append(_ESCAPES[escape])
                here += 2
            else:
                raise _Stop("NW0102", "not valid JSON: unknown escape in a string", here, here + 2)

    def unicode(self, at: int) -> tuple[str, int]:
        """The character of a \\u escape (two of them for a surrogate pair) and the offset after it."""
        match = _HEX4.match(self.text, at + 2)
        if not match:
            raise _Stop("NW0102", "not valid JSON: \\u needs four hexadecimal digits", at, at + 2)
        unit, end = int(match.group(), 16), match.end()
        if 0xD800 <= unit < 0xDC00 and self.text[end : end + 2] == "\\u":
            low = _HEX4.match(self.text, end + 2)
            if low and 0xDC00 <= int(low.group(), 16) < 0xE000:
                return chr(0x10000 + ((unit - 0xD800) << 10) + int(low.group(), 16) - 0xDC00), low.end()
        if 0xD800 <= unit < 0xE000:
            raise _Stop("NW0111", "the string holds half of a surrogate pair", at, end)
        return chr(unit), end
