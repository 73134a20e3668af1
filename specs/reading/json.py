"""JSON to a source tree: a small scanner of our own, since neither `json` nor a YAML reader keeps the
positions of JSON's keys and values.

It follows RFC 8259, without NaN and Infinity, and reports duplicate keys.
"""

from __future__ import annotations

import re
from functools import cached_property

from ..diagnostics.diagnostic import Diagnostics
from ..source.scalars import UNCLOSED, integer, real
from ..source.tree import Entry, SourceNode, SourceText
from .repeats import report_repeat

DEPTH_LIMIT = 100

_BLANK = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_WORD = re.compile(r"[-+.\w]+")
_CHUNK = re.compile(r'[^"\\\x00-\x1f]*')
_BRACKET = re.compile(r'"(?:[^"\\\r\n]|\\.)*"?|([\[\]{}])')
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


def recover_json(source: SourceText) -> SourceNode:
    """The tree of any text; a text without mistakes has the tree that `read_json` gives."""
    scanner = _Scanner(source, Diagnostics(), recovers=True)
    root = scanner.value(scanner.blank(0), 0)
    return root if root.is_collection else SourceNode(source, 0, 0, {})


class _Scanner:
    """Reads values. It stops at the first mistake or, with `recovers`, goes on: what is missing is null, what can't be
    read is skipped, and a bracket left open ends where another one that is open closes, or where the lines are
    indented no more than its own.
    """

    def __init__(self, source: SourceText, diagnostics: Diagnostics, recovers: bool = False) -> None:
        self.source, self.text, self.diagnostics = source, source.text, diagnostics
        self.spoilt, self.recovers = False, recovers
        self.open: list[tuple[int, str]] = []
        """Where each bracket that is open stands, and what closes it."""

    def mistake(self, message: str, start: int, end: int | None = None, code: str = "NW0102") -> None:
        if not self.recovers:
            raise _Stop(code, message, start, end)

    def blank(self, at: int) -> int:
        match = _BLANK.match(self.text, at)
        return match.end() if match else at

    def peek(self, at: int) -> str:
        return self.text[at : at + 1]

    def value(self, at: int, depth: int) -> SourceNode:
        character = self.peek(at)
        if character and character in "{[" and not self.is_outside(at):
            # The limit keeps the recursion far from Python's own.
            if depth >= DEPTH_LIMIT:
                self.mistake(f"nested more than {DEPTH_LIMIT} deep", at, code="NW0105")
                return SourceNode(self.source, at, at + 1, None)
            self.open.append((at, "}" if character == "{" else "]"))
            node = self.mapping(at, depth) if character == "{" else self.sequence(at, depth)
            self.open.pop()
            return node
        if character == '"' and not self.is_outside(at):
            text, end = self.string(at)
            return SourceNode(self.source, at, end, text)
        return self.word(at)

    def word(self, at: int) -> SourceNode:
        match = _WORD.match(self.text, at)
        if not match:
            actual = f"{self.peek(at)!r}" if self.peek(at) else "the end of the file"
            self.mistake(f"not valid JSON: expected a value, found {actual}", at)
            return SourceNode(self.source, at, at, None)
        word, end = match.group(), match.end()
        if word in _WORDS:
            return SourceNode(self.source, at, end, _WORDS[word])
        number = _NUMBER.fullmatch(word)
        if not number:
            self.mistake(f"not valid JSON: {word[:40]} is no JSON value", at, end)
            return SourceNode(self.source, at, end, word)
        value: int | float = 0
        try:
            value = real(word) if number.group(2) or number.group(3) else integer(word, 10)
        except ValueError as error:
            self.spoilt = True
            self.diagnostics.error("NW0112", str(error), self.source.span(at, end))
        return SourceNode(self.source, at, end, value)

    def sequence(self, at: int, depth: int) -> SourceNode:
        node = SourceNode(self.source, at, at + 1, [])
        here, closed = self.first(at, "]")
        while not closed:
            item = self.value(here, depth + 1)
            if item.end > item.start:
                node.items.append(item)
                node.value.append(item.value)
                node.end = item.end
            here, closed = self.next(item.end, "]", at)
        node.end = max(here, node.end)
        return node

    def mapping(self, at: int, depth: int) -> SourceNode:
        node = SourceNode(self.source, at, at + 1, {})
        here, closed = self.first(at, "}")
        while not closed:
            key, key_end = self.key(here)
            item = self.after_key(key_end, depth) if key_end > here else self.value(here, depth + 1)
            if item.end > here:
                self.enter(node, key, Entry(self.source, here, key_end, item))
                node.end = item.end
            here, closed = self.next(item.end, "}", at)
        node.end = max(here, node.end)
        return node

    def key(self, at: int) -> tuple[str, int]:
        if self.peek(at) == '"' and not self.is_outside(at):
            return self.string(at)
        self.mistake("not valid JSON: expected a key in double quotes", at)
        match = _WORD.match(self.text, at)
        return (match.group(), match.end()) if match else ("", at)

    def after_key(self, key_end: int, depth: int) -> SourceNode:
        colon = self.blank(key_end)
        if self.peek(colon) != ":":
            self.mistake("not valid JSON: expected ':' after the key", colon)
            return SourceNode(self.source, key_end, key_end, None)
        item = self.value(self.blank(colon + 1), depth + 1)
        if self.recovers and (item.start == item.end or self.peek(self.blank(item.end)) == ":"):
            return SourceNode(self.source, colon + 1, colon + 1, None)  # what follows is the next key
        return item

    def enter(self, node: SourceNode, key: str, entry: Entry) -> None:
        first = node.entries.get(key)
        if first is None:
            node.entries[key] = entry
            node.value[key] = entry.node.value
            return
        node.repeated.append((key, entry))
        report_repeat(self.diagnostics, node, key, first, entry)

    def first(self, opened: int, closing: str) -> tuple[int, bool]:
        """Where what is in a bracket begins; or, where nothing is in it, its end."""
        here = self.blank(opened + 1)
        return (here + 1, True) if self.peek(here) == closing else (here, False)

    def next(self, at: int, closing: str, opened: int) -> tuple[int, bool]:
        """Where the next item begins, after a comma; or, after the last one, where the bracket ends (0: nowhere)."""
        here = self.blank(at)
        while True:
            character = self.peek(here)
            if character == ",":
                here = self.blank(here + 1)
                # After a comma there is an item.
                return (here + 1, True) if self.recovers and self.peek(here) == closing else (here, False)
            if character == closing:
                return here + 1, True
            line = self.source.position(opened)[0]
            self.mistake(f"not valid JSON: expected ',' or '{closing}' (opened on line {line})", here)
            if not character or any(character == other for _, other in self.open) or self.is_outside(here):
                return 0, True
            if character in '{["' or _WORD.match(self.text, here):
                return here, False
            here = self.blank(here + 1)

    def is_outside(self, at: int) -> bool:
        """Whether a line begins here that is indented no more than the one with the innermost open bracket."""
        if not (self.recovers and len(self.open) > 1 and self.is_unbalanced):
            return False
        line, column = self.source.position(at)
        opener = self.source.line(self.source.position(self.open[-1][0])[0])
        before = self.source.line(line)[: column - 1]
        return not before.strip() and column - 1 <= len(opener) - len(opener.lstrip())

    @cached_property
    def is_unbalanced(self) -> bool:
        """Whether brackets were left open. Where none is, a text needs no indentation."""
        brackets = [match[1] for match in _BRACKET.finditer(self.text) if match[1]]
        return sum(bracket in "[{" for bracket in brackets) > sum(bracket in "]}" for bracket in brackets)

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
                self.mistake(f"not valid JSON: {what}", here if character else at)
                unclosed = UNCLOSED.match(self.text, at)
                end = unclosed.end() if unclosed else at + 1
                return self.text[at + 1 : end], end
            escape = self.peek(here + 1)
            if escape == "u":
                text, here = self.unicode(here)
                parts.append(text)
            elif escape and escape in _ESCAPES:
                parts.append(_ESCAPES[escape])
                here += 2
            else:
                self.mistake("not valid JSON: unknown escape in a string", here, here + 2)
                parts.append(character)
                here += 1

    def unicode(self, at: int) -> tuple[str, int]:
        """The character of a \\u escape (two of them for a surrogate pair) and the offset after it."""
        match = _HEX4.match(self.text, at + 2)
        if not match:
            self.mistake("not valid JSON: \\u needs four hexadecimal digits", at, at + 2)
            return "\\u", at + 2
        unit, end = int(match.group(), 16), match.end()
        if 0xD800 <= unit < 0xDC00 and self.text[end : end + 2] == "\\u":
            low = _HEX4.match(self.text, end + 2)
            if low and 0xDC00 <= int(low.group(), 16) < 0xE000:
                return chr(0x10000 + ((unit - 0xD800) << 10) + int(low.group(), 16) - 0xDC00), low.end()
        if 0xD800 <= unit < 0xE000:
            self.mistake("the string holds half of a surrogate pair", at, end, "NW0111")
            return self.text[at:end], end
        return chr(unit), end
