"""From YAML's events to nodes, without recursion: keys, duplicates, anchors, and the limits of a tree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from yaml import events as ev

from ..diagnostics.diagnostic import Diagnostics
from ..source.scalars import plain_scalar
from ..source.tree import Entry, SourceNode, SourceText
from .repeats import report_repeat

DEPTH_LIMIT = 100
EXPANSION_LIMIT = 200_000
"""How many values a tree may hold once every alias is written out."""


@dataclass(slots=True)
class _Open:
    """A collection whose end has not been read yet. `size` counts values with aliases written out."""

    node: SourceNode
    size: int = 1
    key: tuple[str, int, int] | None = None
    odd: bool = False


class TreeBuilder:
    """Takes events in order; `root` is the tree then, and `spoilt` says that some of it is not as it was meant."""

    def __init__(self, source: SourceText, diagnostics: Diagnostics) -> None:
        self.source = source
        self.diagnostics = diagnostics
        self.root: SourceNode | None = None
        self.open: list[_Open] = []
        self.anchors: dict[str, tuple[SourceNode, int] | None] = {}
        self.opened_anchors: list[str | None] = []
        self.documents = 0
        self.spoilt = self.aliased = False

    def error(self, code: str, message: str, event: Any, **more: Any) -> None:
        start, end = event.start_mark.index, event.end_mark.index
        self.spoilt = True
        self.diagnostics.error(code, message, self.source.span(start, end), **more)

    def take(self, event: Any) -> bool:
        """Take one event; False to stop reading."""
        if isinstance(event, ev.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                self.error("NW0107", "a second document starts here", event, help="a spec is one document")
                return False
        elif isinstance(event, ev.ScalarEvent):
            return self.scalar(event)
        elif isinstance(event, ev.AliasEvent):
            return self.alias(event)
        elif isinstance(event, ev.CollectionStartEvent):
            return self.start(event)
        elif isinstance(event, ev.CollectionEndEvent):
            return self.finish(event)
        return True

    def start(self, event: Any) -> bool:
        if len(self.open) >= DEPTH_LIMIT:
            self.error("NW0105", f"nested more than {DEPTH_LIMIT} deep", event)
            return False
        if self.at_key():
            self.error("NW0113", "a key has to be a string", event)
            return False
        self.tag(event)
        value: Any = {} if isinstance(event, ev.MappingStartEvent) else []
        node = SourceNode(self.source, event.start_mark.index, event.end_mark.index, value)
        self.open.append(_Open(node))
        self.opened_anchors.append(event.anchor)
        if event.anchor:
            self.anchors[event.anchor] = (
                None  # known, but not complete: an alias to it now would contain itself
            )
        return True

    def finish(self, event: Any) -> bool:
        done = self.open.pop()
        node, anchor = done.node, self.opened_anchors.pop()
        # A block collection's end event stands at the next token, after comments and empty lines.
        flow = event.end_mark.index > event.start_mark.index
        entries = (*node.entries.values(), *(entry for _, entry in node.repeated))
        inner = [entry.node.end for entry in entries] + [item.end for item in node.items]
        node.end = event.end_mark.index if flow else max([node.end, *inner])
        if anchor:
            self.anchors[anchor] = (node, done.size)
        return self.place(node, done.size, event)

    def alias(self, event: Any) -> bool:
        if self.at_key():
            self.error("NW0113", "a key has to be a string", event)
            return False
        if event.anchor not in self.anchors:
            self.error("NW0101", f"there is no anchor &{event.anchor} above", event)
            return False
        known = self.anchors[event.anchor]
        if known is None:
            self.error("NW0106", f"the alias *{event.anchor} contains itself", event)
            return False
        self.aliased = True
        return self.place(*known, event)

    def scalar(self, event: Any) -> bool:
        # A tag that is reported is no reason to find fault with the value too.
        plain = not event.style and (event.implicit[0] or event.tag not in (None, "!"))
        self.tag(event)
        if self.at_key():
            return self.take_key(event, plain)
        value: Any = event.value
        if plain:
            try:
                value = plain_scalar(event.value)
            except ValueError as error:
                self.error("NW0112", str(error), event)
        if isinstance(value, str) and not _encodable(value):
            self.error("NW0111", "the string holds half of a surrogate pair", event)
            value = ""
        node = SourceNode(self.source, event.start_mark.index, self.scalar_end(event), value)
        if event.anchor:
            self.anchors[event.anchor] = (node, 1)
        return self.place(node, 1, event)

    def scalar_end(self, event: Any) -> int:
        start, end = event.start_mark.index, event.end_mark.index
        return start + len(self.source.text[start:end].rstrip()) if event.style in ("|", ">") else end

    def take_key(self, event: Any, plain: bool) -> bool:
        value: Any = event.value
        if plain:
            try:
                value = plain_scalar(event.value)
            except ValueError:
                value = None
        if not isinstance(value, str) or not _encodable(value):
            self.error("NW0113", "a key has to be a string", event, help="write it in quotes")
            value = str(event.value).encode("utf-8", "replace").decode()
        elif value == "<<" and plain:
            self.error("NW0114", "merge keys (<<) are not part of the language", event, help="use defaults:")
        self.open[-1].key = (value, event.start_mark.index, event.end_mark.index)
        return True

    def tag(self, event: Any) -> None:
        if event.tag is None or event.tag == "!":
            return
        text = self.source.text[event.start_mark.index : event.end_mark.index].split(None, 1)
        shown = next((part for part in text if part.startswith("!")), event.tag)
        help = "tags are not part of the language; write the value without one"
        start = event.start_mark.index
        span = self.source.span(start, start + len(shown))
        self.diagnostics.error("NW0104", f"the tag {shown} is not allowed", span, help=help)

    def at_key(self) -> bool:
        return bool(self.open) and isinstance(self.open[-1].node.value, dict) and self.open[-1].key is None

    def place(self, node: SourceNode, size: int, event: Any) -> bool:
        if not self.open:
            self.root = node
            return True
        parent = self.open[-1]
        parent.size += size
        if self.aliased and parent.size > EXPANSION_LIMIT:
            self.error("NW0106", f"aliases expand to more than {EXPANSION_LIMIT:,} values", event)
            return False
        if parent.key is None:
            parent.node.items.append(node)
            parent.node.value.append(node.value)
            return True
        (key, start, end), parent.key = parent.key, None
        first = parent.node.entries.get(key)
        entry = Entry(self.source, start, end, node)
        if first:
            # A key with nothing under it says nothing, the other one does.
            parent.node.repeated.append((key, first if first.node.value is None else entry))
            self.repeat(parent.node, key, first, entry)
        if key != "<<" and (first is None or first.node.value is None):
            parent.node.entries[key] = entry
            parent.node.value[key] = node.value
        return True

    def repeat(self, parent: SourceNode, key: str, first: Entry, entry: Entry) -> None:
        """Say that a key was there before."""
        report_repeat(self.diagnostics, parent, key, first, entry)


def _encodable(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)
