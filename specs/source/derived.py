"""Nodes that are made and not read: they stand where what they were made from stands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .tree import Entry, SourceNode


def without(node: SourceNode, key: str) -> SourceNode:
    """A mapping without one of its keys."""
    if key not in node.entries:
        return node
    return mapping(node, {name: entry for name, entry in node.entries.items() if name != key})


def mapping(like: SourceNode, entries: Mapping[str, Entry | None]) -> SourceNode:
    """A mapping in place of another; entries that are None are left out."""
    kept = {key: entry for key, entry in entries.items() if entry is not None}
    value = {key: entry.node.value for key, entry in kept.items()}
    return SourceNode(like.text, like.start, like.end, value, kept)


def written_as(value: Any, like: SourceNode) -> SourceNode:
    """A value that is not written, in place of one that is."""
    items = [written_as(item, like) for item in value] if isinstance(value, list) else []
    return SourceNode(like.text, like.start, like.end, value, {}, items)


def entry_as(value: Any, like: SourceNode) -> Entry:
    """A mapping's entry that is not written, in place of a value that is."""
    return Entry(like.text, like.start, like.end, written_as(value, like))
