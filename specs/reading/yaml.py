"""YAML to a source tree, from PyYAML's event stream.

PyYAML's constructors lose positions and follow YAML 1.1, and they crash on deep nesting; so only its scanner and parser
are used, and nodes are built here, without recursion. There are two parsers, one in Python and one in C (libyaml), five
times as fast, that differ in some corners and in what they say. The one in Python counts; the other reads texts that
have none of those corners and nothing wrong.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml import events as ev

try:
    from yaml.cyaml import CParser  # type: ignore[attr-defined]
except ImportError:  # PyYAML can be built without libyaml
    CParser = None

from ..diagnostics.diagnostic import Diagnostics
from ..diagnostics.fixes import without_repeat
from ..source.scalars import plain_scalar
from ..source.tree import Entry, SourceNode, SourceText

_CORNERS = re.compile("[\t?!%\x85\u2028\u2029\ufeff]")
"""Where the two parsers may disagree: tabs, keys that begin with ?, tags, directives, exotic line breaks."""

DEPTH_LIMIT = 100
EXPANSION_LIMIT = 200_000
"""How many values a tree may hold once every alias is written out."""


def read_yaml(source: SourceText, diagnostics: Diagnostics) -> SourceNode | None:
    """The tree of a YAML text, or None when it can't be read; what is wrong goes to `diagnostics`.

    A syntax error ends reading. Other mistakes are all reported; the tree is still given after those that leave its
    values as they were meant (duplicate keys, of which the first counts, and tags).
    """
    if CParser is not None and not _CORNERS.search(source.text):
        root = _read_plain(source)
        if root is not None:
            return root
    builder = _Builder(source, diagnostics)
    loader = None
    try:
        loader = yaml.Loader(source.text)
        while loader.check_event():
            if not builder.take(loader.get_event()):
                return None
    except yaml.YAMLError as error:
        _report(error, source, diagnostics)
        return None
    except Exception:  # PyYAML's scanner lets a few others through, such as chr()'s for the escape \UFFFFFFFF
        offset = loader.index if loader else 0
        diagnostics.error("NW0101", "not valid YAML: this can't be read", source.span(offset, offset + 1))
        return None
    if builder.root is None:
        diagnostics.error(
            "NW0108", "the file is empty", source.span(0, 0), help="a spec starts with netwright: 1"
        )
        return None
    return None if builder.spoilt else builder.root


def _read_plain(source: SourceText) -> SourceNode | None:
    """What the parser in C reads; None where there is anything wrong, or that the parsers may see differently."""
    assert CParser is not None
    found = Diagnostics()
    builder = _Builder(source, found)
    try:
        parser = CParser(source.text)
        while parser.check_event():
            event = parser.get_event()
            # They put a value that is left out in different places.
            empty = event.start_mark.index == event.end_mark.index and isinstance(event, ev.ScalarEvent)
            if empty or not builder.take(event):
                return None
    except Exception:  # whatever it is, the other parser says it
        return None
    return None if found.items else builder.root


@dataclass(slots=True)
class _Open:
    """A collection whose end has not been read yet. `size` counts values with aliases written out."""

    node: SourceNode
    size: int = 1
    key: tuple[str, int, int] | None = None
    wants_key: bool = True
    merged: set[str] = field(default_factory=set)


class _Builder:
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
        inner = [entry.node.end for entry in node.entries.values()] + [item.end for item in node.items]
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
        if first:
            where = self.source.span(start, end)
            self.diagnostics.error(
                "NW0103",
                f"the key {key} appears twice",
                where,
                labels=[(first.key_span, "first here")],
                fixes=without_repeat(self.source, key, start, first.node, node, parent.node.start),
            )
        # A key with nothing under it says nothing, the other one does.
        if key != "<<" and (first is None or first.node.value is None):
            parent.node.entries[key] = Entry(self.source, start, end, node)
            parent.node.value[key] = node.value
        return True


def _encodable(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def _report(error: yaml.YAMLError, source: SourceText, diagnostics: Diagnostics) -> None:
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        offset = mark.index if mark else 0
        labels = []
        if error.context_mark and error.context and error.context_mark.index != offset:
            start = error.context_mark.index
            labels = [(source.span(start, start + 1), error.context)]
        message = error.problem or error.context or "unknown problem"
        tab = source.text[offset : offset + 1] == "\t"
        help = "indent with spaces, YAML does not allow tabs there" if tab else None
        span = source.span(offset, offset + 1)
        diagnostics.error("NW0101", f"not valid YAML: {message}", span, labels=labels, help=help)
    elif isinstance(error, yaml.reader.ReaderError):
        offset = error.position if isinstance(error.position, int) else 0
        diagnostics.error(
            "NW0111",
            f"the character U+{ord(source.text[offset]):04X} is not allowed",
            source.span(offset, offset + 1),
        )
    else:
        diagnostics.error("NW0101", f"not valid YAML: {error}", source.span(0, 0))
