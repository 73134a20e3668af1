"""Includes files: their variables, blocks and cells are added to the spec's.

Only files in the spec's own folder or below it are read. A file that is included several times counts once.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..diagnostics.diagnostic import Diagnostics
from ..diagnostics.translation.words import describe
from ..reading.documents import read_file, read_text
from ..source.tree import Entry, SourceNode, SourceText, SourceTree, Span

DEPTH_LIMIT = 16
FILE_LIMIT = 100
SECTIONS = ("vars", "blocks", "cells")
_ALLOWED = ("netwright", "$schema", "include", *SECTIONS)


def include(
    tree: SourceTree, folder: str | None, diagnostics: Diagnostics, texts: Mapping[str, str]
) -> tuple[SourceTree, bool]:
    """Adds the definitions of the included files to a spec. Returns it, and whether all files could be read; errors go
    to `diagnostics`.

    `folder` is the spec's, None for a text without one. `texts`, by file name, take the place of the files' contents.
    """
    root = tree.root
    if not isinstance(root.value, dict) or "include" not in root.value:
        return tree, True
    reader = _Reader(folder, diagnostics, texts)
    for name in SECTIONS:
        reader.take(root, name)
    here = os.path.realpath(tree.source.file)
    reader.follow(root, folder or ".", [here])
    entries = dict(root.entries)
    for name, definitions in reader.definitions.items():
        if definitions and (name not in entries or isinstance(entries[name].node.value, dict)):
            first = entries.get(name) or root.entries["include"]
            value = {key: entry.node.value for key, entry in definitions.items()}
            node = SourceNode(first.node.text, first.node.start, first.node.end, value, definitions)
            entries[name] = Entry(first.text, first.start, first.end, node)
    value = {key: entry.node.value for key, entry in entries.items()}
    node = SourceNode(root.text, root.start, root.end, value, entries)
    return SourceTree(tree.source, node), reader.complete


@dataclass(slots=True)
class _Reader:
    folder: str | None
    diagnostics: Diagnostics
    texts: Mapping[str, str]
    definitions: dict[str, dict[str, Entry]] = field(default_factory=lambda: {name: {} for name in SECTIONS})
    seen: set[str] = field(default_factory=set)
    complete: bool = True

    def missing(self, code: str, message: str, span: Span, help: str | None = None) -> None:
        """Reports an error that leaves the definitions of a file unknown."""
        self.complete = False
        self.error(code, message, span, help)

    def error(self, code: str, message: str, span: Span, help: str | None = None) -> None:
        self.diagnostics.error(code, message, span, help=help)

    def take(self, root: SourceNode, section: str) -> None:
        """Adds the definitions of a section."""
        entry = root.entries.get(section)
        if entry is None or not isinstance(entry.node.value, dict):
            return
        for name, definition in entry.node.entries.items():
            other = self.definitions[section].setdefault(name, definition)
            if other is not definition:
                labels = [(other.key_span, "first here")]
                message = f"{name} is defined in two files"
                self.diagnostics.error("NW0301", message, definition.key_span, labels=labels)

    def follow(self, root: SourceNode, folder: str, chain: list[str]) -> None:
        """Reads the files that a file includes. `folder` is its folder, `chain` the files that led to it."""
        node = root.entries["include"].node
        items = node.items if isinstance(node.value, list) else [node]
        for item in items:
            if not isinstance(item.value, str) or not item.value:
                message = f"include is a file or a list of files, not {describe(item.value)}"
                self.missing("NW0203", message, item.span)
            elif (path := self.path(item, folder)) is not None:
                self.file(item, path, chain)

    def path(self, item: SourceNode, folder: str) -> str | None:
        """The path of a file; if it must not be read, reports it and returns None."""
        written, span = item.value, item.span
        if self.folder is None:
            self.missing("NW0115", "a spec that is no file can't include files", span)
            return None
        portable = not re.match(r"[/\\]|[A-Za-z]:|~", written) and "\\" not in written and "\0" not in written
        if not portable:
            help = "write it relative to this file, with /"
            self.missing("NW0115", f"{describe(written)} is not a path inside the spec's folder", span, help)
            return None
        path = os.path.normpath(os.path.join(folder, written))
        top = os.path.realpath(self.folder)
        if os.path.commonpath([top, os.path.realpath(path)]) != top:
            message = f"{describe(written)} leads out of the spec's folder"
            self.missing(
                "NW0115", message, span, "only files in the spec's folder, or below it, can be included"
            )
            return None
        return path

    def file(self, item: SourceNode, path: str, chain: list[str]) -> None:
        real = os.path.realpath(path)
        if real in chain:
            names = [os.path.basename(file) for file in [*chain[chain.index(real) :], real]]
            self.missing("NW0116", f"files include each other: {' → '.join(names)}", item.span)
            return
        if real in self.seen:
            return
        if len(chain) > DEPTH_LIMIT or len(self.seen) >= FILE_LIMIT:
            limit = f"{DEPTH_LIMIT} deep" if len(chain) > DEPTH_LIMIT else f"{FILE_LIMIT} files"
            self.missing("NW0116", f"includes go further than {limit}", item.span)
            return
        self.seen.add(real)
        if not os.path.isfile(path):
            what = "is no file" if os.path.exists(path) else "does not exist"
            self.missing("NW0115", f"{path} {what}", item.span)
            return
        text = self.texts.get(path)
        tree = read_file(path, self.diagnostics) if text is None else read_text(text, path, self.diagnostics)
        if tree is None:
            self.complete = False
            return
        if not isinstance(tree.value, dict):
            message = f"an included file is a mapping with keys such as blocks, not {describe(tree.value)}"
            self.missing("NW0203", message, tree.root.span)
            return
        self.sections(tree.root, tree.source)
        if "include" in tree.value:
            self.follow(tree.root, os.path.dirname(path) or ".", [*chain, real])

    def sections(self, root: SourceNode, source: SourceText) -> None:
        for key, entry in root.entries.items():
            if key not in _ALLOWED:
                help = f"an included file has {', '.join(SECTIONS)} and include"
                self.missing("NW0201", f"{key} can't be in an included file", entry.key_span, help)
        version = root.entries.get("netwright")
        if version and (version.node.value is True or version.node.value != 1):
            message = f"version {describe(version.node.value)} of the language is not known"
            self.error("NW0209", message, version.node.span, "this Netwright reads netwright: 1")
        for name in SECTIONS:
            if name in root.entries and not isinstance(root.entries[name].node.value, dict):
                actual = describe(root.entries[name].node.value)
                self.missing(
                    "NW0203", f"{name} has to be a mapping, not {actual}", root.entries[name].node.span
                )
            self.take(root, name)
