"""Source text and the tree read from it: where every key and every value stands.

Readers (YAML, JSON) build `SourceNode`s with code-point offsets; lines and columns are worked out only when
somebody asks for a `Span`, from one table a file. A node knows its own text, so a tree may be put together
from several files.
"""

from __future__ import annotations

import copy
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Path = tuple[str | int, ...]
"""Keys and list positions from the root of a tree, as in `("layers", 3, "filters")`."""

_LINE_BREAK = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of a file: lines and columns from 1, counted in code points, the end exclusive."""

    file: str
    line: int
    column: int
    end_line: int
    end_column: int
    trail: tuple[Via, ...] = field(default=(), compare=False)
    """How what stands here came to matter, the nearest first: values it was computed from, uses of its block."""

    @property
    def bare(self) -> Span:
        """The place alone, without its trail."""
        return Span(self.file, self.line, self.column, self.end_line, self.end_column) if self.trail else self


@dataclass(frozen=True, slots=True)
class Via:
    """A step of a trail: a place and what it says there. `value`: a value from there was put in."""

    span: Span
    text: str
    value: bool = False


class SourceText:
    """A file's name and text, and the way from an offset in it to a line and column."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.text = text
        self.trail: tuple[Via, ...] = ()
        breaks = list(_LINE_BREAK.finditer(text))
        self._starts = [0, *(match.end() for match in breaks)]
        self._ends = [*(match.start() for match in breaks), len(text)]

    @property
    def is_json(self) -> bool:
        """Whether the file's name says that it is JSON; if not it is YAML."""
        return self.file.lower().endswith(".json")

    @property
    def line_count(self) -> int:
        """The number of lines; a text that ends in a line break has an empty last one."""
        return len(self._starts)

    def line(self, number: int) -> str:
        """The text of a line (from 1) without its line break; empty past the end."""
        if not 1 <= number <= len(self._starts):
            return ""
        return self.text[self._starts[number - 1] : self._ends[number - 1]]

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column (both from 1) of a code-point offset."""
        offset = max(0, min(offset, len(self.text)))
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1

    def offset(self, line: int, column: int) -> int:
        """The code-point offset of a line and column (both from 1); the nearest there is."""
        if line > len(self._starts):
            return len(self.text)
        start, end = self._starts[max(line, 1) - 1], self._ends[max(line, 1) - 1]
        return min(start + max(column, 1) - 1, end)

    def line_end(self, number: int) -> int:
        """The offset of a line's end, before its line break."""
        return self.offset(number, len(self.line(number)) + 1)

    def span(self, start: int, end: int) -> Span:
        """The span of the offsets `start` (inclusive) to `end` (exclusive)."""
        return Span(self.file, *self.position(start), *self.position(max(start, end)), self.trail)

    def reached(self, trail: tuple[Via, ...]) -> SourceText:
        """The same text, whose spans carry a trail."""
        view = copy.copy(self)
        view.trail = trail
        return view


@dataclass(slots=True, eq=False)
class SourceNode:
    """A value and the offsets of its text; mappings and lists also hold the nodes of what is in them.

    `value` is a plain dict, list, str, int, float, bool or None.
    """

    text: SourceText
    start: int
    end: int
    value: Any
    entries: dict[str, Entry] = field(default_factory=dict)
    items: list[SourceNode] = field(default_factory=list)
    repeated: list[tuple[str, Entry]] = field(default_factory=list)
    """Entries whose key another one has."""

    @property
    def is_collection(self) -> bool:
        """Whether it is a mapping or a list."""
        return isinstance(self.value, (dict, list))

    @property
    def span(self) -> Span:
        """Where the value stands."""
        return self.text.span(self.start, self.end)

    def child(self, step: str | int) -> SourceNode | None:
        """The node under a key or at a list position, None where there is none."""
        if isinstance(step, str):
            entry = self.entries.get(step)
            return entry.node if entry else None
        return self.items[step] if 0 <= step < len(self.items) else None

    def find(self, path: Path) -> SourceNode | None:
        """The node at the end of a path, None where the path leaves the tree."""
        node: SourceNode | None = self
        for step in path:
            node = node.child(step) if node else None
        return node

    def walk(self, path: Path = ()) -> Iterator[tuple[Path, SourceNode]]:
        """This node and all below it, each with its path; iterative, so depth is no danger."""
        stack: list[tuple[Path, SourceNode]] = [(path, self)]
        while stack:
            here, node = stack.pop()
            yield here, node
            stack.extend(((*here, key), entry.node) for key, entry in reversed(node.entries.items()))
            stack.extend(((*here, i), item) for i, item in reversed(list(enumerate(node.items))))


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A key's place and its value's node, in a mapping."""

    text: SourceText
    start: int
    end: int
    node: SourceNode

    @property
    def key_span(self) -> Span:
        """Where the key stands."""
        return self.text.span(self.start, self.end)

    @property
    def span(self) -> Span:
        """From the key to the end of the value."""
        return self.text.span(self.start, max(self.end, self.node.end))


class SourceTree:
    """A whole file: plain values plus the span of any key or value by its path."""

    def __init__(self, source: SourceText, root: SourceNode) -> None:
        self.source = source
        self.root = root

    @property
    def value(self) -> Any:
        """The plain tree of values."""
        return self.root.value

    def node(self, path: Path) -> SourceNode | None:
        """The node at a path, None where there is none."""
        return self.root.find(path)

    def value_span(self, path: Path) -> Span:
        """The span of the value at a path, or of the nearest thing above it that is in the text."""
        path = self.nearest(path)
        node = self.root.find(path)
        return node.span if node else self.root.span

    def key_span(self, path: Path) -> Span:
        """The span of the key that ends a path; of the value where the path ends in a list position."""
        entry = self._entry(self.nearest(path))
        return entry.key_span if entry else self.value_span(path)

    def entry_span(self, path: Path) -> Span:
        """From the key that ends a path to the end of its value."""
        entry = self._entry(self.nearest(path))
        return entry.span if entry else self.value_span(path)

    def nearest(self, path: Path) -> Path:
        """The longest beginning of a path that is in the text."""
        node: SourceNode | None = self.root
        for length, step in enumerate(path):
            node = node.child(step) if node else None
            if node is None:
                return path[:length]
        return path

    def _entry(self, path: Path) -> Entry | None:
        parent = self.root.find(path[:-1]) if path else None
        return parent.entries.get(path[-1]) if parent and isinstance(path[-1], str) else None


def align(node: SourceNode) -> list[int]:
    """Offsets in the file for each character of a string value, and one more for its end.

    Quotes, escapes, folded lines and indentation stand between a value and its text. Each character is
    matched with the next equal one, any white space with any other; where an escape spells a character
    differently the match stays where it is, so positions can be a little off there but never outside.
    """
    text, limit = node.text.text, node.end
    position, offsets = node.start, []
    for character in node.value:
        blank = character.isspace()
        probe = position
        while probe < limit and not (text[probe] == character or (blank and text[probe].isspace())):
            probe += 1
        if probe < limit:
            position = probe
        offsets.append(position)
        if probe < limit:
            position += 1
    return [*offsets, min(position, limit)]
