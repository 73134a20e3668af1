"""A key that a mapping has twice: one report for both notations."""

from __future__ import annotations

from ..diagnostics.diagnostic import Diagnostics
from ..diagnostics.fixes import without_repeat
from ..source.tree import Entry, SourceNode


def report_repeat(
    diagnostics: Diagnostics, mapping: SourceNode, key: str, first: Entry, second: Entry
) -> None:
    """Reports the second entry of ``key`` in ``mapping``."""
    diagnostics.error(
        "NW0103",
        f"the key {key} appears twice",
        second.key_span,
        labels=[(first.key_span, "first here")],
        fixes=without_repeat(mapping.text, key, second.start, first.node, second.node, mapping.start),
    )
