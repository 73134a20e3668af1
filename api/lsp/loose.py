"""A tolerant reading of YAML and JSON: a tree of whatever can be made out, and what stands around the cursor.

It reads each text, however broken: brackets that are not closed end where the next line clearly begins something
else, keys may lack values. It is no validator; the loader is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

Step = str | int

_TOKEN = re.compile(
    r"""(?P<newline>\r\n|\r|\n)|(?P<space>[ \t]+)|(?P<comment>\#[^\r\n]*)
    |(?P<quoted>"(?:[^"\\\r\n]|\\.)*"?|'(?:[^'\r\n]|'')*'?)|(?P<open>[{\[])|(?P<close>[}\]])|(?P<comma>,)
    |(?P<dash>-(?=[ \r\n]|$))|(?P<colon>:(?=[ \t\r\n,\]}]|$))|(?P<word>.)""",
    re.VERBOSE,
)
_PLAIN_BLOCK = re.compile(r"(?:[^\s:#]|:(?=\S)|(?<=\S)\#|[ \t]+(?=[^\s#]))+")
_PLAIN_FLOW = re.compile(r"(?:[^\s:#,{}\[\]]|:(?=[^\s,{}\[\]])|(?<=\S)\#|[ \t]+(?=[^\s#,{}\[\]:]))+")
_COLON = re.compile(r"[ \t]*:(?=[ \t\r\n,\]}\[{\"]|$)")
_BEGINS = re.compile(r"(?:- |[A-Za-z_$][\w$]*:(?:\s|$))")


@dataclass(slots=True)
class Loose:
    """A value: offsets of its text; `text` is a scalar's, without quotes."""

    kind: Literal["map", "list", "scalar"]
    start: int
    end: int
    text: str = ""
    entries: list[LooseEntry] = field(default_factory=list)
    items: list[Loose] = field(default_factory=list)

    def get(self, key: str) -> Loose | None:
        """The value of a key."""
        return next((entry.value for entry in self.entries if entry.key == key), None)

    def entry(self, key: str) -> LooseEntry | None:
        """The entry of a key."""
        return next((entry for entry in self.entries if entry.key == key), None)

    def word(self, key: str) -> str | None:
        """The text of a key's value, where it is a scalar."""
        value = self.get(key)
        return value.text if value and value.kind == "scalar" else None

    def children(self) -> Iterator[tuple[Step, Loose]]:
        """What is in it, by key or position."""
        yield from ((entry.key, entry.value) for entry in self.entries if entry.value)
        yield from enumerate(self.items)


@dataclass(slots=True)
class LooseEntry:
    """A key with its place and, where there is one, its value."""

    key: str
    start: int
    end: int
    value: Loose | None = None


@dataclass(frozen=True, slots=True)
class Cursor:
    """What stands at an offset: `path` leads to the mapping or list around it.

    With `key` the cursor is at that key's value, otherwise at a key of a mapping or an item of a list. `word` is what
    is written there, from `start` to `end`.
    """

    path: tuple[Step, ...]
    around: Loose
    key: str | None
    word: str
    start: int
    end: int


@dataclass(slots=True)
class _Frame:
    node: Loose
    column: int
    flow: bool
    step: Step = 0
    line_column: int = 0
    """Of a flow collection: where the line that opened it begins."""


class LooseText:
    """A text and its tree."""

    def __init__(self, text: str):
        self.text = text
        self.root = Loose("map", 0, len(text))
        self._frames = [_Frame(self.root, 0, False)]
        self._closed: set[int] = set()
        self._read()

    # Asking.

    def at(self, offset: int) -> Cursor:
        """What stands at an offset."""
        around, path = self.root, ()
        while True:
            inner = self._inside(around, offset)
            if inner is None:
                break
            step, node = inner
            around, path = node, (*path, step)
        around, path = self._by_column(around, path, offset)
        for entry in around.entries:
            if entry.start <= offset <= entry.end:
                return Cursor(path, around, None, entry.key, entry.start, entry.end)
            value = entry.value
            if value and value.kind == "scalar" and value.start <= offset <= value.end:
                return Cursor(path, around, entry.key, value.text, value.start, value.end)
        for item in around.items:
            if item.kind == "scalar" and item.start <= offset <= item.end:
                return Cursor(path, around, None, item.text, item.start, item.end)
        return Cursor(path, around, self._open_key(around, offset), "", offset, offset)

    def value_at(self, path: tuple[Step, ...]) -> Loose | None:
        """The value at a path."""
        node: Loose | None = self.root
        for step in path:
            node = next((one for name, one in node.children() if name == step), None) if node else None
        return node

    def _inside(self, node: Loose, offset: int) -> tuple[Step, Loose] | None:
        for step, child in node.children():
            if child.kind == "scalar" or offset < child.start:
                continue
            if id(child) in self._closed:
                if child.start < offset < child.end:
                    return step, child
            elif offset <= child.end or not self.text[child.end : offset].strip(" \t:,"):
                return step, child
        return None

    def _by_column(
        self, around: Loose, path: tuple[Step, ...], offset: int
    ) -> tuple[Loose, tuple[Step, ...]]:
        """On an empty line the column says which mapping or list a key would belong to."""
        start = max(self.text.rfind("\n", 0, offset), self.text.rfind("\r", 0, offset)) + 1
        before = self.text[start:offset]
        if before.strip() or self._is_flow(around):
            return around, path
        column = len(before)
        best: tuple[Loose, tuple[Step, ...]] = (self.root, ())
        here, trail = self.root, ()
        while True:
            last = None
            for step, child in here.children():
                if child.kind != "scalar" and child.start < offset:
                    last = (step, child)
            if last is None or self._is_flow(last[1]):
                return best
            here, trail = last[1], (*trail, last[0])
            if self._column(here.start) <= column:
                best = here, trail

    def _is_flow(self, node: Loose) -> bool:
        return node is not self.root and self.text[node.start : node.start + 1] in ("{", "[")

    def _column(self, offset: int) -> int:
        return offset - max(self.text.rfind("\n", 0, offset), self.text.rfind("\r", 0, offset)) - 1

    def _open_key(self, around: Loose, offset: int) -> str | None:
        """The key before the offset that has no value yet, on the same line."""
        last = None
        for entry in around.entries:
            if entry.end < offset:
                last = entry
        if last is None or (last.value and last.value.start < offset):
            return None
        between = self.text[last.end : offset]
        return last.key if ":" in between and "," not in between and "\n" not in between else None

    # Reading.

    def _read(self) -> None:
        text, here, begins, column = self.text, 0, True, 0
        line_start = 0
        while here < len(text):
            top = self._frames[-1]
            match = _TOKEN.match(text, here)
            assert match
            kind, end = match.lastgroup, match.end()
            if kind == "newline":
                begins, line_start = True, end
            elif kind in ("space", "comment"):
                pass
            else:
                column = here - line_start
                if begins and top.flow:
                    self._recover(column, text, here)
                    top = self._frames[-1]
                end = self._take(kind or "", match.group(), here, end, column, begins, top)
                begins = begins and kind == "dash"
            here = end
        for frame in self._frames:
            frame.node.end = max(frame.node.end, len(text.rstrip()) if frame.flow else frame.node.end)

    def _recover(self, column: int, text: str, here: int) -> None:
        """Closes brackets that were left open, where a line begins something that can't be inside them."""
        outer = next(frame for frame in self._frames if frame.flow)
        if column <= outer.line_column and _BEGINS.match(text, here):
            end = len(text[:here].rstrip())
            while self._frames[-1].flow:
                frame = self._frames.pop()
                frame.node.end = end
                self._grow(end)

    def _take(
        self, kind: str, token: str, here: int, end: int, column: int, begins: bool, top: _Frame
    ) -> int:
        if kind == "dash" and begins and not top.flow:
            self._item(column, here, end)
        elif kind == "open":
            node = Loose("map" if token == "{" else "list", here, end)
            if token == "{" and top.node is self.root and not self.root.entries:
                node = self.root  # JSON
            else:
                self._place(node)
            self._frames.append(_Frame(node, column, True, line_column=self._indent(here)))
        elif kind == "close":
            if top.flow:
                top.node.end = end
                self._closed.add(id(top.node))
                self._frames.pop()
                self._grow(end)
        elif kind == "comma":
            top.step = 0
        elif kind == "colon":
            self._key_from_item(end)
        else:
            return self._scalar(kind, token, here, end, column, begins, top)
        return end

    def _indent(self, offset: int) -> int:
        line = offset - self._column(offset)
        return len(self.text[line:offset]) - len(self.text[line:offset].lstrip(" "))

    def _scalar(
        self, kind: str, token: str, here: int, end: int, column: int, begins: bool, top: _Frame
    ) -> int:
        words = token[1:-1] if len(token) > 1 and token[-1] == token[0] else token[1:]
        if kind != "quoted":
            match = (_PLAIN_FLOW if top.flow else _PLAIN_BLOCK).match(self.text, here)
            end = match.end() if match else end
            words = self.text[here:end]
        colon = _COLON.match(self.text, end)
        if colon and (top.flow or begins or top.step == "item"):
            self._key(words, here, end, column)
            self._grow(colon.end())
            return colon.end()
        if top.flow and top.node.kind == "map" and not self._waits(top):
            top.node.entries.append(LooseEntry(words, here, end))  # a key that has no colon yet
            self._grow(end)
            return end
        if begins and not top.flow:
            self._pop(column)
            top = self._frames[-1]
            if top.node.kind == "map" and top.column == column and not self._waits(top):
                top.node.entries.append(LooseEntry(words, here, end))
                self._grow(end)
                return end
        self._place(Loose("scalar", here, end, words))
        return end

    @staticmethod
    def _waits(frame: _Frame) -> bool:
        """Whether the last key of a mapping has no value, and a value may follow."""
        return frame.step == "value"

    def _pop(self, column: int) -> None:
        while len(self._frames) > 1 and not self._frames[-1].flow and self._frames[-1].column > column:
            self._frames.pop()

    def _key(self, words: str, here: int, end: int, column: int) -> None:
        if not self._frames[-1].flow:
            self._pop(column)
            top = self._frames[-1]
            if top.node.kind == "list" and top.column == column and top.step != "item":
                self._frames.pop()  # a list at the column of its own key has ended
                top = self._frames[-1]
            if top.node.kind != "map" or top.column < column:
                node = Loose("map", here, end)
                self._place(node)
                self._frames.append(_Frame(node, column, False))
        top = self._frames[-1]
        if top.node.kind == "map":
            top.node.entries.append(LooseEntry(words, here, end))
            top.step = "value"
            self._grow(end)

    def _key_from_item(self, end: int) -> None:
        """A colon after what was taken for a key without one."""
        top = self._frames[-1]
        if top.node.kind == "map" and top.node.entries and top.node.entries[-1].value is None:
            top.step = "value"
            self._grow(end)

    def _item(self, column: int, here: int, end: int) -> None:
        self._pop(column)
        top = self._frames[-1]
        if top.node.kind != "list" or top.column != column:
            node = Loose("list", here, end)
            self._place(node)
            self._frames.append(_Frame(node, column, False))
        self._frames[-1].step = "item"
        self._grow(end)

    def _place(self, node: Loose) -> None:
        """Puts a value where one is waited for."""
        top = self._frames[-1]
        if top.node.kind == "list":
            top.node.items.append(node)
            top.step = 0
        elif top.node.entries:
            if top.node.entries[-1].value is None:
                top.node.entries[-1].value = node
            top.step = 0
        self._grow(node.end)

    def _grow(self, end: int) -> None:
        for frame in reversed(self._frames):
            if frame.node.end >= end and frame.node is not self.root:
                break
            frame.node.end = max(frame.node.end, end)
