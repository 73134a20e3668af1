"""What stands around the cursor, in the tree that the loader made out of the text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from netwright.specs.source.tree import Entry, Path, SourceNode, SourceTree

_PROPERTIES = re.compile(r"(?:[&!]\S*\s+)*")
_COMMENT = re.compile(r"(?:^|\s)#")


@dataclass(frozen=True, slots=True)
class Cursor:
    """What stands at an offset: `path` leads to the mapping or list around it.

    With `key` the cursor is at that key's value, otherwise at a key of a mapping or an item of a list. `word` is what
    is written there, from `start` to `end`. A value `below` its key, on a line of its own, may be the first key of a
    mapping.
    """

    path: Path
    around: SourceNode
    key: str | None
    word: str
    start: int
    end: int
    below: bool = False


def cursor_at(tree: SourceTree, offset: int) -> Cursor | None:
    """What stands at an offset; None in comments and in texts of several lines."""
    return _Places(tree).at(offset)


def written_at(node: SourceNode) -> tuple[int, int]:
    """Where a value is written, after its anchor."""
    match = _PROPERTIES.match(node.text.text, node.start, node.end)
    return (match.end() if match else node.start), node.end


class _Child(NamedTuple):
    """What is in a mapping or list: by key, with the key's place, or by position."""

    step: str | int
    entry: Entry | None
    node: SourceNode


def _last_before(around: SourceNode, offset: int) -> _Child | None:
    """What in a mapping or list begins last, at an offset or before."""
    last = None
    for key, entry in (*around.entries.items(), *around.repeated):
        if entry.start <= offset and (last is None or last[1].start < entry.start):
            last = key, entry
    if last is not None:
        key, entry = last
        node = entry.node
        if node.start < entry.end:  # an alias: it is written elsewhere
            node = SourceNode(node.text, entry.end, entry.end, None)
        return _Child(key, entry, node)
    for position in reversed(range(len(around.items))):
        if around.start <= around.items[position].start <= offset:
            return _Child(position, None, around.items[position])
    return None


class _Places:
    def __init__(self, tree: SourceTree) -> None:
        self.root, self.source, self.text = tree.root, tree.source, tree.source.text

    def at(self, offset: int) -> Cursor | None:
        path: Path = ()
        around = self.root
        while (child := _last_before(around, offset)) and self.is_inside(child.node, offset):
            path, around = (*path, child.step), child.node
        if child and self.has_lines(child.node) and not self.text[child.node.end : offset].strip(" "):
            return None
        line = self.source.offset(self.source.position(offset)[0], 1)
        if not self.text[line:offset].strip(" ") and not self.is_flow(around):
            path, around, waiting = self.by_column(offset - line, offset)
            if waiting:
                return Cursor(path, around, waiting, "", offset, offset, below=True)
            child = _last_before(around, offset)
        if child is None:
            return None if self.is_comment(line, offset) else Cursor(path, around, None, "", offset, offset)
        step, entry, node = child
        if entry and offset <= entry.end:
            return self.word(path, around, None, entry.start, entry.end)
        key = str(step) if entry else None
        start, end = written_at(node)
        if start < end and start <= offset <= end and not node.is_collection:
            below = entry is not None and not self.is_flow(around) and "\n" in self.text[entry.end : start]
            return self.word(path, around, key, start, end, below)
        done = node.end if node.end <= offset else entry.end if entry else node.start
        if self.is_comment(max(line, done), offset):
            return None
        key = key if entry and self.waits(entry, node, offset) else None
        return Cursor(path, around, key, "", offset, offset)

    def is_inside(self, node: SourceNode, offset: int) -> bool:
        """Whether an offset is in a mapping or list: up to its bracket, else up to the end of its line."""
        if not node.is_collection or offset < node.start:
            return False
        if self.is_closed(node):
            return node.start < offset < node.end
        return offset <= node.end or not self.text[node.end : offset].strip(" \t:,")

    def by_column(self, column: int, offset: int) -> tuple[Path, SourceNode, str | None]:
        """On an empty line the column says which mapping or list a key would belong to, or what key waits for one."""
        best: tuple[Path, SourceNode, str | None] = ((), self.root, None)
        path: Path = ()
        here = self.root
        while child := _last_before(here, offset - 1):
            step, entry, node = child
            if entry and node.start == node.end and self.column(entry.start) < column:
                return path, here, str(step)
            if not node.is_collection or self.is_flow(node) or node.start >= offset:
                break
            beside = isinstance(node.value, list) and self.column(node.start) == self.column(here.start)
            here, path = node, (*path, step)
            if self.column(here.start) <= column and not beside:
                best = path, here, None
        return best

    def waits(self, entry: Entry, node: SourceNode, offset: int) -> bool:
        """Whether a value is missing, and may stand at an offset."""
        between = self.text[entry.end : offset]
        missing = node.start == node.end or node.start >= offset
        return missing and ":" in between and "," not in between and "\n" not in between

    def word(
        self, path: Path, around: SourceNode, key: str | None, start: int, end: int, below: bool = False
    ) -> Cursor:
        written = self.text[start:end]
        quote = written[0] if written[:1] in ('"', "'") else ""
        return Cursor(path, around, key, written.removeprefix(quote).removesuffix(quote), start, end, below)

    def column(self, offset: int) -> int:
        return self.source.position(offset)[1] - 1

    def is_comment(self, start: int, end: int) -> bool:
        """Whether a comment begins in what is between tokens."""
        return _COMMENT.search(self.text[start:end]) is not None

    def is_flow(self, node: SourceNode) -> bool:
        start = written_at(node)[0]
        return self.text[start : start + 1] in ("{", "[")

    def is_closed(self, node: SourceNode) -> bool:
        if not self.is_flow(node) or self.text[node.end - 1] not in "]}":
            return False
        entries = (*node.entries.values(), *(entry for _, entry in node.repeated))
        inner = [max(entry.end, entry.node.end) for entry in entries] + [item.end for item in node.items]
        return node.end > max(inner, default=node.start + 1)

    def has_lines(self, node: SourceNode) -> bool:
        return not node.is_collection and "\n" in self.text[node.start : node.end]
