"""The tree of a YAML text with mistakes: of all that can be read."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from yaml import events as ev
from yaml.error import Mark, MarkedYAMLError, YAMLError

from ..diagnostics.diagnostic import Diagnostics
from ..source.tree import Entry, SourceNode, SourceText
from . import yaml as strict
from .events import TreeBuilder
from .mending import MendingParser

_SECTION = re.compile(r"^[A-Za-z_$][\w$]*:(?=\s)", re.MULTILINE)
_LIST = re.compile(r"[\w$]+:(?:[^\S\n]*(?:#.*)?\n)+( *- )")
_ANCHOR = re.compile(r"(?:^|[\s,:\[{])[&*]\w")
_INK = re.compile(r"[^\r\n]")
_LONGEST_PART = 4000


def recover_yaml(source: SourceText) -> SourceNode:
    """The tree of any text; a text without mistakes has the tree that `read_yaml` gives.

    Where the parser in C reads all but a part of the text, only that part is mended: while one types, most is right.
    """
    if strict.is_plain(source.text):
        quick = _Keeping(source)
        if quick.take_all(strict.CParser(source.text)):
            return quick.finished()
        if not _ANCHOR.search(source.text):
            node = _recover_part(source, *_part(source.text, quick.last, quick.stopped))
            if node:
                return node
    builder = _Keeping(source)
    builder.take_all(MendingParser(source.text))
    return builder.finished()


def _part(text: str, last: int, stopped: int) -> tuple[int, int]:
    """The sections of a text, or the items of one, around a mistake: reading stopped there, after what came `last`.

    They can be read by themselves, since nothing inside of them may begin a line so far to the left.
    """
    start, end = _between([match.start() for match in _SECTION.finditer(text)], last, stopped, 0, len(text))
    listed = _LIST.match(text, start, end)
    if listed and listed.start(1) <= last:
        items = re.compile(f"^{listed[1]}", re.MULTILINE).finditer(text, start, end)
        start, end = _between([match.start() for match in items], last, stopped, start, end)
    return start, end


def _between(starts: list[int], last: int, stopped: int, start: int, end: int) -> tuple[int, int]:
    start = max((position for position in starts if position <= last), default=start)
    for least in (stopped, last):  # a bracket or quote left open is noticed late
        after = min((position for position in starts if position > max(least, start)), default=end)
        if after - start <= _LONGEST_PART:
            return start, after
    return start, end


def _recover_part(source: SourceText, start: int, end: int) -> SourceNode | None:
    """The tree of a text in which only a part has mistakes; None where that is not so."""
    text = source.text
    rest, part = _Keeping(source), _Keeping(source)
    if (start, end) == (0, len(text)) or end - start > _LONGEST_PART:
        return None
    if not rest.take_all(strict.CParser(text[:start] + _INK.sub(" ", text[start:end]) + text[end:])):
        return None
    part.take_all(MendingParser(text, start, end))
    whole, mended = rest.finished(), part.finished()
    if part.joined or whole.repeated or not isinstance(whole.value, dict):
        return None
    if isinstance(mended.value, list):
        key, entry = max(whole.entries.items(), key=lambda pair: (pair[1].start < start) * pair[1].start)
        items = sorted([*entry.node.items, *mended.items], key=lambda item: item.start)
        begin = min(mended.start, entry.node.start if entry.node.items else mended.start)
        end = max(entry.node.end, mended.end)
        listed = SourceNode(source, begin, end, [item.value for item in items], {}, items)
        mended = SourceNode(source, begin, end, {key: listed.value}, {key: replace(entry, node=listed)})
        del whole.entries[key]
    _add(whole, mended)
    return whole


class _Keeping(TreeBuilder):
    """Keeps what the language has no place for: what stands under a key that is there already, or under none.

    A value without a key is under the key of no characters.
    """

    def __init__(self, source: SourceText) -> None:
        super().__init__(source, Diagnostics())
        self.last = self.stopped = 0
        """Where the last thing begins that is whole or was left open, and where reading stopped."""
        self.joined = False

    def take_all(self, parser: Any) -> bool:
        """Takes every event; False where something made that impossible."""
        try:
            while parser.check_event():
                event = parser.get_event()
                self.last = self.stopped = event.start_mark.index
                if not self.take(event):
                    return False
        except YAMLError as error:
            mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
            self.stopped = mark.index if mark else self.last
            starts = [collection.node.start for collection in self.open]
            brackets = [start for start in starts if self.source.text.startswith(("[", "{"), start)]
            self.last = min([self.last, *brackets])
            return False
        return self.root is not None and self.root.is_collection

    def take(self, event: Any) -> bool:
        if isinstance(event, ev.DocumentStartEvent):
            return True
        if self.at_key() and isinstance(event, ev.NodeEvent):
            opened, start = self.open[-1], event.start_mark.index
            if opened.odd or not isinstance(event, ev.ScalarEvent):
                opened.key, opened.odd = ("", start, start), not opened.odd
        return super().take(event)

    def alias(self, event: Any) -> bool:
        if self.anchors.get(event.anchor) is not None:
            return super().alias(event)
        start, end = event.start_mark.index, event.end_mark.index
        return self.place(SourceNode(self.source, start, end, f"*{event.anchor}"), 1, event)

    def place(self, node: SourceNode, size: int, event: Any) -> bool:
        if not self.open and self.root is not None:
            self.join(node)
            return True
        if self.open and node.value is None and node.start == node.end:
            key = self.open[-1].key
            if key and key[1] == key[2]:
                self.open[-1].key = None
                return True
            if key:
                node = replace(node, start=key[2], end=key[2])
        return super().place(node, size, event)

    def repeat(self, parent: SourceNode, key: str, first: Entry, entry: Entry) -> None:
        """Mistakes are the strict reading's to tell."""

    def join(self, node: SourceNode) -> None:
        """Takes a second value of the whole text, as bad indentation makes one, into the first."""
        self.joined = True
        if self.root and isinstance(self.root.value, dict) and isinstance(node.value, dict):
            _add(self.root, node)
        elif isinstance(node.value, dict):
            self.root = node

    def finished(self) -> SourceNode:
        """The tree, with whatever is still open ended."""
        while self.open:
            self.open[-1].key = None
            mark = Mark("", self.open[-1].node.end, 0, 0, None, 0)
            self.finish(ev.CollectionEndEvent(mark, mark))
        root = self.root
        return root if root and root.is_collection else SourceNode(self.source, 0, 0, {})


def _add(whole: SourceNode, part: SourceNode) -> None:
    """Puts the entries of a mapping among those of another one, as they are written."""
    if not part.value:
        return
    whole.repeated += [*part.repeated, *(pair for pair in part.entries.items() if pair[0] in whole.entries)]
    both = sorted({**part.entries, **whole.entries}.items(), key=lambda pair: pair[1].start)
    whole.entries = dict(both)
    whole.value = {key: entry.node.value for key, entry in both}
    whole.start, whole.end = min(whole.start, part.start), max(whole.end, part.end)
